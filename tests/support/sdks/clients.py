"""What a script needs of an SDK: one call at a time, its answer as plain data, a refusal with AWS's code."""

from __future__ import annotations

from typing import Any, Protocol

Data = dict[str, Any]


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Client(Protocol):
    """A real client of AWS's services: `lambda` at one address, all others at another."""

    def call(self, service: str, operation: str, **parameters: Any) -> Data:
        """`service` by botocore's name, `operation` and `parameters` by AWS's. Blobs are bytes; a payload that comes
        back is text. Raises Refused."""
        ...

    def close(self) -> None: ...


REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
