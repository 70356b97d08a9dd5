"""Which tests stay together when workers share them."""

from __future__ import annotations

import pytest

from support.workers import share


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("tests/unit/test_a.py::test_x[1]", "tests/unit/test_a.py::TestIt::test_y", True),
        ("tests/unit/test_a.py::test_x", "tests/unit/test_b.py::test_x", False),
        ("tests/integration/test_a.py::test_x[a::b/c]", "tests/integration/test_a.py::test_y", True),
        ("tests/property/test_a.py::test_x", "tests/property/test_a.py::test_y", False),
        ("tests/scenario/test_a.py::test_x[1]", "tests/scenario/test_a.py::test_x[2]", False),
        ("tests/acceptance/test_lambda_sdks.py::test_x[1]", "tests/acceptance/test_lambda_sdks.py::test_x[2]", False),
        ("tests/acceptance/test_run_kafka.py::test_x", "tests/acceptance/test_run_kafka.py::test_y", True),
        ("tests/proof/test_kill.py::test_x", "tests/proof/test_kill_streams.py::test_x", True),
        ("tests/proof/test_kill.py::test_x", "tests/proof/test_planted_bugs.py::test_x", False),
    ],
)
def test_what_stays_together(one: str, other: str, together: bool) -> None:
    assert (share(one) == share(other)) is together
