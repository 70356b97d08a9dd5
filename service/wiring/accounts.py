"""Finds the account of functions and mappings: the configured one, else that of the credentials or of the endpoint's
STS. The state directory stores STS's answer, so that the account stays the same when STS does not answer at a later
start.
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
"""Maximum seconds for STS's answer at each start."""


async def settled(config: Config, clients: Clients, state: Path, log: Log) -> Config:
    """The configuration with the account filled in, as far as it is known."""
    if config.settings.aws.account:
        return config
    account = await _account(clients, state / FILE, log)
    if not account:
        return config
    aws = config.settings.aws.model_copy(update={"account": account})
    return replace(config, settings=config.settings.model_copy(update={"aws": aws}))


async def _account(clients: Clients, remembered: Path, log: Log) -> str:
    """The account; empty when it is unknown."""
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
    """When the disk does not accept the file, the next start asks again."""
    if _recall(file) == account:
        return
    try:
        file.write_text(f"{account}\n")
    except OSError:
        return
