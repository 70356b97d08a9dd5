"""Looking for processes that left their group: one look for all who ask while another one goes on."""

from __future__ import annotations

import threading

import pytest

from headrace.dispatch.invokers.local.reaper import Reaper


@pytest.mark.semantics("FN-15")
def test_a_look_serves_everybody_who_asked_before_it_began() -> None:
    looks: list[set[bytes]] = []
    others = [f"mark-{number}" for number in range(9)]
    threads = [threading.Thread(target=lambda each=each: reaper.sweep(each)) for each in others]

    def look(marks: list[bytes]) -> None:
        looks.append(set(marks))
        if len(looks) == 1:
            for thread in threads:
                thread.start()
            while reaper.waiting < len(threads):
                pass

    reaper = Reaper(look)
    reaper.sweep("first")
    for thread in threads:
        thread.join()
    assert looks == [{b"first"}, {each.encode() for each in others}]


def test_each_look_begins_after_it_was_asked_for() -> None:
    looks: list[set[bytes]] = []
    reaper = Reaper(lambda marks: looks.append(set(marks)))
    for mark in ("a", "b", "a"):
        reaper.sweep(mark)
    assert looks == [{b"a"}, {b"b"}, {b"a"}]
