"""From the file that a test names to the configuration of its daemon, whose port and state are the test's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio

from ...config.fields.arn import LOCAL_ACCOUNT, LOCAL_REGION
from ...config.loader import Config, load
from ...dispatch.kinds.pattern_check import check_patterns, pattern_notes
from ..templates.loading import LoadingTools, TemplateRequest
from ..templates.loading import load as load_template
from ..templates.project import is_project
from ..wiring.plugins import installed
from ..wiring.template_start import create_sources, settled

NOWHERE = "http://127.0.0.1:9"
"""The endpoint of a daemon whose sources are in memory: nobody listens there."""


def load_for_test(
    path: Path, scratch: Path, endpoint_url: str | None, parameters: Mapping[str, str], settings: Mapping[str, object]
) -> Config:
    """`settings` by their path (`log.level`). With an endpoint, the sources that a template declares are created there.
    Raises ConfigError."""
    flags: dict[str, object] = {
        "listen": "127.0.0.1:0",
        "state": str(scratch / "state"),
        "stop_timeout": 5.0,
        "function_logs": "off",
        "aws.endpoint_url": endpoint_url,
        **settings,
    }
    if endpoint_url is None:
        flags |= {"aws.endpoint_url": NOWHERE, "aws.account": LOCAL_ACCOUNT, "aws.region": LOCAL_REGION}
    config = _template(path, scratch, parameters, flags, endpoint_url) if is_project(path) else _file(path, flags)
    return replace(config, settings=config.settings.model_copy(update={"until_idle": None}))


def _file(path: Path, flags: Mapping[str, object]) -> Config:
    return load(
        [path],
        environ=os.environ,
        flags=flags,
        check_patterns=check_patterns,
        pattern_notes=pattern_notes,
        plugins=installed(),
    )


def _template(
    path: Path, scratch: Path, parameters: Mapping[str, str], flags: Mapping[str, object], endpoint_url: str | None
) -> Config:
    tools = LoadingTools(os.environ, flags, check_patterns, pattern_notes, plugins=installed())
    request = TemplateRequest(parameters=parameters, create_sources=endpoint_url is not None)
    loaded = load_template([path], [], request, tools, lambda config: scratch)
    loaded = anyio.run(settled, loaded)
    if endpoint_url is not None:
        anyio.run(create_sources, loaded, lambda line: None)
    return loaded.config
