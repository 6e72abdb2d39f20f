"""Writes a llama model with two small layers, random weights and the vocabulary of Qwen2. Its output is nonsense in real tokens, some of which
are parts of a character. It is fast on two cores, and the same seed gives the same output.

usage: make_model.py MODELS OUT    MODELS: the folder vendor/llama.cpp/models of the package's source; OUT: the .gguf to write
"""
import sys
from pathlib import Path

import gguf
import numpy

EMBEDDING = 64
HIDDEN = 2 * EMBEDDING
HEADS = 4
LAYERS = 2
CONTEXT = 8192
SEED = 1


def copy_vocabulary(writer: gguf.GGUFWriter, source: gguf.GGUFReader) -> int:
    """Copies the tokenizer's fields and returns the number of tokens."""
    count = 0
    for name, field in source.fields.items():
        if name.startswith("tokenizer.") and name != "tokenizer.chat_template":
            kind = field.types[0]
            item = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), kind, sub_type=item)
            if name == "tokenizer.ggml.tokens":
                count = len(field.contents())
    writer.add_vocab_size(count)
    return count


def add_shape(writer: gguf.GGUFWriter) -> None:
    writer.add_name("tiny-random")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def tensors(tokens: int):
    """The name, shape and standard deviation of every tensor; None is a norm, which is all ones. The values give varied output."""
    yield "token_embd", (tokens, EMBEDDING), 1.0
    yield "output", (tokens, EMBEDDING), 0.3
    yield "output_norm", (EMBEDDING,), None
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{part}", (EMBEDDING, EMBEDDING), 0.08
        yield f"blk.{layer}.ffn_gate", (HIDDEN, EMBEDDING), 0.08
        yield f"blk.{layer}.ffn_up", (HIDDEN, EMBEDDING), 0.08
        yield f"blk.{layer}.ffn_down", (EMBEDDING, HIDDEN), 0.08
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{norm}", (EMBEDDING,), None


def main(models: Path, out: Path) -> None:
    writer = gguf.GGUFWriter(out, "llama")
    add_shape(writer)
    tokens = copy_vocabulary(writer, gguf.GGUFReader(models / "ggml-vocab-qwen2.gguf"))
    writer.add_chat_template((models / "templates" / "Qwen-Qwen2.5-7B-Instruct.jinja").read_text())
    random = numpy.random.default_rng(SEED)
    for name, shape, spread in tensors(tokens):
        values = numpy.ones(shape, numpy.float32) if spread is None else (random.standard_normal(shape) * spread).astype(numpy.float16)
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
