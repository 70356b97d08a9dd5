"""How the service prints a value in a message: `[a, b]`, `{key=1.0}`, `Filter(pattern=null)`. Pure."""

from __future__ import annotations

from typing import Any

from .model import Shape


def lower_first(name: str) -> str:
    """A member's name as messages spell it: `FunctionName` is `functionName`, `KMSKeyArn` is `kMSKeyArn`."""
    return name[:1].lower() + name[1:]


def printed(shape: Shape | None, value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case bytes():
            return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
        case list():
            return "[" + ", ".join(printed(shape and shape.item, each) for each in value) + "]"
        case dict() if shape is not None and shape.kind == "structure":
            members = (
                f"{lower_first(name)}={printed(member.shape, value.get(name))}"
                for name, member in shape.members.items()
            )
            return f"{shape.name}({', '.join(members)})"
        case dict():
            inner = shape and shape.value
            return "{" + ", ".join(f"{key}={printed(inner, each)}" for key, each in value.items()) + "}"
        case _:
            return str(value)
