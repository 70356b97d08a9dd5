"""The pytest plugin (entry point `pytest11`): the fixture `headrace`, which starts daemons for a test and ends them.

pytest imports this module at each of its starts, whoever uses it: nothing is imported here but pytest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .embedded import EmbeddedDaemon


class HeadraceFixture:
    """Starts daemons: `headrace("headrace.yaml")`. They end with the test."""

    def __init__(self, here: Path, scratch: Path, ends: ExitStack) -> None:
        self._here = here
        self._scratch = scratch
        self._ends = ends
        self.daemons: list[EmbeddedDaemon] = []

    def __call__(
        self,
        path: str | Path = "headrace.yaml",
        *,
        endpoint_url: str | None = None,
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> EmbeddedDaemon:
        """A daemon that is ready.

        `path`: a configuration, or a template of SAM, CloudFormation, CDK, Serverless or Terraform, with `parameters`;
        relative to the test's file. `endpoint_url`: an emulator's; without one, queues, streams and failure
        destinations are in memory. `settings`: of the daemon, by their path: `{"log.level": "debug"}`. Raises
        ConfigError.
        """
        from .embedded import EmbeddedDaemon
        from .loading import load_for_test

        scratch = self._scratch / f"headrace-{len(self.daemons)}"
        scratch.mkdir()
        config = load_for_test(self._here / path, scratch, endpoint_url, parameters or {}, settings or {})
        daemon = EmbeddedDaemon(config, fakes=endpoint_url is None)
        self.daemons.append(daemon)
        self._ends.callback(daemon.stop)
        daemon.start()
        return daemon


@pytest.fixture
def headrace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HeadraceFixture]:
    """Starts daemons that take records from queues and streams to functions, as AWS Lambda does."""
    with ExitStack() as ends:
        fixture = HeadraceFixture(request.path.parent, tmp_path, ends)
        yield fixture
    for daemon in fixture.daemons:
        request.node.add_report_section("teardown", "headrace", daemon.log)
