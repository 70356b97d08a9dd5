"""Who gets the page and its `/v1`, with real browsers: a page of somebody else's, and a person with a key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support import chromium
from support.chromium import Wire
from support.steering_desk import desk

pytestmark = pytest.mark.needs("chromium")

# --- a page of somebody else's --------------------------------------------------------------------------------------

FOREIGN = """<!doctype html><meta charset="utf-8"><body><script>
const daemon = DAEMON;
const tried = [];
const note = (name, promise) => tried.push(promise.then((value) => [name, value], () => [name, "refused"]));
const text = async (answer) => answer.type === "opaque" ? "unread" : await answer.text();
const read = (path, more) => fetch(daemon + path, more).then(text);
note("token", read("/v1/token"));
note("token unseen", read("/v1/token", { mode: "no-cors" }));
note("mappings", read("/v1/mappings"));
note("lever", read("/v1/mappings/uuid/pause", { method: "POST", headers: { "X-Headrace-Token": "x" } }));
note("lever unseen", read("/v1/mappings/uuid/pause", { method: "POST", mode: "no-cors" }));
note("filter unseen", read("/v1/filter", { method: "POST", mode: "no-cors", body: "{}" }));
const embed = (tag, path) => new Promise((told) => {
  const node = document.createElement(tag);
  node.onload = () => told("loaded");
  node.onerror = () => told("refused");
  node.src = daemon + path;
  document.body.append(node);
});
note("script", embed("script", "/v1/token"));
note("image", embed("img", "/page/icon.svg"));
const frame = document.createElement("iframe");
const inside = () => { try { return frame.contentDocument.body.innerText } catch { return "unread" } };
note("frame", new Promise((told) => { frame.onload = () => told(inside()) }));
frame.src = daemon + "/";
document.body.append(frame);
const form = document.createElement("form");
form.method = "post"; form.action = daemon + "/v1/mappings/uuid/pause"; form.target = "sink";
const sink = document.createElement("iframe");
sink.name = "sink";
document.body.append(sink, form);
note("form", new Promise((told) => { sink.onload = () => told("sent"); form.submit(); }));
Promise.all(tried).then((all) => { window.found = Object.fromEntries(all); });
</script>"""


@contextmanager
def foreign_site(daemon: str) -> Iterator[int]:
    """A site of somebody else's, whose page tries all that a page can; its port."""
    body = FOREIGN.replace("DAEMON", json.dumps(daemon)).encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """It is not said who asked."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@pytest.mark.semantics("STEER-02", "STEER-34")
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost"])
async def test_a_page_of_another_origin_reads_nothing_and_pulls_nothing(wire: Wire, host: str) -> None:
    """`evil.example` leads here, as a name that was rebound; the others are pages of another program here."""
    async with desk() as found:
        with foreign_site(found.url) as port:
            async with chromium.tab(wire, f"http://{host}:{port}/") as page:
                await page.until("window.found")
                tried = await page.run("window.found")
                assert tried.keys() >= {"token", "lever", "frame", "form", "script"}
                assert {tried[name] for name in ("token", "mappings", "lever", "script")} == {"refused"}, tried
                assert {tried[name] for name in ("token unseen", "lever unseen", "filter unseen")} <= {
                    "refused",
                    "unread",
                }
                assert tried["frame"] in ("unread", "refused")
                assert tried["image"] == "refused"
        assert found.levers.pulled == []


@pytest.mark.semantics("PAGE-02")
async def test_a_foreign_name_that_leads_to_this_machine_gets_no_page(wire: Wire) -> None:
    async with desk() as found:
        port = found.url.rpartition(":")[2]
        async with chromium.tab(wire, f"http://evil.example:{port}/") as page:
            await page.shows("is not this machine's")
            assert await page.run("document.scripts.length") == 0


# --- keys -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("PAGE-02")
async def test_beyond_this_machine_the_page_asks_for_a_key_and_signs_all_it_asks(wire: Wire) -> None:
    async with desk("0.0.0.0", {"KEYID": "secret"}) as found:
        async with chromium.tab(wire, f"{found.url}/#/mapping/a%20b%2Fc") as page:
            await page.shows("This daemon wants keys")
            await page.write("KEYID")
            await page.press("Tab")
            await page.write("wrong")
            await page.press("Enter")
            await page.shows("signature", "#toasts")
            await page.shows("This daemon wants keys")
            await page.write("KEYID")
            await page.press("Tab")
            await page.write("secret")
            await page.press("Enter")
            await page.shows("a b/c", "h1")
            await page.click(".tools button:last-child")
            await page.click("dialog button.primary")
            await page.shows("a b/c is paused", "#toasts")
            assert found.levers.pulled == [("pause", "a b/c")]
            await page.run("location.hash = '#/filters?mapping=a%20b%2Fc'")
            await page.shows("Pattern")
            await page.run("location.hash = '#/'")
            await page.shows("kinesis arn")
            await page.run("[...document.querySelectorAll('input[type=search]')].length")
        assert "secret" not in json.dumps(page.asked)
