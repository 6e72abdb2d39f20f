"""Fails if the committed data differ from the output of the scripts. Writes nothing.

The price catalogue is compared unpacked: two versions of zlib may pack the same text into different bytes.

Run from the repository root: python3 llm-core/tools/check_data.py
"""
import gzip
import sys

import make_provider_docs
import make_providers
import pack_prices


def drift():
    """The committed files that differ."""
    providers, not_served = make_providers.make()
    packed = pack_prices.OUT.read_bytes()
    same = {
        make_providers.OUT: make_providers.OUT.read_bytes() == providers.encode("utf-8"),
        make_providers.NOT_SERVED: make_providers.NOT_SERVED.read_bytes() == not_served.encode("utf-8"),
        make_provider_docs.DOCS: make_provider_docs.DOCS.read_text(encoding="utf-8") == make_provider_docs.make(),
        pack_prices.OUT: gzip.decompress(packed) == pack_prices.make().encode("utf-8") and packed[4:8] == bytes(4),
    }
    return [path for path, equal in same.items() if not equal]


if __name__ == "__main__":
    differing = drift()
    for path in differing:
        print("%s differs from the output of its script in llm-core/tools" % path.as_posix())
    sys.exit(1 if differing else 0)
