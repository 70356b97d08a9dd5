"""An hour of a small shop, told to the model in a moment: what the pictures of the page show."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headrace.config.reasons import Reason, ReasonCode
from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import (
    DELIVERED,
    FILTERED,
    Attempt,
    DiscardReason,
    Failure,
    FunctionFailed,
    Lane,
    Position,
    Record,
    Settlement,
    Succeeded,
    discarded,
)
from headrace.dispatch.core.pages import Records
from headrace.service.telemetry.account import Account
from headrace.service.telemetry.core.history import STEP
from headrace.service.telemetry.core.mapping_model import Instant
from headrace.service.telemetry.function_lines import LinesOfFunctions
from headrace.service.telemetry.sight import Sight
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness

HOUR = 3600.0
POISONED = 3070.0
"""When the poison record came, in seconds of the hour."""
REGION = "us-east-1:000000000000"
ERROR = "KeyError: 'session'\n  File \"/srv/clicks/app.py\", line 31, in handler\n    user = click['session']['user']"


@dataclass
class Actor:
    """One mapping, and how busy it is: records a second around `rate`, in waves."""

    name: str
    kind: str
    source: str
    function: str
    rate: float = 0.0
    wave: float = 0.0
    lag: float = 0.0
    refused: float = 0.0
    state: str = "polling"
    reason: Reason | None = None
    lanes: Sequence[str] = ("",)
    records: list[Records] = field(default_factory=list)
    sent: int = 0

    def prepare(self) -> None:
        for shard in self.lanes:
            lane = Lane(f"arn:aws:{self.kind}:{self.source}", shard)
            name = "4965{:052}" if shard.startswith("shard") else "8c1f2a54-{:04}-4b0e-9d8e-1c5a7be2f6d3"
            numbered = [(each, Position.parse(str(each)) if shard else None) for each in range(1000)]
            self.records.append(Records.of(Record(lane, name.format(n), {}, 0.0, position=at) for n, at in numbered))

    def busy(self, at: float) -> int:
        """Records of the second that ends then."""
        noise = math.sin(at / 67 + len(self.name)) * 0.1 + math.sin(at / 23 + self.rate) * 0.04
        swell = 1 + self.wave * math.sin(at / 570.0 + self.rate) + noise
        return max(0, round(self.rate * swell))


ACTORS = (
    Actor("checkout-orders", "sqs", f"{REGION}:checkout-orders", "checkout", rate=18, wave=0.5, lag=0.3, refused=0.25),
    Actor("click-stream", "kinesis", f"{REGION}:stream/clicks", "clicks", rate=42, wave=0.35, lag=0.8,
          lanes=("shardId-000000000000", "shardId-000000000001")),
    Actor("inventory", "kafka", "warehouse.stock-levels", "inventory", rate=26, wave=0.6, lag=2.4,
          lanes=("warehouse.stock-levels-0", "warehouse.stock-levels-1", "warehouse.stock-levels-2")),
    Actor("invoices", "sqs-fifo", f"{REGION}:invoices.fifo", "invoices", rate=12, wave=0.4, lag=0.2),
    Actor("newsletter", "sqs", f"{REGION}:newsletter", "mail", state="paused",
          reason=Reason(ReasonCode.PAUSED, "it is paused; `headrace resume` lets it go on")),
    Actor("refunds", "sqs", f"{REGION}:refunds", "checkout", state="waiting",
          reason=Reason(ReasonCode.MISSING, f"queue arn:aws:sqs:{REGION}:refunds does not exist: create it")),
    Actor("search-index", "dynamodb", f"{REGION}:table/products/stream/2026-11-02T09:14:31.207", "search", rate=7,
          wave=0.7, lag=0.5, lanes=("shardId-00000001764598471207-a3f1",)),
)  # fmt: skip
FUNCTIONS = {
    "checkout": ("python3.12 in functions/checkout", 3, 4),
    "clicks": ("nodejs22.x in functions/clicks", 2, 5),
    "inventory": ("python3.12 in functions/inventory", 3, 3),
    "invoices": ("a command in functions/invoices", 1, 1),
    "search": ("invoked at http://127.0.0.1:4566", 0, 0),
}


class Scene:
    """A view of it. `sight` and `lines` are what the page's server looks into."""

    def __init__(self) -> None:
        self._at = 0.0
        self._end = time.time()
        self._over: float | None = None
        self.sight = Sight(self._instant)
        self.lines = LinesOfFunctions(lambda: self._instant().wall)
        self.account = Account()
        self.actors = {actor.name: replace(actor, records=[]) for actor in ACTORS}

    def _instant(self) -> Instant:
        passed = time.time() - self._over if self._over is not None else 0.0
        at = self._at + passed
        return Instant(at, self._end - HOUR + at)

    def play(self) -> Scene:
        for name, (_, environments, starts) in FUNCTIONS.items():
            for _ in range(starts):
                self.tell(seen.EnvironmentStarted(name, 0.21 + len(name) / 50))
            if starts > environments:
                self.tell(seen.EnvironmentsEnded(name, starts - environments))
        for actor in self.actors.values():
            actor.prepare()
            self.sight.flow(actor.name)
        for second in range(1, int(HOUR) + 1):
            self._at = float(second)
            for actor in self.actors.values():
                if actor.rate:
                    self._step(actor)
        self._over = time.time()
        self._print()
        return self

    def tell(self, event: seen.Event) -> None:
        self.sight.observe(event)
        self.account.observe(event)

    def _step(self, actor: Actor) -> None:
        if actor.name == "click-stream" and self._at > POISONED:
            self._poisoned(actor)
        else:
            for part, records in enumerate(actor.records):
                self._flows(actor, records, part)
        if self._at % STEP == 0:
            self.sample(actor.name)

    def _flows(self, actor: Actor, records: Records, part: int) -> None:
        """One second of one lane: most of it is over at its end, the last batch is not."""
        number = 2 + actor.busy(self._at + part) // len(actor.records)
        kept = round(number * (1 - actor.refused))
        batch, refused, last = records[:kept], records[kept:number], records[900:902]
        self.tell(seen.Fetched(actor.name, records[:number], 0.02))
        if self._at == 1:
            self.tell(seen.Fetched(actor.name, last, 0.02))
        if refused:
            self.tell(seen.Filtered(actor.name, refused))
            self.tell(seen.Settled(actor.name, (Settlement(refused, FILTERED),)))
        if self._at > 1:
            self.tell(seen.Settled(actor.name, (Settlement(last, DELIVERED),)))
        self._invoked(actor, batch[2:])
        at = self._at + 311 * len(actor.name) + 90 * part
        age = actor.lag * (1.6 + math.sin(at / 90) * 0.6 + math.sin(at / 37) * 0.5 + math.sin(at / 233) * 0.5)
        request_id = f"8f2b{part}c1e-7d40-4a6b-9b0f-2f6c9a1d{int(self._at):04}"
        self.tell(seen.Invoking(actor.name, actor.function, request_id, last, 9000, age))
        if actor.kind == "kafka":
            self.tell(seen.Lagging(actor.name, {last[0].lane: round(60 + 40 * math.sin(self._at / 200 + part))}))

    def _invoked(self, actor: Actor, batch: Records) -> None:
        attempt = Attempt(f"0d9e7c52-31b7-4f0e-8a11-{int(self._at):012}", 0.0, 1.0, 200)
        if actor.name == "inventory" and int(self._at) % 1130 < 8:
            error = FunctionFailed(attempt, Failure.TIMEOUT, "Task timed out after 3.00 seconds")
            self.tell(seen.Invoked(actor.name, actor.function, batch, error, 3.0))
        self.tell(seen.Invoked(actor.name, actor.function, batch, Succeeded(attempt), 0.031 + len(batch) / 9000))
        fate = DELIVERED
        if actor.name == "invoices" and int(self._at) % 1900 < 4:
            fate = discarded(DiscardReason.RETRIES_EXHAUSTED)
            reached = f"arn:aws:sqs:{REGION}:invoices-failed"
            self.tell(seen.Discarded(actor.name, batch, DiscardReason.RETRIES_EXHAUSTED, reached))
        self.tell(seen.Settled(actor.name, (Settlement(batch, fate),)))

    def _poisoned(self, actor: Actor) -> None:
        """One shard goes on, the other stands before a record that fails for ever."""
        self._flows(actor, actor.records[1], 1)
        if self._at == POISONED + 1:
            self.tell(seen.Settled(actor.name, (Settlement(actor.records[0][900:902], DELIVERED),)))
        batch = actor.records[0][910:920]
        since = self._at - POISONED
        if since % (30 if since > 60 else 10):
            return
        used = int(since // 10) if since <= 60 else 6 + int((since - 60) // 30)
        attempt = Attempt(f"5b1de0aa-90c4-4d3c-a1d2-{used:012}", 0.0, 1.0, 200)
        self.tell(seen.Invoking(actor.name, actor.function, attempt.request_id, batch, 9000, since))
        error = FunctionFailed(attempt, Failure.ERROR, ERROR)
        self.tell(seen.Invoked(actor.name, actor.function, batch, error, 0.018))
        self.tell(seen.Retrying(actor.name, batch, used, 30.0))

    def sample(self, name: str) -> None:
        self.sight._models[name].sample(self._instant())

    def _print(self) -> None:
        for number in range(24):
            clicked = f"click {number}: /cart from session s{number * 7}"
            for name, line in (("clicks", clicked), ("checkout", f"order {number}")):
                self.lines.observe(seen.FunctionLog(name, f"request-{number}", line, "stdout"))
            if number % 6 == 5:
                self.lines.observe(seen.FunctionLog("clicks", f"request-{number}", f"[ERROR] {ERROR}", "stderr"))

    # --- the view ---------------------------------------------------------------------------------------------------

    def readiness(self) -> Readiness:
        reasons = [view.reason.of(view.name) for view in self.mappings() if view.reason and view.state != "paused"]
        return Readiness(ready=True, polling=False, reasons=tuple(reasons))

    def mappings(self) -> tuple[MappingView, ...]:
        return tuple(self._view(number, actor) for number, actor in enumerate(self.actors.values()))

    def listed(self) -> tuple[str, ...]:
        return tuple(self.actors)

    def mapping(self, name: str) -> MappingView | None:
        return next((each for each in self.mappings() if name in (each.name, each.uuid)), None)

    def _view(self, number: int, actor: Actor) -> MappingView:
        failing = self.sight.failing(actor.name)
        return MappingView(
            actor.name,
            f"3f0c{number}b7e-5a1d-4c26-b7c5-8d42a6f0e9{number:02}",
            actor.source if actor.kind == "kafka" else f"arn:aws:{actor.kind.partition('-')[0]}:{actor.source}",
            actor.kind,
            actor.function,
            "failing" if failing else actor.state,
            Reason(ReasonCode.FUNCTION_FAILING, failing) if failing else actor.reason,
            len(actor.lanes) if actor.state == "polling" else 0,
            self.account.as_json(actor.name),
            destination=f"arn:aws:sqs:{REGION}:invoices-failed" if actor.name == "invoices" else "",
            flow=self.sight.flow(actor.name),
        )

    def functions(self) -> tuple[FunctionView, ...]:
        return tuple(
            FunctionView(name, what, True, None, 1 if name == "checkout" else 0, 8, self.sight.work(name))
            for name, (what, _, _) in FUNCTIONS.items()
        )
