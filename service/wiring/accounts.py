"""Whose functions and mappings these are: the account that is set, else that of the credentials or of the endpoint's
STS. What STS said is remembered in the state directory, so that a start while it is away makes no other account of it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import anyio

from ...config.clients.aws import Clients
from ...config.errors import ConfigError, SourceError, SourceUnavailable
from ...config.loader import Config
from ..telemetry.log import Action, Log

FILE = "account"
PATIENCE = 2.0
"""Seconds that STS has to answer: it is asked at each start."""


async def settled(config: Config, clients: Clients, state: Path, log: Log) -> Config:
    """The configuration with the account that it leaves open, as far as anybody knows it."""
    if config.settings.aws.account:
        return config
    account = await _account(clients, state / FILE, log)
    if not account:
        return config
    aws = config.settings.aws.model_copy(update={"account": account})
    return replace(config, settings=config.settings.model_copy(update={"aws": aws}))


async def _account(clients: Clients, remembered: Path, log: Log) -> str:
    """Empty: nobody knows it."""
    with anyio.move_on_after(PATIENCE):
        try:
            account = await clients.account()
            _remember(remembered, account)
            return account
        except SourceUnavailable:
            pass
        except (ConfigError, SourceError):  # there is no STS
            return ""
    account = _recall(remembered)
    if not account:
        text = "the endpoint's STS does not answer, so the account is not known: until the next start functions have "
        log.warning(Action.START, f"{text}000000000000; to use another one, set aws.account")
    return account


def _recall(file: Path) -> str:
    try:
        text = file.read_text().strip()
    except (OSError, ValueError):
        return ""
    return text if re.fullmatch(r"\d{12}", text, re.ASCII) else ""


def _remember(file: Path, account: str) -> None:
    """On a disk that does not take it, it is asked for again."""
    if _recall(file) == account:
        return
    try:
        file.write_text(f"{account}\n")
    except OSError:
        return
