"""The suite of `headrace.service.testing.invoker_contract`, for every invoker of the product."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from headrace.service.testing.invoker_contract import InvokerContract, Opener
from support import invoker_kits
from support.invoker_kits import Kit, Wanted

ALL = (
    invoker_kits.CALLABLE,
    invoker_kits.REMOTE,
    invoker_kits.MINISTACK,
    invoker_kits.HTTP,
    invoker_kits.PYTHON,
    invoker_kits.NODE,
    invoker_kits.BOOTSTRAP,
    invoker_kits.COMMAND,
    invoker_kits.PLUGIN,
    invoker_kits.JAVA,
)

pytest.mark.semantics("INVOKE-01")(InvokerContract.test_the_event_arrives_and_the_response_comes_back)
pytest.mark.semantics("INVOKE-02")(InvokerContract.test_an_event_of_six_megabytes)
pytest.mark.semantics("INVOKE-03")(InvokerContract.test_an_error_of_the_handler)
pytest.mark.semantics("INVOKE-04")(InvokerContract.test_a_timeout)
pytest.mark.semantics("INVOKE-05")(InvokerContract.test_the_process_ends_in_the_middle)
pytest.mark.semantics("INVOKE-06")(InvokerContract.test_a_response_at_the_limit_and_one_byte_over)
pytest.mark.semantics("INVOKE-07")(InvokerContract.test_an_error_of_the_init_is_no_attempt)
pytest.mark.semantics("INVOKE-08")(InvokerContract.test_nothing_there_to_invoke)
pytest.mark.semantics("INVOKE-09")(InvokerContract.test_no_room)


def parameters(kits: Iterable[Kit]) -> list[Any]:
    return [pytest.param(kit, id=kit.name, marks=[pytest.mark.needs(*kit.needs)] if kit.needs else []) for kit in kits]


@pytest.mark.parametrize("kit", parameters(ALL))
class TestInvokers(InvokerContract):
    @pytest.fixture
    def opened(self, kit: Kit, tmp_path: Path, request: pytest.FixtureRequest) -> Opener:
        """Some kits need a server of ours."""
        directory = tmp_path / "function"
        directory.mkdir()
        endpoint = request.getfixturevalue(kit.server).endpoint_url if kit.server else ""
        return lambda **wanted: kit.open(Wanted(directory, endpoint=endpoint, **wanted))
