"""The wildcard language: `*` is any run of characters, `\\*` a star, `\\\\` a backslash."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .pattern_limits import MAX_WILDCARD_COMPLEXITY


class WildcardFault(ValueError):
    """A text that is no wildcard; its message is EventBridge's reason."""


def segments(text: str) -> tuple[str, ...]:
    """The literal parts between the stars: one part means no star at all. Raises WildcardFault."""
    parts: list[str] = [""]
    position = 0
    while position < len(text):
        letter = text[position]
        if letter == "*":
            _refuse_second_star(text, position)
            parts.append("")
        elif letter == "\\":
            position += 1
            parts[-1] += _escaped(text, position)
        else:
            parts[-1] += letter
        position += 1
    return tuple(parts)


def _refuse_second_star(text: str, position: int) -> None:
    if text[position + 1 : position + 2] == "*":
        # EventBridge counts in the quoted text, hence the one more.
        raise WildcardFault(f"Consecutive wildcard characters at pos {position + 1}")


def _escaped(text: str, position: int) -> str:
    letter = text[position : position + 1]
    if letter not in ("*", "\\"):
        raise WildcardFault(f"Invalid escape character at pos {position}")
    return letter


def complexity(wildcards: Collection[tuple[str, ...]]) -> int:
    """How many places of one field's wildcards a value can be at side by side, as EventBridge counts.

    That is every star, and of the literal part after each star every beginning with which the value read so far ends:
    `$$$$` overlaps itself, `abc` does not. The worst such value ends with a beginning of one of these parts.
    """
    parts = [_Overlaps.of(part) for wildcard in wildcards for part in wildcard[1:]]
    if len(parts) > MAX_WILDCARD_COMPLEXITY:
        return len(parts)
    return len(parts) + max((_most_at_once(one.part, parts) for one in parts), default=0)


def _most_at_once(text: str, parts: Sequence[_Overlaps]) -> int:
    most = 0
    states = [0] * len(parts)
    for letter in text:
        states = [part.after(state, letter) for part, state in zip(parts, states, strict=True)]
        most = max(most, sum(part.chains[state] for part, state in zip(parts, states, strict=True)))
    return most


@dataclass(frozen=True, slots=True)
class _Overlaps:
    """A literal part with, for each of its beginnings by length, the next shorter beginning that also ends there
    (`borders`) and how many beginnings end there in all (`chains`)."""

    part: str
    borders: list[int]
    chains: list[int]

    @classmethod
    def of(cls, part: str) -> _Overlaps:
        made = cls(part, [0], [0])
        for letter in part:
            length = len(made.borders) - 1
            border = made.after(made.borders[length], letter) if length else 0
            made.borders.append(border)
            made.chains.append(made.chains[border] + 1)
        return made

    def after(self, length: int, letter: str) -> int:
        """The longest beginning with which a value ends that ended with the one of `length`, and now one letter on."""
        while length == len(self.part) or self.part[length] != letter:
            if length == 0:
                return 0
            length = self.borders[length]
        return length + 1


def matches(parts: tuple[str, ...], value: str) -> bool:
    """Whether the value is the parts with anything in between. Each part is sought once, leftmost: no backtracking."""
    if len(parts) == 1:
        return value == parts[0]
    first, *middle, last = parts
    if len(value) < len(first) + len(last) or not (value.startswith(first) and value.endswith(last)):
        return False
    position, end = len(first), len(value) - len(last)
    for part in middle:
        found = value.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True
