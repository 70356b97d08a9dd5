"""Debian's Chromium, driven over its own protocol (Chrome DevTools), without a library and without a display.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = "chromium"
PATIENCE = 30.0
"""Seconds after which something that does not happen has not happened."""
FOREIGN = "evil.example"
"""A name that leads to this machine, as somebody could rebind one of theirs."""
SAID = "DevTools listening on "
KEYS = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Escape": (27, ""),
    "ArrowDown": (40, ""),
    "ArrowUp": (38, ""),
    "ArrowLeft": (37, ""),
    "/": (191, "/"),
    " ": (32, " "),
}
"""Virtual codes of keys, and the text that they write."""


@contextmanager
def running() -> Iterator[str]:
    """A browser without a window; the address of its protocol."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        flags = ["--headless=new", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--mute-audio"]
        flags += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "--hide-scrollbars", "--lang=en-GB"]
        flags += ["--disable-background-networking", "--disable-component-update", "--no-default-browser-check"]
        flags += [f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1"]
        flags += ["--no-sandbox"] if os.geteuid() == 0 else []
        process = subprocess.Popen(
            [PROGRAM, *flags, "about:blank"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, env={**os.environ, "HOME": profile}, start_new_session=True,
        )  # fmt: skip
        try:
            yield _address(process)
        finally:
            process.terminate()
            assert process.stderr is not None
            process.stderr.read()
            process.wait(PATIENCE)
            process.stderr.close()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if line.startswith(SAID):
            return line.removeprefix(SAID).strip()
        said.append(line)
    raise AssertionError(f"{PROGRAM} did not start:\n{''.join(said[-20:])}")


class Wire:
    """One connection to the browser: calls and their answers, and the events of each page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.pages: dict[str, Page] = {}

    async def call(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        asked = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_str(json.dumps({**asked, "sessionId": session} if session else asked))
        told = await asyncio.wait_for(answer, PATIENCE * 2)
        assert "error" not in told, f"{method}: {told['error']}"
        found: dict[str, Any] = told["result"]
        return found

    async def read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                answer = self._answers.pop(told["id"])
                if not answer.done():
                    answer.set_result(told)
            elif (page := self.pages.get(told.get("sessionId", ""))) is not None:
                page.heard(told["method"], told["params"])


class Page:
    """One tab."""

    def __init__(self, wire: Wire, session: str) -> None:
        self._wire = wire
        self._session = session
        self.complaints: list[str] = []
        """Exceptions, errors and violations of the policy that the browser told."""
        self.asked: list[str] = []
        """Addresses that the page asked for."""

    def heard(self, method: str, told: dict[str, Any]) -> None:
        match method:
            case "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.complaints.append(str(details.get("exception", {}).get("description", details["text"])))
            case "Log.entryAdded" if told["entry"]["level"] == "error":
                entry = told["entry"]
                self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return await self._wire.call(method, self._session, **parameters)

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def run(self, expression: str) -> Any:
        """The value of an expression in the page, a promise's when it is there."""
        told = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, f"{expression}: {told['exceptionDetails']}"
        return told["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression of the page is true."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while True:
            try:
                if await self.run(f"Boolean({condition})"):
                    return
            except AssertionError:
                if asyncio.get_running_loop().time() > end:
                    raise
            if asyncio.get_running_loop().time() > end:
                text = await self.run("document.body.innerText")
                raise AssertionError(f"never: {condition}\n{self.complaints}\n{text[:3000]}")
            await asyncio.sleep(0.05)

    async def text(self, selector: str = "body") -> str:
        """What a person reads there."""
        found: str = await self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return found

    async def shows(self, text: str, selector: str = "body") -> None:
        what = f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(text)})"
        await self.until(what)

    async def press(self, *names: str, shift: bool = False) -> None:
        """Keys, one after the other."""
        for name in names:
            code, text = KEYS.get(name, (ord(name.upper()[:1]), name))
            key = {"key": name, "code": name, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
            await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **key)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def write(self, text: str) -> None:
        """Into what has the focus."""
        await self.call("Input.insertText", text=text)

    async def click(self, selector: str) -> None:
        await self.until(f"document.querySelector({json.dumps(selector)}) && "
                         f"!document.querySelector({json.dumps(selector)}).disabled")  # fmt: skip
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")

    async def push(self, title: str) -> None:
        """The button with this text, once it can be pushed."""
        found = f"[...document.querySelectorAll('button')].find(each => each.textContent === {json.dumps(title)})"
        await self.until(f"{found} && !{found}.disabled")
        await self.run(f"{found}.click()")

    async def fill(self, selector: str, text: str) -> None:
        """As a person who replaces what stands in a field."""
        await self.run(f"document.querySelector({json.dumps(selector)}).select()")
        await self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.write(text)

    async def look(self, *, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """The size of the window and the colours of the system."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def picture(self, path: Path) -> None:
        told = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))


@asynccontextmanager
async def browsing(address: str) -> AsyncIterator[Wire]:
    """A connection to a running browser."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(address, max_msg_size=0, autoping=True) as socket,
    ):
        wire = Wire(socket)
        reading = asyncio.create_task(wire.read())
        try:
            yield wire
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def tab(wire: Wire, url: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> AsyncIterator[Page]:
    """A tab with storage of its own, as long as the block runs."""
    context = (await wire.call("Target.createBrowserContext"))["browserContextId"]
    target = (await wire.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
    session = (await wire.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    page = wire.pages[session] = Page(wire, session)
    try:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.call(f"{domain}.enable")
        await page.look(width=width, height=height, dark=dark)
        await page.open(url)
        yield page
    finally:
        del wire.pages[session]
        await wire.call("Target.disposeBrowserContext", browserContextId=context)
