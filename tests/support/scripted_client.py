"""An aiobotocore client that answers as written: for what is asked of a service, and what is made of its answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError


class ScriptedClient:
    """Answers each operation (`list_shards=[…]`) with one of its answers after the other, and with the last again and
    again. An exception among them is raised."""

    def __init__(self, endpoint: str = "http://127.0.0.1:4566", /, **answers: list[Any]) -> None:
        self.meta = SimpleNamespace(endpoint_url=endpoint)
        self.answers = answers
        self.asked: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        """The parameters of all calls, by operation."""

    def __getattr__(self, operation: str) -> Any:
        async def call(**parameters: Any) -> Any:
            self.asked[operation].append(parameters)
            answers = self.answers[operation]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def refused(code: str, status: int = 400) -> ClientError:
    """What a client raises when the service answers with an error code."""
    answer: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")
