"""The page beside a daemon at work: four kinds of source, a poison record, a restart."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import chromium, daemons, page_lab
from support.chromium import Page, Wire
from support.daemons import headrace
from support.page_lab import PageLab
from support.servers import kafka
from support.servers.running import Server

NAMES = ("orders", "clicks", "search-index", "notices")
DELIVERED = 5
"""The column of `headrace status`."""
PROMISED = 5.0
"""Seconds after which a poison record shows everywhere (SEE-02)."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


async def row(page: Page, name: str) -> dict[str, str]:
    """What the list shows of a mapping, by column."""
    read = "[...row.children].slice(1).map((cell) => [cell.dataset.title, cell.innerText])"
    script = f"((row) => row && Object.fromEntries({read}))(document.querySelector('[data-name=\"{name}\"]'))"
    found: dict[str, str] = await page.run(script)
    return found


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text) or 0)


@pytest.mark.needs("chromium", "java", "maven")
@pytest.mark.semantics("PAGE-04", "PAGE-07", "SEE-02", "STEER-03")
async def test_four_kinds_under_load_a_poison_record_and_a_restart(
    wire: Wire, ministack: Server, broker: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = page_lab.prepare(tmp_path, ministack, broker, listen=f"127.0.0.1:{free_port()}")
    with daemons.running(str(lab.config), cwd=tmp_path) as daemon, lab.feeding():
        daemon.ready()
        async with chromium.tab(wire, daemon.url) as page:
            await shows_what_flows(page, daemon)
            passed = await shows_the_poison(page, daemon, lab)
            with capsys.disabled():
                print(
                    "\na poison record shows as failing after", ", ".join(f"{n} {s:.1f} s" for n, s in passed.items())
                )
            assert max(passed.values()) <= PROMISED
            await shows_functions(page)
            await hangs(page, daemon)
            daemon.stop()
            await page.shows("The daemon does not answer", "#banner")
            await page.shows("clicks", "h1")  # what it knew last
            with daemons.running(str(lab.config), cwd=tmp_path) as again:
                again.ready()
                await page.until("document.querySelector('#banner').hidden")
                await pause(page, again)
                await skip(page, again)
    lab.close()


async def shows_what_flows(page: Page, daemon: daemons.Daemon) -> None:
    """Numbers grow, no view is ahead of one that is asked later, and the last hour begins."""
    for name in NAMES:
        before = counts(daemon)[name]["delivered"]
        delivered = f"document.querySelector('[data-name=\"{name}\"] [data-title=delivered]').innerText"
        await page.until(f"Number({delivered}.replaceAll(',', '')) > {before}")
        shown = await row(page, name)
        after = counts(daemon)[name]
        assert number(shown["delivered"]) <= after["delivered"]
        assert number(shown["filtered"]) <= after["filtered"]
        metrics = daemon.get("/metrics")[1]
        labels = re.search(
            rf'^headrace_records_delivered_total{{[^}}]*mapping="{name}"[^}}]*}} (\S+)$', metrics, re.MULTILINE
        )
        assert labels
        assert float(labels[1]) >= after["delivered"]
        table = headrace("status", "--url", daemon.url, cwd=Path.cwd()).stdout
        line = next(line.split() for line in table.splitlines() if line.startswith(f"{name} "))
        assert float(labels[1]) <= int(line[DELIVERED]) <= counts(daemon)[name]["delivered"]
    await page.until("document.querySelector('[data-name=orders] .spark .line').getAttribute('d').length > 8")
    assert (await row(page, "orders"))["records a second"] != "0\n/s"
    await page.shows("refunds", ".row[data-state=waiting]")
    await page.look(width=390, height=844, dark=True)
    await page.until("document.documentElement.scrollWidth <= innerWidth")
    await page.look()


async def shows_the_poison(page: Page, daemon: daemons.Daemon, lab: PageLab) -> dict[str, float]:
    """Seconds until each view says it."""
    began = time.monotonic()
    lab.streams.put(lab.names["clicks"], {"poison": True})
    passed = dict.fromkeys(("page", *ELSEWHERE), 0.0)
    while not all(passed.values()):
        for name in [name for name, seconds in passed.items() if not seconds]:
            said = await page.run(ROW) if name == "page" else await asyncio.to_thread(ELSEWHERE[name], daemon)
            passed[name] = time.monotonic() - began if said else 0.0
        assert time.monotonic() < began + daemons.PATIENCE, passed
    await page.run("document.querySelector('[data-name=clicks] a').click()")
    await page.shows("failing", ".badge")
    await page.shows("this click has no session", ".notice")
    await page.until("document.querySelectorAll('td.bad').length > 2")
    (retry,) = mapping(daemon, "clicks")["flow"]["retrying"]
    await page.shows(retry["first"], "main")
    await page.shows(retry["error"]["request_id"], "main")  # among the last errors at least, when it was tried since
    attempt = await page.run("document.querySelectorAll('section.card table')[2].rows[1].cells[1].innerText")
    assert 2 <= int(attempt) <= mapping(daemon, "clicks")["flow"]["retrying"][0]["attempt"]
    await page.until("document.querySelectorAll('.plot .line.lag')[0].getAttribute('d').length > 20")
    await page.push("Retry now")
    await page.click("dialog button.primary")
    await page.shows("clicks tries again", "#toasts")
    return passed


ROW = "document.querySelector('.row[data-state=failing]')?.innerText.includes('this click has no session')"


def says_status(daemon: daemons.Daemon) -> bool:
    (shown,) = [each for each in daemon.status()["mappings"] if each["name"] == "clicks"]
    return is_failing(shown)


def is_failing(shown: dict[str, Any]) -> bool:
    """With its error, its attempt and its lag."""
    flow = shown["flow"]
    told = shown["state"] == "failing" and "this click has no session" in shown["reason"]
    return told and flow["retrying"][0]["attempt"] > 1 and flow["lag_seconds"] > 0


def says_metrics(daemon: daemons.Daemon) -> bool:
    found = daemon.get("/metrics")[1]
    value = {
        name: float(re.findall(rf'^headrace_{name}{{[^}}]*mapping="clicks"[^}}]*}} (\S+)$', found, re.MULTILINE)[0])
        for name in ("retry_attempt", "lag_seconds")
    }
    failing = re.search(
        r'^headrace_mapping_state{[^}]*mapping="clicks"[^}]*state="failing"[^}]*} 1.0$', found, re.MULTILINE
    )
    return bool(failing) and value["retry_attempt"] > 1 and value["lag_seconds"] > 0


def says_verb(daemon: daemons.Daemon) -> bool:
    table = headrace("status", "--url", daemon.url, cwd=Path.cwd()).stdout
    line = next(line for line in table.splitlines() if line.startswith("clicks "))
    return " failing " in line and "this click has no session" in line


ELSEWHERE: dict[str, Callable[[daemons.Daemon], bool]] = {
    "/status": says_status,
    "/v1": lambda daemon: is_failing(mapping(daemon, "clicks")),
    "/metrics": says_metrics,
    "/readyz?strict": lambda daemon: "this click has no session" in daemon.get("/readyz?strict")[1],
    "headrace status": says_verb,
}


async def shows_functions(page: Page) -> None:
    here = await page.run("location.hash")
    await page.run("location.hash = '#/functions'")
    for name in ("orders", "clicks", "index", "notify"):
        await page.shows(name, "table")
    await page.run("[...document.querySelectorAll('table a')].find((each) => each.innerText === 'clicks').click()")
    await page.shows("this click has no session", ".lines")
    await page.shows("Environments", ".facts")
    await page.run(f"location.hash = {json.dumps(here)}")
    await page.shows("failing", ".badge")


async def hangs(page: Page, daemon: daemons.Daemon) -> None:
    """It is there and says nothing; then it goes on, and so does the page."""
    daemon.signal(signal.SIGSTOP)
    try:
        await page.shows("The daemon does not answer", "#banner")
        await page.shows("clicks", "h1")
    finally:
        daemon.signal(signal.SIGCONT)
    await page.until("document.querySelector('#banner').hidden")
    await page.run("location.hash = '#/'")
    before = counts(daemon)["orders"]["delivered"]
    delivered = "document.querySelector('[data-name=orders] [data-title=delivered]').innerText"
    await page.until(f"Number({delivered}.replaceAll(',', '')) > {before}")
    await page.run("document.querySelector('[data-name=clicks] a').click()")
    await page.shows("failing", ".badge")


async def pause(page: Page, daemon: daemons.Daemon) -> None:
    """The token of before is void; the page fetches the new one."""
    await page.push("Pause")
    await page.click("dialog button.primary")
    await page.shows("clicks is paused", "#toasts")
    await page.shows("paused", ".badge")
    assert mapping(daemon, "clicks")["state"] == "paused"
    await page.push("Resume")
    await page.click("dialog button.primary")
    await page.shows("clicks goes on", "#toasts")


async def skip(page: Page, daemon: daemons.Daemon) -> None:
    """What holds up the shard goes, and the mapping polls again."""
    await page.shows("failing", ".badge")
    await page.push("Skip …")
    await page.push("Skip the record")
    await page.shows("clicks skips the record", "#toasts")
    await page.shows("polling", ".badge")
    assert mapping(daemon, "clicks")["counts"]["discarded"] == 1


def mapping(daemon: daemons.Daemon, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(daemon.get(f"/v1/mappings/{name}")[1])
    return found


def counts(daemon: daemons.Daemon) -> dict[str, dict[str, int]]:
    return {each["name"]: each["counts"] for each in json.loads(daemon.get("/v1/mappings")[1])["mappings"]}
