"""What every test can rely on: servers, markers, and an honest account of what was left out."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from support.daemons import Queues
from support.servers import dynamodb_local as dynamodb_local_server
from support.servers import elasticmq as elasticmq_server
from support.servers import kinesalite as kinesalite_server
from support.servers import ministack as ministack_server
from support.servers import moto as moto_server
from support.servers.running import Server
from support.workers import Sharing, workers

STRICT = os.environ.get("HEADRACE_STRICT") == "1"
QUIRKS = Path(__file__).resolve().parent.parent / "docs" / "emulators.md"
LAYERS = ("unit", "property", "scenario", "contract", "integration", "acceptance", "proof")
"""Fast ones first."""

for name in [each for each in os.environ if each.startswith("AWS_")]:
    del os.environ[name]  # a profile, a region, an endpoint, real credentials of whoever runs the tests
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")
os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true")
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` ignores it, and what a test starts would too
settings.register_profile("headrace", deadline=None, print_blob=True)
settings.load_profile("headrace")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def ministack() -> Iterator[Server]:
    with ministack_server.start() as server:
        yield server


@pytest.fixture
def queues(ministack: Server) -> Iterator[Queues]:
    found = Queues(ministack.endpoint_url)
    yield found
    found.close()


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    with moto_server.start() as server:
        yield server


@pytest.fixture(scope="session")
def elasticmq() -> Iterator[Server]:
    with elasticmq_server.start() as server:
        yield server


@pytest.fixture(scope="session")
def kinesalite() -> Iterator[Server]:
    with kinesalite_server.start() as server:
        yield server


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[Server]:
    with dynamodb_local_server.start() as server:
        yield server


ELASTICMQ = pytest.param("elasticmq", marks=pytest.mark.needs("java", "maven"))


@pytest.fixture(params=["ministack", ELASTICMQ, "moto"])
def sqs_server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param)
    return server


# --- workers --------------------------------------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    return workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Sharing | None:
    return Sharing(config, log) if config.getoption("dist") == "load" else None


# --- markers, order, and what is left out ---------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "semantics(*ids): rules of docs/semantics that this test proves")
    config.addinivalue_line("markers", "needs(*programs): left out where one of them is not installed")
    config.addinivalue_line("markers", "quirk(*rows): skipped on the servers of these rows of docs/emulators.md")
    config.pluginmanager.register(Account(), "headrace-account")


PROGRAMS = {"maven": "mvn"}
"""Names under which people know a program, and what it is called."""


def missing(item: pytest.Item) -> str | None:
    """The first program that the test needs and that is not here."""
    for marker in item.iter_markers("needs"):
        for program in marker.args:
            if shutil.which(PROGRAMS.get(program, program)) is None:
                return str(program)
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    callspec = getattr(item, "callspec", None)
    servers = {str(value) for value in callspec.params.values()} if callspec else set()
    for row in quirks_of(item):
        if not listed(row):
            pytest.fail(f"no row of docs/emulators.md: {row}", pytrace=False)
        if row.partition("-")[0] in servers:
            pytest.skip(f"quirk: {row}")


def quirks_of(item: pytest.Item) -> list[str]:
    """Rows such as moto-sqs-02: the first word is the server, as tests name it among their parameters."""
    return [str(row) for marker in item.iter_markers("quirk") for row in marker.args]


def listed(row: str) -> bool:
    return QUIRKS.exists() and f"\n| {row} |" in QUIRKS.read_text()


PROVES, LEFT_OUT = "semantics", "headrace_left_out"
"""What a test's reports, and a worker's last word, call what the account wants of them."""


class Account:
    """Counts what ran and what did not, and in strict mode lets nothing be left out in silence.

    Where workers share the tests, their reports come to the process that started them, and its account is the one that
    counts. Each worker sees all tests, so that what one of them left out they all did.
    """

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()
        self.skipped: list[str] = []
        self.passed = 0
        self.ids: dict[str, set[str]] = defaultdict(set)
        self.complaints: list[str] = []

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        without = [item for item in items if missing(item)]
        self.left_out.update(missing(item) or "" for item in without)
        if without:
            config.hook.pytest_deselected(items=without)
        items[:] = sorted((item for item in items if not missing(item)), key=layer)
        for item in items:
            rules = [rule for marker in item.iter_markers("semantics") for rule in marker.args]
            item.user_properties += [(PROVES, rule) for rule in rules]  # which travel with the test's reports

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self._skip(report)
        elif report.when == "call" and report.passed:
            self.passed += 1
            for name, rule in report.user_properties:
                if name == PROVES:
                    self.ids[str(rule)].add(report.nodeid)

    def _skip(self, report: pytest.TestReport) -> None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        quirk = reason.partition("quirk: ")[2].split()[:1]
        if not quirk or not listed(quirk[0]):
            self.skipped.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended, or was ended before it could say what it left out."""
        self.left_out |= Counter(getattr(node, "workeroutput", {}).get(LEFT_OUT, {}))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
        if output is None:
            self._close(session)
        else:
            output[LEFT_OUT] = dict(self.left_out)

    def _close(self, session: pytest.Session) -> None:
        if session.config.pluginmanager.hasplugin("cacheprovider") and session.config.cache is not None:
            cache = Path(session.config.cache.mkdir("headrace"))
            found = {rule: sorted(tests) for rule, tests in sorted(self.ids.items())}
            (cache.parent.parent / "semantics.json").write_text(json.dumps(found, indent=1))
        if STRICT:
            self._judge(session)

    def _judge(self, session: pytest.Session) -> None:
        least = int(os.environ.get("HEADRACE_MIN_TESTS", "0"))
        if self.left_out:
            self.complaints.append(f"{self.left_out.total()} tests were left out")
        if self.skipped:
            self.complaints.append(f"{len(self.skipped)} tests were skipped for no listed quirk of an emulator")
        if self.passed < least:
            self.complaints.append(f"{self.passed} tests passed, fewer than the {least} of tests/minimum.txt")
        if self.complaints and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.left_out:
            counts = ", ".join(f"{program}: {number}" for program, number in sorted(self.left_out.items()))
            terminalreporter.write_line(f"left out: {self.left_out.total()} tests ({counts})")
        for complaint in [*self.skipped, *self.complaints]:
            terminalreporter.write_line(f"strict: {complaint}", red=True)


def layer(item: pytest.Item) -> int:
    names = item.path.parts
    return next((place for place, name in enumerate(LAYERS) if name in names), len(LAYERS))
