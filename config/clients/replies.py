"""Parses replies of AWS-like endpoints with botocore's parsers, and refuses replies without the service's form.

A reply that is `null`, a list, a page or a number makes botocore's parsers fall over, each in its own way; members of
another kind make their caller fall over later. Here both are one failure of the client, `ResponseParserError`, which
`faults` translates. Only the kinds of members are looked at, and only in containers: a number as text, as some
emulators send it, does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiobotocore.parsers import AioResponseParserFactory
from botocore.parsers import ResponseParserError

ERRORS = (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError)
"""What botocore's parsers raise over a reply that they cannot read, besides their own error."""


class CheckedParserFactory:
    """Takes the place of botocore's `response_parser_factory`."""

    def __init__(self) -> None:
        self._factory = AioResponseParserFactory()

    def set_parser_defaults(self, **defaults: object) -> None:
        self._factory.set_parser_defaults(**defaults)

    def create_parser(self, protocol: str) -> CheckedParser:
        return CheckedParser(self._factory.create_parser(protocol))


class CheckedParser:
    """One of botocore's parsers, whose replies are what their shape says."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    async def parse(self, response: Mapping[str, Any], shape: Any) -> Any:
        """Raises ResponseParserError."""
        try:
            parsed = await self._parser.parse(response, shape)
        except ResponseParserError:
            raise
        except ERRORS as error:
            if response["status_code"] >= 300:
                return _refusal(response)
            raise ResponseParserError(f"the reply does not have the form of the service's replies ({error})") from error
        if response["status_code"] < 300 and (fault := unlike(parsed, shape)):
            raise ResponseParserError(f"the reply does not have the form of the service's replies: {fault}")
        return parsed


def _refusal(response: Mapping[str, Any]) -> dict[str, Any]:
    """A refusal whose text cannot be read: its status says all there is."""
    status = response["status_code"]
    return {
        "Error": {"Code": str(status), "Message": "the endpoint refused the call without a readable reason"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": dict(response["headers"])},
    }


def unlike(value: Any, shape: Any, path: str = "it") -> str:
    """What is of another kind than its shape says; empty when nothing is."""
    match getattr(shape, "type_name", None):
        case "structure":
            if shape.is_document_type or shape.serialization.get("eventstream"):
                return ""
            if not isinstance(value, dict):
                return f"{path} is no object"
            inside = ((name, value.get(name), member) for name, member in shape.members.items())
            return next((said for name, inner, member in inside if (said := _inside(inner, member, path, name))), "")
        case "list":
            if not isinstance(value, list):
                return f"{path} is no list"
            return next((said for inner in value if (said := unlike(inner, shape.member, f"an item of {path}"))), "")
        case "map":
            if not isinstance(value, dict):
                return f"{path} is no object"
            return next((said for k, v in value.items() if (said := unlike(v, shape.value, f"{path}.{k}"))), "")
        case None:
            return ""
        case _:
            return f"{path} is a {type(value).__name__}" if isinstance(value, (dict, list)) else ""


def _inside(value: Any, shape: Any, path: str, name: str) -> str:
    return "" if value is None else unlike(value, shape, name if path == "it" else f"{path}.{name}")
