"""The scripts' client on the AWS SDK for JavaScript, in a process of its own that is told one call a line."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ..servers.packages import packages
from .clients import CREDENTIALS, REGION, Data, Refused

HOME = Path(__file__).parent / "javascript_package"


class JavaScript:
    def __init__(self, headrace: str, emulator: str) -> None:
        modules = packages(HOME / "package-lock.json")
        self._process = subprocess.Popen(
            ["node", str(HOME / "calls.mjs"), str(modules)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "AWS_REGION": REGION,
                "AWS_MAX_ATTEMPTS": "1",
                "HEADRACE": headrace,
                "EMULATOR": emulator,
                "NODE_NO_WARNINGS": "1",  # of versions of Node to come
                **CREDENTIALS,
            },
        )

    def call(self, service: str, operation: str, **parameters: Any) -> Data:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = {"service": service, "operation": operation, "parameters": parameters}
        self._process.stdin.write(json.dumps(line, default=_bytes) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"]["code"], answer["error"]["message"])
        output: Data = answer["output"]
        return output

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def _bytes(value: bytes) -> Data:
    return {"$bytes": base64.b64encode(value).decode()}
