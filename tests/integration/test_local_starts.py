"""Refusals of this machine at the start of functions, and programs that are installed later."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from headrace.dispatch.core.model import Unreachable
from headrace.dispatch.invokers.base import NotReady, Ready
from headrace.dispatch.invokers.local.spec import RuntimeLaunch
from support.shop import ECHO, Shop, call, returned

NEEDS_VENV = "import os\nMODE = os.environ['FROM_VENV']\ndef handler(event, context):\n    return MODE\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.semantics("FN-13")
async def test_a_machine_that_cannot_start_anything_is_a_reason_not_a_fault(shop: Shop) -> None:
    spec = shop.spec(ECHO)
    spec.scratch.mkdir(parents=True)
    (spec.scratch / "tmp").write_text("in the way, as a full disk would be")
    async with shop.opened(spec) as invoker:
        refused = await invoker.probe()
        assert isinstance(refused, NotReady)
        assert "this machine cannot start it" in str(refused.cause)
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        assert reply.down
        (spec.scratch / "tmp").unlink()
        assert isinstance(await invoker.probe(), Ready)


@pytest.mark.semantics("FN-13")
@pytest.mark.parametrize(
    ("environment", "handler"),
    [
        ({"TEXT": "x\0y"}, "app.handler"),
        ({"TEXT": "\ud800"}, "app.handler"),
        ({"AWS_LAMBDA_EXEC_WRAPPER": "/wrap\0per"}, "app.handler"),
        ({}, "app.handler\0"),
    ],
    ids=["NUL in a variable", "half a character", "NUL in a wrapper", "NUL in a handler"],
)
async def test_text_that_no_process_can_be_given_is_a_reason_not_a_fault(
    shop: Shop, environment: dict[str, str], handler: str
) -> None:
    launch = RuntimeLaunch("python", handler)
    async with shop.open(ECHO, launch=launch, environment=environment) as invoker:
        refused = await invoker.probe()
        assert isinstance(refused, NotReady)
        assert "cannot be started" in str(refused.cause)
        assert "correct the handler and the variables" in str(refused.cause)
        reply = await call(invoker)
        assert isinstance(reply, Unreachable)
        assert (reply.down, reply.attempt.status) == (True, 200)
        assert shop.reaper._watched == set()
    assert not list((shop.directory / "scratch" / "tmp").iterdir())


async def test_a_system_without_process_descriptors_is_good_enough(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int, flags: int = 0) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    if sys.platform == "linux":
        monkeypatch.setattr(os, "pidfd_open", refused)
    async with shop.open(ECHO) as invoker:
        assert await returned(invoker, {"a": 1}) == {"a": 1}
    assert shop.marked() == []


async def test_a_venv_that_comes_after_a_failed_init_is_found(shop: Shop) -> None:
    spec = shop.spec(NEEDS_VENV)
    async with shop.opened(spec) as invoker:
        assert isinstance(await invoker.probe(), NotReady)
        python = spec.code / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nFROM_VENV=yes exec {sys.executable} "$@"\n')
        python.chmod(0o755)
        assert isinstance(await invoker.probe(), Ready)
        assert await returned(invoker) == "yes"
