"""The wildcard language: `*` is any run of characters, `\\*` a star, `\\\\` a backslash."""

from __future__ import annotations


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


def complexity(parts: tuple[str, ...]) -> int:
    """How many places of this wildcard one value can be at side by side: the stars, and after each the overlapping
    beginnings of the literal part that follows it (`$$$$` overlaps itself, `abc` does not)."""
    after_stars = parts[1:]
    return len(after_stars) + sum(_overlaps(part) for part in after_stars)


def _overlaps(part: str) -> int:
    """The largest number of beginnings of `part` that all end at the same place, by the border table of a text."""
    borders = [0] * (len(part) + 1)
    chains = [0] * (len(part) + 1)
    length = 0
    for end in range(1, len(part) + 1):
        if end > 1:
            while length and part[end - 1] != part[length]:
                length = borders[length]
            if part[end - 1] == part[length]:
                length += 1
        borders[end] = length
        chains[end] = chains[length] + 1
    return max(chains)


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
