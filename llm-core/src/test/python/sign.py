"""Replaces the requests in a file by the headers that botocore's Signature Version 4 adds to them. `run` starts it."""
import base64
import datetime
import json
import sys
from pathlib import Path

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SIGNED = {"authorization", "x-amz-date", "x-amz-security-token"}


def sign(unsigned: dict) -> dict:
    now = datetime.datetime.strptime(unsigned["date"], "%Y%m%dT%H%M%SZ")
    botocore.auth.get_current_datetime = lambda *_, **__: now
    headers = dict(unsigned["headers"])
    if unsigned["method"] != "GET":
        headers["Content-Type"] = "application/json"
    request = AWSRequest(method=unsigned["method"], url=unsigned["url"], headers=headers, data=base64.b64decode(unsigned["body"]))
    credentials = Credentials(unsigned["id"], unsigned["secret"], unsigned["token"])
    botocore.auth.SigV4Auth(credentials, unsigned["service"], unsigned["region"]).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items() if name.lower() in SIGNED}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(json.dumps([sign(unsigned) for unsigned in json.loads(file.read_text())]))
