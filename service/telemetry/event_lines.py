"""Turns events of the observer into log lines: which events, which text, how often.

Used through `mapping_logs.py`, which has one for each level that a mapping asks for.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ...config.fields.spoken import counted
from ...config.reasons import ReasonCode
from ...dispatch.core import observer as seen
from ...dispatch.core.model import FailedItems, FunctionFailed, Lane, Succeeded, Throttled, Unreachable
from ...dispatch.core.pages import Records
from .core.repeats import Flow, Repeats
from .log import Action, Log

OUTPUT_RATE = 1000.0
"""Maximum lines per second of one function on average (512 characters count as one more line); further lines are
counted and dropped."""
OUTPUT_BURST = 10_000.0


class Logs:
    """The observer that writes lines. Events that cannot become a line at the log's level cost nothing."""

    def __init__(self, log: Log, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._monotonic = monotonic
        self._repeats = Repeats()
        self._output: dict[str, Flow] = {}
        self._down: dict[str, Hashable] = {}
        self._stands: dict[str, Hashable] = {}
        self._unfetched: set[str] = set()
        """Mappings whose last line reported a failed fetch."""
        self._say: dict[type, Callable[[Any], None]] = {}
        for level, sayers in self._by_level().items():
            if level >= log.level:
                self._say.update(sayers)

    def observe(self, event: seen.Event) -> None:
        say = self._say.get(type(event))
        if say is not None:
            say(event)

    def _by_level(self) -> dict[int, dict[type, Callable[[Any], None]]]:
        """The highest level of each event, and its method."""
        return {
            logging.ERROR: {seen.Gap: self._gap, seen.Discarded: self._discarded, seen.Crashed: self._crashed},
            logging.WARNING: {
                seen.FetchFailed: self._fetch_failed,
                seen.Invoked: self._invoked,
                seen.SettleFailed: self._settle_failed,
                seen.CommitFailed: self._commit_failed,
                seen.StreamRecreated: self._recreated,
                seen.DestinationFailed: self._destination_failed,
                seen.DestinationChanged: self._destination_changed,
                seen.Blocked: self._blocked,
                seen.GateClosed: self._gate_closed,
                seen.GateOpened: self._gate_opened,
            },
            logging.INFO: {
                seen.MappingChanged: self._mapping_changed,
                seen.FetchesAgain: self._fetches_again,
                seen.Rebalanced: self._rebalanced,
                seen.FunctionLog: self._function_log,
                seen.RuntimeDiffers: self._runtime_differs,
            },
            logging.DEBUG: {
                seen.Fetched: self._fetched,
                seen.Filtered: self._filtered,
                seen.Invoking: self._invoking,
                seen.Retrying: self._retrying,
                seen.Bisected: self._bisected,
                seen.Settled: self._settled,
                seen.FeedsChanged: self._feeds_changed,
                seen.OffsetsCommitted: self._committed,
            },
        }

    def _warn(self, action: Action, text: str, key: Hashable = None, **fields: object) -> bool:
        """Log the line, unless the same was logged recently. Returns whether it was logged."""
        left_out = self._repeats.admit((action, key if key is not None else text), self._monotonic())
        if left_out is None:
            return False
        if left_out:
            fields["repeated"] = left_out
        self._log.warning(action, text, **fields)
        return True

    # --- changes ----------------------------------------------------------------------------------------------------

    def _mapping_changed(self, event: seen.MappingChanged) -> None:
        key = (event.mapping, event.state, event.reason)
        if self._stands.get(event.mapping) != key:  # the last line of a mapping must show its current state
            self._repeats.forget(key)
        if self._repeats.admit(key, self._monotonic()) is None:
            return
        self._stands[event.mapping] = key
        text = f"{event.mapping} is {event.state}" + (f": {event.reason}" if event.reason else "")
        why = {"reason": event.reason.text, "code": event.reason.code.value} if event.reason else {}
        self._log.info(Action.STATE, text, mapping=event.mapping, state=event.state, **why)

    def _gate_closed(self, event: seen.GateClosed) -> None:
        if event.cause.code is ReasonCode.STOPPING:
            return  # nothing is wrong with it
        text = f"function {event.function} cannot start: {event.cause}"
        self._down[event.function] = event.cause
        self._warn(
            Action.FUNCTION_DOWN,
            text,
            (event.function, event.cause),
            function=event.function,
            code=event.cause.code.value,
            next_probe=_round(event.delay),
        )

    def _gate_opened(self, event: seen.GateOpened) -> None:
        cause = self._down.pop(event.function, None)
        self._repeats.forget((Action.FUNCTION_DOWN, (event.function, cause)))
        self._log.info(
            Action.FUNCTION_UP,
            f"function {event.function} can start" + (" again" if cause else ""),
            function=event.function,
            seconds=_round(event.seconds),
        )

    def _runtime_differs(self, event: seen.RuntimeDiffers) -> None:
        of = f" of {event.runtime}" if event.runtime else ""
        text = f"function {event.function}{of} {event.remark}"
        self._log.info(Action.RUNTIME, text, function=event.function, runtime=event.runtime)

    def _rebalanced(self, event: seen.Rebalanced) -> None:
        went, came = _shards(event.lost), _shards(event.gained)
        parts = [part for part in (went and f"gives back {went}", came and f"takes {came}") if part]
        if parts:
            self._log.info(Action.REBALANCE, f"{event.mapping} {' and '.join(parts)}", mapping=event.mapping)

    def _feeds_changed(self, event: seen.FeedsChanged) -> None:
        self._log.debug(Action.FEEDS, f"{event.mapping} has {counted(event.feeds, 'feed')}", mapping=event.mapping)

    # --- faults -----------------------------------------------------------------------------------------------------

    def _fetch_failed(self, event: seen.FetchFailed) -> None:
        said = self._warn(
            Action.FETCH_FAILED,
            f"{event.mapping} could not fetch: {event.cause}",
            (event.mapping, event.cause),
            mapping=event.mapping,
            code=event.cause.code.value,
            delay=_round(event.delay),
        )
        if said:
            self._unfetched.add(event.mapping)

    def _fetches_again(self, event: seen.FetchesAgain) -> None:
        """When the line of the failure was left out, this line is left out too."""
        if event.mapping in self._unfetched:
            self._unfetched.remove(event.mapping)
            self._log.info(Action.FETCHES_AGAIN, f"{event.mapping} fetches again", mapping=event.mapping)

    def _invoked(self, event: seen.Invoked) -> None:
        who = {"mapping": event.mapping, "function": event.function, "records": len(event.records)}
        if isinstance(event.outcome, Succeeded):
            self._log.debug(
                Action.INVOKE,
                "the function processed the batch",
                request_id=event.outcome.attempt.request_id,
                seconds=_round(event.seconds),
                **who,
            )
        else:
            shard = _shard(event.records)
            first = str(event.records[0].id) if event.records else None
            self._not_taken(event, (event.mapping, shard), who | {"shard": shard, "first": first})

    def _not_taken(self, event: seen.Invoked, key: tuple[Hashable, ...], who: dict[str, Any]) -> None:
        match event.outcome:
            case FailedItems(attempt=attempt, ids=ids):
                self._warn(
                    Action.INVOKE_FAILED,
                    f"function {event.function} failed for {len(ids)} of {counted(len(event.records), 'record')}",
                    (*key, "items"),
                    request_id=attempt.request_id,
                    failure="items",
                    ids=sorted(str(record) for record in ids)[:10],
                    **who,
                )
            case FunctionFailed(attempt=attempt, failure=failure, detail=detail):
                self._warn(
                    Action.INVOKE_FAILED,
                    f"function {event.function} failed: {detail}",
                    (*key, failure, detail),
                    request_id=attempt.request_id,
                    failure=failure.value,
                    **who,
                )
            case Throttled(said=said):
                text = f"function {event.function} is throttled" + (f": {said}" if said else "")
                self._warn(Action.THROTTLED, text, (event.mapping, said), **who)
            case Unreachable(cause=cause, down=down):
                if not down:  # the gate reports a function that cannot start
                    text = f"function {event.function} could not be reached: {cause}"
                    self._warn(Action.UNREACHABLE, text, (event.mapping, cause), code=cause.code.value, **who)

    def _settle_failed(self, event: seen.SettleFailed) -> None:
        self._warn(
            Action.SETTLE_FAILED,
            f"{event.mapping} could not settle {counted(len(event.records), 'record')} (may come again): {event.cause}",
            (event.mapping, event.cause),
            mapping=event.mapping,
            code=event.cause.code.value,
            records=len(event.records),
        )

    def _destination_failed(self, event: seen.DestinationFailed) -> None:
        """The line of the discard reports a document that was given up."""
        if event.delay is not None:
            self._warn(
                Action.DESTINATION_FAILED,
                f"{event.mapping} could not write the document of a discarded batch, and tries again: {event.cause}",
                (event.mapping, event.cause),
                mapping=event.mapping,
                code=event.cause.code.value,
                delay=_round(event.delay),
            )

    def _destination_changed(self, event: seen.DestinationChanged) -> None:
        say = self._log.warning if event.cause else self._log.info
        text = event.cause or f"failure destination {event.destination} is there"
        code = event.cause.code.value if event.cause else None
        who = {"mapping": event.mapping, "destination": event.destination, "code": code}
        say(Action.DESTINATION, f"{event.mapping}: {text}", **who)

    def _commit_failed(self, event: seen.CommitFailed) -> None:
        self._warn(
            Action.COMMIT_FAILED,
            f"{event.mapping} could not store a position, the next commit will: {event.cause}",
            (event.mapping, event.cause),
            mapping=event.mapping,
            code=event.cause.code.value,
        )

    def _recreated(self, event: seen.StreamRecreated) -> None:
        what = "was created again" if event.before == event.source else f"replaces {event.before}"
        self._log.warning(
            Action.RECREATED,
            f"{event.mapping}: the {event.noun} {event.source} {what}, and is read from its beginning",
            mapping=event.mapping,
            source=event.source,
            before=event.before,
        )

    def _discarded(self, event: seen.Discarded) -> None:
        where = f"; {event.destination} has their document" if event.destination else ", and no destination has them"
        shard = _shard(event.records)
        of_shard = f" of {shard}" if shard else ""
        flaws = [record.flaw.detail for record in event.records if record.flaw]
        reason = ": ".join([event.reason.value, *flaws[:1]])
        self._log.error(
            Action.DISCARD,
            f"{event.mapping} discarded {counted(len(event.records), 'record')}{of_shard} ({reason}){where}",
            mapping=event.mapping,
            shard=shard,
            reason=event.reason.value,
            ids=[record.name for record in event.records[:10]],
            records=len(event.records),
            cause=event.cause.text if event.cause else None,
        )

    def _gap(self, event: seen.Gap) -> None:
        self._log.error(
            Action.GAP,
            f"{event.mapping}: the source lost {event.start} to {event.end} before it was read: {event.reason}",
            mapping=event.mapping,
            source=event.lane.source,
            shard=event.lane.shard or None,
        )

    def _crashed(self, event: seen.Crashed) -> None:
        key = (Action.FAULT, event.mapping, repr(event.error))
        left_out = self._repeats.admit(key, self._monotonic())
        if left_out is None:
            return
        trace = "".join(traceback.format_exception(event.error)) if self._log.level <= logging.DEBUG else None
        self._log.error(
            Action.FAULT,
            f"a fault in Headrace stopped {event.mapping}, which is opened again; please report it: {event.error!r}",
            mapping=event.mapping,
            repeated=left_out or None,
            trace=trace,
        )

    def _blocked(self, event: seen.Blocked) -> None:
        text = f"{event.mapping}: key {event.key} blocks {counted(event.records, 'record')}"
        self._warn(
            Action.BLOCKED, text, (event.mapping, event.lane, event.key), mapping=event.mapping, shard=event.lane.shard
        )

    # --- what functions print ---------------------------------------------------------------------------------------

    def _function_log(self, event: seen.FunctionLog) -> None:
        flow = self._output.get(event.function)
        if flow is None:
            flow = self._output[event.function] = Flow(OUTPUT_RATE, OUTPUT_BURST)
        left_out = flow.admit(self._monotonic(), len(event.line))
        if left_out is None:
            return
        if left_out:
            self._log.warning(
                Action.OUTPUT_LEFT_OUT,
                f"function {event.function} prints too fast: {counted(left_out, 'line')} dropped",
                function=event.function,
                lines=left_out,
            )
        self._log.info(
            Action.FUNCTION_LOG,
            event.line.rstrip("\n"),
            function=event.function,
            request_id=event.request_id or None,
            stream=event.stream,
        )

    # --- detail, for `debug` ----------------------------------------------------------------------------------------

    def _fetched(self, event: seen.Fetched) -> None:
        if event.records:
            self._log.debug(
                Action.FETCH,
                "fetched",
                mapping=event.mapping,
                records=len(event.records),
                seconds=_round(event.seconds),
            )

    def _filtered(self, event: seen.Filtered) -> None:
        ids = [record.name for record in event.records]
        self._log.debug(Action.FILTER, "filtered", mapping=event.mapping, records=len(ids), ids=ids)

    def _invoking(self, event: seen.Invoking) -> None:
        self._log.debug(
            Action.INVOKE,
            "invoking",
            mapping=event.mapping,
            function=event.function,
            request_id=event.request_id,
            records=len(event.records),
            bytes=event.payload_bytes,
        )

    def _retrying(self, event: seen.Retrying) -> None:
        self._log.debug(
            Action.RETRY,
            "will invoke again",
            mapping=event.mapping,
            records=len(event.records),
            attempt=event.attempt,
            delay=_round(event.delay),
        )

    def _bisected(self, event: seen.Bisected) -> None:
        self._log.debug(Action.BISECT, "split in two", mapping=event.mapping, records=len(event.records))

    def _committed(self, event: seen.OffsetsCommitted) -> None:
        self._log.debug(Action.COMMIT, "committed", mapping=event.mapping, offsets=event.offsets)

    def _settled(self, event: seen.Settled) -> None:
        for settlement in event.settlements:
            self._log.debug(
                Action.SETTLE,
                "settled",
                mapping=event.mapping,
                fate=settlement.fate.kind.value,
                records=len(settlement.records),
            )


NAMED = 10
"""Maximum partitions that a line names."""


def _shards(lanes: Sequence[Lane]) -> str:
    more = f" and {len(lanes) - NAMED} more" if len(lanes) > NAMED else ""
    return ", ".join(lane.shard for lane in lanes[:NAMED]) + more


def _shard(records: Records) -> str | None:
    """The shard or partition of all records; empty when they differ."""
    shards = {lane.shard for lane in records.lanes}
    return next(iter(shards)) or None if len(shards) == 1 else None


def _round(seconds: float) -> float:
    return round(seconds, 3)
