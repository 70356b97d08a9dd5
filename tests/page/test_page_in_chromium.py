"""The page in a real browser: with the keyboard alone, with hostile records, with a thousand mappings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import DELIVERED, FILTERED, Attempt, Failure, FunctionFailed, Lane, Record, Settlement
from headrace.dispatch.core.pages import Records
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.sight import Sight
from support import chromium
from support.chromium import Page, Wire
from support.reasons import why
from support.steering_desk import Desk, desk

pytestmark = pytest.mark.needs("chromium")

SHARD = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shardId-0")
RTL = "\u202egnp.exe\u0000\u200b شحن"
HOSTILE = f"<script>window.taken = 1</script><img src=x onerror='window.taken = 1'>{RTL}"
LONG = "x" * 1_000_000


@asynccontextmanager
async def looking(wire: Wire, url: str, **look: Any) -> AsyncIterator[Page]:
    """A tab that complains of nothing and asks nobody else."""
    async with chromium.tab(wire, url, **look) as page:
        yield page
        assert page.complaints == []
        base = "/".join(url.split("/")[:3])
        assert [asked for asked in page.asked if not asked.startswith(f"{base}/")] == []


def batch(*ids: str, data: object = "x") -> Records:
    return Records.of(Record(SHARD, each, {"data": data}, 0.0) for each in ids)


def failed(found: Desk, name: str, text: str) -> None:
    """A batch fails three times."""
    error = FunctionFailed(Attempt("request-1", 0.0, 1.0), Failure.ERROR, text)
    one = batch("1")
    for attempt in range(1, 4):
        found.sight.observe(seen.Invoking(name, "f", "request-1", one, 10))
        found.sight.observe(seen.Invoked(name, "f", one, error, 0.25))
        found.sight.observe(seen.Retrying(name, one, attempt, 8.0))


# --- the keyboard ---------------------------------------------------------------------------------------------------


@pytest.mark.semantics("PAGE-06")
async def test_the_keyboard_alone_finds_a_mapping_and_pulls_its_lever(wire: Wire) -> None:
    async with desk() as found:
        found.shown.names = ("orders", "orders-late", "payments")
        async with looking(wire, f"{found.url}/") as page:
            await page.shows("payments")
            await page.press("Tab")
            assert await page.run("document.activeElement.className") == "skip"
            await page.press("/")
            assert await page.run("document.activeElement.type") == "search"
            await page.write("orders")
            await page.until("document.querySelectorAll('.rows .row').length === 2")
            await page.press("Tab", "Tab")  # over the order, to the first row
            assert await page.run("document.activeElement.textContent") == "orders"
            await page.press("ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown")
            assert await page.run("document.activeElement.textContent") == "orders-late"
            await page.press("Enter")
            await page.shows("orders-late", "h1")
            await page.until(
                "[...document.querySelectorAll('button')].some(b => b.textContent === 'Pause' && !b.disabled)"
            )
            while await page.run("document.activeElement.textContent") != "Pause":
                await page.press("Tab")
            await page.press("Enter")
            await page.shows("Pause this mapping?", "dialog")
            await page.press("Escape")
            await page.until("!document.querySelector('dialog')")
            assert found.levers.pulled == []
            assert await page.run("document.activeElement.textContent") == "Pause"  # where it was
            await page.press("Enter")
            await page.shows("Pause this mapping?", "dialog")
            await page.press("Enter")
            await page.shows("orders-late is paused", "#toasts")
            assert found.levers.pulled == [("pause", "orders-late")]


@pytest.mark.semantics("PAGE-06")
async def test_a_record_that_fails_is_skipped_after_a_question_that_names_it(wire: Wire) -> None:
    async with desk() as found:
        found.shown.flow = found.sight.flow
        failed(found, "a b/c", "ValueError: no")
        async with looking(wire, f"{found.url}/#/mapping/a%20b%2Fc") as page:
            await page.push("Skip …")
            await page.shows("Skip this record?", "dialog")
            assert await page.run("document.activeElement.textContent") == "Cancel"  # what cannot be undone
            assert await page.run("document.querySelector('#record').value") == "1"
            await page.fill("#record", "2")
            await page.push("Skip the record")
            await page.shows("a b/c skips the record", "#toasts")
            assert found.moves.made == [("skip", "a b/c", "shardId-0", "2")]


@pytest.mark.semantics("PAGE-06")
async def test_a_lever_that_is_refused_says_why(wire: Wire) -> None:
    async with desk() as found:
        found.levers.full = True
        async with chromium.tab(wire, f"{found.url}/#/mapping/a%20b%2Fc") as page:
            await page.click(".tools button:last-child")
            await page.click("dialog button.primary")
            await page.shows("the disk is full", "#toasts")


# --- what others write ----------------------------------------------------------------------------------------------


@pytest.mark.semantics("PAGE-03")
async def test_what_records_functions_and_names_hold_is_text(wire: Wire) -> None:
    async with desk() as found:
        found.shown.names, found.shown.functions_names = (HOSTILE, "a\u202eb"), (HOSTILE,)
        found.shown.flow = found.sight.flow
        found.shown.reason = why(f"ValueError: {HOSTILE}")
        failed(found, HOSTILE, f"ValueError: {HOSTILE}\n{LONG}")
        for _ in range(3):
            for line in (HOSTILE, LONG):
                found.lines.observe(seen.FunctionLog(HOSTILE, "request-1", line, "stdout"))
        async with looking(wire, f"{found.url}/") as page:
            await page.shows("<script>window.taken = 1</script>")
            await page.shows("⟨U+202E⟩gnp.exe␀⟨U+200B⟩ شحن")
            await page.click(".rows a")
            await page.shows("<script>", "h1")
            await page.shows("ValueError: <script>", ".notice")
            await page.until(
                "[...document.querySelectorAll('td.bad')].some(cell => cell.textContent.includes('<script>'))"
            )
            await tapped(found, page)
            await page.click(".facts a")
            await page.until("document.querySelectorAll('.lines li').length === 6")
            assert (
                await page.run(
                    "Math.max(...[...document.querySelectorAll('.lines li')].map(each => each.textContent.length))"
                )
                < 5000
            )
            assert await page.run("window.taken ?? 0") == 0
            assert await page.run("document.querySelectorAll('main script, main img, main iframe').length") == 0
            assert await page.run("document.documentElement.scrollWidth <= innerWidth")


async def tapped(found: Desk, page: Page) -> None:
    """Records with a megabyte each pass a tap that shows what they hold."""
    await page.click("#payload")
    await page.push("Start the tap")
    await page.shows("waiting for records")
    for number in range(3):
        passing = batch(f"{HOSTILE}{number}", data=[HOSTILE, LONG])
        found.taps.observe(seen.Settled(HOSTILE, (Settlement(passing, DELIVERED),)))
    await page.shows("3 seen")
    await page.until(
        "[...document.querySelectorAll('.lines pre')].every(each => each.textContent.includes('characters)'))"
    )


@pytest.mark.semantics("PAGE-01")
async def test_markup_and_code_of_others_would_not_run_even_if_they_got_in(wire: Wire) -> None:
    async with desk() as found, chromium.tab(wire, f"{found.url}/") as page:
        await page.shows("a b/c")
        code = "try { document.body.innerHTML = '<b>'; 'taken' } catch (error) { error.name }"
        assert await page.run(code) == "TypeError"
        script = "new Promise(told => { const s = document.createElement('script'); s.src = 'http://127.0.0.1:9/x.js';"
        script += "s.onerror = () => told('refused'); s.onload = () => told('ran'); document.head.append(s); })"
        with pytest.raises(AssertionError, match="TrustedScriptURL"):
            await page.run(script)
        assert await page.run("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"


# --- many -----------------------------------------------------------------------------------------------------------

WATCH = """
window.tasks = [];
new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.tasks.push(entry.duration)))
    .observe({ type: "longtask", buffered: true });
"""


@pytest.mark.semantics("PAGE-05")
async def test_a_thousand_mappings_scroll(wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    async with desk() as found:
        found.shown.names = [f"mapping-{number:04}" for number in range(1000)]
        found.shown.flow = found.sight.flow
        for name in found.shown.names:
            found.sight.observe(seen.Fetched(name, batch("1"), 0.0))
        async with looking(wire, f"{found.url}/") as page:
            await page.run(WATCH)
            await page.shows("mapping-0000")
            for part in range(1, 21):
                await page.run(f"scrollTo(0, document.documentElement.scrollHeight * {part / 20})")
                await page.run("new Promise(requestAnimationFrame)")
                assert 0 < await page.run("document.querySelectorAll('.rows .row').length") < 60
            await page.shows("mapping-0999")
            await page.press("/")
            await page.write("0500")
            await page.until("document.querySelectorAll('.rows .row').length === 1")
            tasks = await page.run("window.tasks")
    with capsys.disabled():
        print(f"\na thousand mappings: {len(tasks)} long tasks, the longest {max(tasks, default=0):.0f} ms")


# --- what there is to do --------------------------------------------------------------------------------------------


@pytest.mark.semantics("STEER-31")
async def test_the_playground_explains(wire: Wire) -> None:
    async with desk() as found:
        found.shown.names = ("orders",)
        async with looking(wire, f"{found.url}/#/filters?mapping=orders") as page:
            await page.shows("Kept", ".verdict")
            await page.fill("textarea[aria-label=Pattern]", '{"body": {"type": ["paid"]}}')
            await page.shows("Refused", ".verdict")
            await page.shows("body.type", ".why")
            await page.fill("textarea[aria-label=Pattern]", '{"body": [{"prefix": 3}]}')
            await page.shows("No valid pattern", ".verdict")
            await page.push("Take the next record")
            await page.shows("Waiting for a record")
            passing = Records.of(
                [Record(SHARD, "7", {"messageId": "7", "body": "taken", "eventSource": "aws:sqs"}, 0.0)]
            )
            while "taken" not in await page.run("document.querySelectorAll('textarea')[1].value"):
                found.taps.observe(seen.Settled("orders", (Settlement(passing, DELIVERED),)))
                await asyncio.sleep(0.05)


@pytest.mark.semantics("SEE-04")
async def test_the_journal_is_searched_and_an_id_explained(wire: Wire) -> None:
    async with desk() as found:
        found.shown.flow = found.sight.flow
        failed(found, "a b/c", "ValueError: no session")
        found.sight.observe(seen.Settled("a b/c", (Settlement(batch("9"), DELIVERED),)))
        async with looking(wire, f"{found.url}/#/mapping/a%20b%2Fc") as page:
            await page.shows("ValueError: no session")
            await page.fill("input[aria-label='Search the journal']", "nothing of this")
            await page.shows("Nothing in the journal is like this.")
            await page.run(
                "(i => { i.value = 'session'; i.dispatchEvent(new Event('input')) })(document.activeElement)"
            )
            await page.until("document.querySelectorAll('button.link').length >= 3")
            await page.click("button.link")
            await page.until("document.querySelectorAll('dialog .life li').length >= 4")
            await page.shows("attempt 4", "dialog")


@pytest.mark.semantics("SEE-30")
async def test_with_payloads_the_page_says_which_filter_refused_a_record(wire: Wire) -> None:
    queue = Lane("arn:aws:sqs:us-east-1:000000000000:orders")
    item = {"messageId": "7", "body": '{"type": "<b>bill"}', "eventSource": "aws:sqs"}
    refused = Records.of([Record(queue, "7", item, 0.0)])
    async with desk(sight=Sight(lambda: Instant(100.0, 1000.0), payloads=True)) as found:
        found.shown.names, found.shown.flow = ("orders",), found.sight.flow
        found.sight.observe(seen.Filtered("orders", refused))
        found.sight.observe(seen.Settled("orders", (Settlement(refused, FILTERED),)))
        async with looking(wire, f"{found.url}/#/mapping/orders") as page:
            await page.click("button.link")
            await page.shows("filter 0 refuses it", "dialog")
            await page.shows("<b>bill", "dialog .life")


@pytest.mark.parametrize("place", ["/", "/#/functions"])
async def test_an_empty_page_says_what_to_do(wire: Wire, place: str) -> None:
    async with desk() as found:
        found.shown.names, found.shown.functions_names = (), ()
        async with looking(wire, found.url + place) as page:
            await page.shows("headrace.yaml", ".empty")
