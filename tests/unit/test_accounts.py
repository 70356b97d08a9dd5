"""Whose functions these are: what is set, what STS says, and what it said before."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.loader import Config, load
from headrace.service.telemetry.log import Log
from headrace.service.wiring import accounts
from support import sts_stub

ACCOUNT = "210987654321"
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(accounts, "PATIENCE", 60.0)  # nobody here is silent, and the machine may be busy


def config(tmp_path: Path, **aws: Any) -> Config:
    file = tmp_path / "headrace.yaml"
    file.write_text(f"aws: {aws}\n" if aws else "functions: {}\n")
    return load([file], environ={})


async def found(tmp_path: Path, url: str, **aws: Any) -> tuple[str | None, str]:
    """The account, and what was logged."""
    lines = StringIO()
    async with Clients(AwsSettings(endpoint_url=url)) as clients:
        made = await accounts.settled(config(tmp_path, **aws), clients, tmp_path, Log(lines))
    return made.settings.aws.account, lines.getvalue()


@pytest.mark.semantics("CONFIG-40")
async def test_what_sts_says_is_remembered_while_it_is_away(tmp_path: Path) -> None:
    async with sts_stub.serve(ACCOUNT) as url:
        assert await found(tmp_path, url) == (ACCOUNT, "")
    assert await found(tmp_path, NOBODY) == (ACCOUNT, "")
    async with sts_stub.serve("111122223333") as url:
        assert await found(tmp_path, url) == ("111122223333", "")
    assert await found(tmp_path, NOBODY) == ("111122223333", "")


@pytest.mark.semantics("CONFIG-40")
async def test_what_is_set_is_asked_of_nobody(tmp_path: Path) -> None:
    assert await found(tmp_path, NOBODY, account="444455556666") == ("444455556666", "")


@pytest.mark.semantics("CONFIG-40")
async def test_where_sts_does_not_answer_and_never_did_a_line_says_so(tmp_path: Path) -> None:
    account, lines = await found(tmp_path, NOBODY)
    assert account is None
    assert "set aws.account" in lines


async def test_an_emulator_without_an_sts_is_nothing_to_speak_of(tmp_path: Path) -> None:
    async with sts_stub.serve(ACCOUNT, status=400) as url:
        assert await found(tmp_path, url) == (None, "")


async def test_what_is_no_account_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / accounts.FILE).write_text("nobody")
    assert (await found(tmp_path, NOBODY))[0] is None
