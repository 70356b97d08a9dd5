"""A page for people where an answer for programs was wanted: what of it may stand in a message. Pure."""

from __future__ import annotations

import re

_PAGE = re.compile(r"[:\s]*(b?['\"])?<\s*(!doctype|html|head|body)\b", re.IGNORECASE)


def has_page(text: str) -> bool:
    return _PAGE.search(text) is not None


def without_page(text: str) -> str:
    """The text up to a web page in it, and that there was one."""
    found = _PAGE.search(text)
    if found is None:
        return text
    before = text[: found.start()]
    return f"{before}: a web page" if before else "a web page"
