"""Runs a small function and says what was seen of it, in the same words whatever ran it: no ids, times and paths, and
of a stack no frame that is not the function's."""

from __future__ import annotations

import re
import shutil
import textwrap
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import orjson

from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import FunctionFailed, Reply, Returned, Unreachable
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.local.pool import LocalInvoker
from headrace.dispatch.invokers.local.reaper import Reaper
from headrace.dispatch.invokers.local.spec import FunctionSpec, Launch
from support.shop import Logs

from .cases import Case, Seen

Prepare = Callable[[Path], None]
"""Puts what runs the function beside its files."""

CLIENT = "aws-lambda-ric"
"""Part of the paths of AWS's client, wherever it lies."""
MADE_OF_PATHS = frozenset({"requireStack"})
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_NUMBERS = (
    (re.compile(r"(?<=\[ERROR\] \[)\d{13}(?=\] LAMBDA_RUNTIME)"), "MS"),
    (re.compile(r"x{1000,}"), "MANY"),
    (re.compile(r"(?<=Duration: )\d+\.\d+ ms|(?<=Used: )\d+ MB"), "N"),
    (re.compile(r"\(node:\d+\)"), "(node:PID)"),
    (re.compile(r"Root=1-[0-9a-f-]+;Parent=[0-9a-f]+;Sampled=0"), "TRACE"),
    (re.compile(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}"), "STREAM"),
    (re.compile(r"Node\.js v[\d.]+"), "Node.js VERSION"),
    (re.compile(r"\S+/awslambdaric/(?=\w+\.py:\d+: )"), "awslambdaric/"),
    (re.compile(r"(?<=Previous line repeated )\d+"), "N"),
)
_EXCERPT = re.compile(r"^((file://)?/\S+\.m?js|node:internal/\S+):\d+$")
EXCERPT = 3
"""Lines in which Node.js shows where nobody caught something."""
_IMPORTED_BY = re.compile(r"imported from \S+\.mjs")
_REQUIRED_BY = re.compile(r"^- /")
_FRAME = re.compile(r"^\s+at |^[\s\xa0]*File \"")


async def observe(case: Case, launch: Launch, directory: Path, prepare: Prepare) -> Seen:
    """What is seen of the function when it is invoked with each event in turn."""
    code, layer = directory / "code", directory / "layer"
    _write(code, case.files)
    _write(layer, case.layer)
    prepare(code)
    spec = FunctionSpec(
        "shop",
        launch,
        code,
        directory / "scratch",
        timeout=case.timeout,
        environment=case.environment,
        layers=(layer,) if case.layer else (),
        isolation="env",
        reload=False,
        logging=case.logging,
    )
    logs, ids = Logs(), [str(uuid.uuid4()) for _ in case.events]
    replies = await _invoke(spec, case, ids, logs)
    plain = _Plain(code, layer, ids)
    shutil.rmtree(directory)
    if any(isinstance(reply, Unreachable) for reply in replies):
        logs.lines = [record for record in logs.lines if record.stream != "stderr"]  # the end of it may be cut off
    return {
        "replies": [plain.reply(reply) for reply in replies],
        "log": [plain.record(record) for record in logs.text("log")],
        **{stream: plain.text("\n".join(logs.text(stream))).split("\n") for stream in ("stdout", "stderr")},
    }


async def _invoke(spec: FunctionSpec, case: Case, ids: list[str], logs: Logs) -> list[Reply]:
    reaper = Reaper()
    invoker = LocalInvoker(spec, clock=SystemClock(), observer=logs, reaper=reaper, inits=anyio.CapacityLimiter(1))
    try:
        return [
            await invoker.invoke(Invocation(orjson.dumps(event), id_, client_context=case.context))
            for id_, event in zip(ids, case.events, strict=True)
        ]
    finally:
        await invoker.aclose()
        reaper.close()


def _write(directory: Path, files: Mapping[str, str]) -> None:
    directory.mkdir(parents=True)
    for name, source in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))


class _Plain:
    """Text without what differs from run to run."""

    def __init__(self, code: Path, layer: Path, ids: list[str]) -> None:
        self._replaced = {str(code): "/var/task", str(layer): "/opt"} | dict.fromkeys(ids, "ID")

    def reply(self, reply: Reply) -> Any:
        match reply:
            case Returned(body=body):
                return {"returned": self.value(_parsed(body))}
            case FunctionFailed(body=body):
                return {"failed": self.value(_parsed(body))}
            case Unreachable(body=body):
                return {"down": self.value(_parsed(body))}
            case _:
                return {"other": type(reply).__name__}

    def record(self, text: str) -> Any:
        """One that ends in an object as the rest and the object."""
        at = text.find("{")
        if at >= 0:
            try:
                return [self.text(text[:at]), self.value(orjson.loads(text[at:]))]
            except orjson.JSONDecodeError:
                pass
        return self.text(text)

    def value(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.value(each) for each in value if not (isinstance(each, str) and self._foreign(each))]
            case dict():
                return {key: self.value(each) for key, each in value.items() if key not in MADE_OF_PATHS}
            case _:
                return value

    def text(self, text: str) -> str:
        text = "\n".join(self._own_lines(text.split("\n")))
        text = _IMPORTED_BY.sub(lambda found: found[0] if self._own(found[0]) else "imported from CLIENT", text)
        for found, put in self._replaced.items():
            text = text.replace(found, put)
        text = _TIME.sub("TIME", text)
        for pattern, put in _NUMBERS:
            text = pattern.sub(put, text)
        return text

    def _own_lines(self, lines: list[str]) -> Iterator[str]:
        """Without frames that are not the function's, and the source that is shown of them."""
        left, shown = 0, True
        for line in lines:
            if _EXCERPT.match(line) and not self._own(line):
                left = EXCERPT
            if line.startswith("  File "):
                shown = self._own(line)
            elif not line.startswith("    "):
                shown = True
            if not left and shown and not self._foreign(line):
                yield line
            left = max(left - 1, 0)

    def _foreign(self, line: str) -> bool:
        """What a stack says of other files than the function's."""
        return bool(_FRAME.match(line) or _REQUIRED_BY.match(line)) and not self._own(line)

    def _own(self, line: str) -> bool:
        return CLIENT not in line and any(path in line for path in self._replaced if path.startswith("/"))


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="backslashreplace")
