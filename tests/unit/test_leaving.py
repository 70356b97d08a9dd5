"""How a process ends that does not end by itself."""

from __future__ import annotations

import threading

from headrace.service.wiring.leaving import LAST_LINES, Leaving

PATIENCE = 60.0


class Rig:
    """A process that only says how it would have ended."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.left = threading.Event()
        self.leaving = Leaving(lambda within: self.told.append(f"flush {within}"), self._leave)

    def _leave(self, code: int) -> None:
        self.told.append(code)
        self.left.set()


def test_a_second_signal_leaves_with_its_number() -> None:
    rig = Rig()
    rig.leaving.at_once(15)
    assert rig.told == [f"flush {LAST_LINES}", 143]


def test_what_still_runs_when_the_time_is_over_is_left_behind_with_a_line_and_the_code_of_the_stop() -> None:
    rig = Rig()
    rig.leaving.after(0.0, lambda: 3, lambda: rig.told.append("said"))
    assert rig.left.wait(PATIENCE)
    assert rig.told == ["said", f"flush {LAST_LINES}", 3]


def test_only_the_first_time_counts_and_what_has_ended_is_not_left() -> None:
    rig = Rig()
    rig.leaving.after(3600.0, lambda: 0, lambda: None)
    rig.leaving.after(0.0, lambda: 0, lambda: None)
    rig.leaving.forget()
    assert not rig.left.is_set()
    assert rig.told == []
