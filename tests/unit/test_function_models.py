"""What is known of functions at work."""

from __future__ import annotations

import pytest

from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Lane, Record, Succeeded
from headrace.dispatch.core.pages import Records
from headrace.service.telemetry.core.function_models import MOST, FunctionModels, FunctionWork
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.sight import Sight


@pytest.mark.semantics("STEER-35")
def test_environments_invocations_and_starts_are_counted() -> None:
    sight = Sight(lambda: Instant(0.0, 0.0))
    batch = Records.of([Record(Lane("arn"), "1", {}, 0.0)])
    attempt = Attempt("request-1", 0.0, 1.0, 200)
    for event in (
        seen.EnvironmentStarted("f", 0.25),
        seen.EnvironmentStarted("f", 0.5),
        seen.Invoked("m", "f:live", batch, Succeeded(attempt), 0.1),
        seen.Invoked("m", "f:live", batch, FunctionFailed(attempt, Failure.ERROR, "no"), 0.2),
        seen.EnvironmentsEnded("f", 1),
    ):
        sight.observe(event)
    assert sight.work("f:live") == FunctionWork(1, 2, 0.5, 2, 1, 0.2)
    assert sight.work("f") == FunctionWork(1, 2, 0.5, 0, 0, None)
    assert sight.work("g") == FunctionWork()


def test_what_is_remembered_is_bounded() -> None:
    models = FunctionModels()
    models.ended("never-started", 1)
    assert models.work("never-started").environments == 0
    for number in range(MOST + 1):
        models.started(str(number), 0.0)
    assert models.work("0") == models.work("never-started") == FunctionWork()
    assert models.work(str(MOST)).cold_starts == 1
