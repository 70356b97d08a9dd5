"""A user's text file in one reading: UTF-8, with or without a byte order mark. A leaf.

Windows editors write the mark, and PowerShell's `>` writes UTF-16. Used wherever a file that a user wrote is read:
configurations, secrets, patterns, events, payloads.
"""

from __future__ import annotations

import codecs
import os

_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
"""The marks of UTF-32 first: they begin like those of UTF-16."""


class NotText(ValueError):
    """Says what the bytes are instead, as the end of a sentence."""

    def __init__(self, what: str, place: str = "", offset: int | None = None) -> None:
        super().__init__(what + place)
        self.what = what
        """The same without anything of the bytes, for secrets."""
        self.offset = offset
        """The offset of the first wrong byte, where there is one."""


def text_of(data: bytes) -> str:
    """The text without its mark. Raises NotText."""
    if encoding := _other_encoding(data):
        raise NotText(f"is {encoding} text: save it as UTF-8")
    try:
        return data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as fault:
        offset = fault.start + len(data) - len(fault.object)
        raise NotText("is not UTF-8 text", f": byte 0x{data[offset]:02x} at offset {offset}", offset) from None


def typed(word: str) -> str:
    """A word of the command line, as UTF-8 where the locale could not decode it. Raises NotText."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return text_of(os.fsencode(word))
    return word


def _other_encoding(data: bytes) -> str:
    """The encoding that a mark, or every second byte of the beginning, tells; empty for none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    blank = [byte == 0 for byte in data[:4]]
    return "UTF-16" if blank in ([False, True, False, True], [True, False, True, False]) else ""
