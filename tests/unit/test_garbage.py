"""What the start leaves behind is looked at no more, and goes back."""

from __future__ import annotations

import ctypes
import gc

import pytest

from headrace.service.wiring import garbage


class Musl:
    """A C library that cannot give back."""


def test_what_is_there_at_the_start_is_frozen_and_what_it_needed_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []

    class Glibc:
        def malloc_trim(self, room: int) -> int:
            called.append(room)
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Glibc())
    before = gc.get_freeze_count()
    try:
        garbage.leave_alone()
        assert gc.get_freeze_count() > before
        assert called == [0]
        monkeypatch.setattr(ctypes, "CDLL", lambda name: Musl())
        garbage.leave_alone()
        assert called == [0]
    finally:
        gc.unfreeze()
