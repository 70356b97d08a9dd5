"""An HTML page that came instead of an answer for programs: the part of it that a message may quote. Pure."""

from __future__ import annotations

import re

_PAGE = re.compile(r"[:\s]*(b?['\"])?<\s*(!doctype|html|head|body)\b", re.IGNORECASE)


def has_page(text: str) -> bool:
    return _PAGE.search(text) is not None


def without_page(text: str) -> str:
    """The text before a web page, followed by a note that there was one."""
    found = _PAGE.search(text)
    if found is None:
        return text
    before = text[: found.start()]
    return f"{before}: a web page" if before else "a web page"
