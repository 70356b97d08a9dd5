"""`headrace replay`: reads records again, beside a mapping's own position, and hands them to its function."""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from ....config.clients.aws import AwsSettings, Clients
from ....config.errors import HeadraceError
from ....config.fields.spoken import counted
from ....config.loader import Config
from ....config.mapping import EventSourceMapping
from ....dispatch.core.found_documents import FoundDocument, NoDocument
from ....dispatch.core.observer import Discarded, Event, GateClosed, MappingChanged, Observer, Observers
from ....pollers.replay.core.bounds import Unclear, plan_between
from ....pollers.replay.core.plan import ReplayProgress
from ...running.dry_run import Verdict
from ...running.functions import reference_of
from ...wiring.control_plane import with_stored
from ...wiring.document_places import STDIN, DocumentPlaces, DocumentText
from ...wiring.exits import Exit, UsageError
from ...wiring.replay_files import ReplayFile, ReplayState, ReplayWish, listed
from ...wiring.replaying import Replaying, ReplayParts, prepared, read_documents, relived
from .asking import base_of, confirmed
from .configs import load_config
from .invoke import InvokeOutput, outside_tmp
from .progress import ProgressLine
from .tables import show, show_json, table, tell

NAMED = 20
"""Failures that are told one by one."""
OF_A_NEW_ONE = {
    "begin": "--from",
    "end": "--to",
    "document": "--document",
    "function": "--function",
    "rate": "--rate",
    "retries": "--retries",
    "dry_run": "--dry-run",
}
"""What a replay is told when it begins, and keeps until its end."""


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    _refuse_unheard(arguments)
    config = load_config(arguments.config or (), arguments)
    if arguments.resume:
        file, state = ReplayFile.open(config.settings.state, arguments.resume)
        return _kept(_ReplayRun(config, arguments, observers, state, file))
    if not arguments.mapping:
        return _list(config, arguments)
    state = ReplayState("", _wish(arguments), ReplayProgress())
    return _begin(_ReplayRun(config, arguments, observers, state, None))


def _refuse_unheard(arguments: argparse.Namespace) -> None:
    """Nothing that is said may stay without effect. Raises UsageError."""
    given = [option for name, option in OF_A_NEW_ONE.items() if getattr(arguments, name) is not None]
    if arguments.resume and (arguments.mapping or given):
        raise UsageError(f"--resume goes on as the replay began: leave out {', '.join(_mapping(arguments) + given)}")
    if given and not arguments.resume and not arguments.mapping:
        raise UsageError(f"{', '.join(given)} without a MAPPING: name the mapping whose function gets the records")


def _mapping(arguments: argparse.Namespace) -> list[str]:
    return [arguments.mapping] if arguments.mapping else []


def _list(config: Config, arguments: argparse.Namespace) -> int:
    """The replays that were not brought to their end."""
    found = [
        {"id": state.id, "mapping": state.wish.mapping, "records": state.progress.records, "runs": runs}
        for state, runs in listed(config.settings.state)
    ]
    if arguments.output == "json":
        show_json(found)
        return Exit.OK
    rows = [(each["id"], each["mapping"], each["records"], "runs" if each["runs"] else "broken off") for each in found]
    show(table(("ID", "MAPPING", "RECORDS", "STATE"), rows))
    return Exit.OK


def _wish(arguments: argparse.Namespace) -> ReplayWish:
    documents = tuple(arguments.document or ())
    if bool(documents) == bool(arguments.begin):
        raise UsageError("say what to read again: either --from (and --to), or --document")
    if arguments.end and not arguments.begin:
        raise UsageError("--to goes with --from")
    if arguments.rate is not None and arguments.rate <= 0:
        raise UsageError("--rate is a number of records a second, above 0")
    plan = None
    if arguments.begin:
        found = plan_between(arguments.begin, arguments.end or "", time.time())
        if isinstance(found, Unclear):
            raise UsageError(found.why)
        plan = found
    return ReplayWish(
        mapping=arguments.mapping,
        function=arguments.function or "",
        plan=plan,
        documents=documents,
        rate=arguments.rate,
        retries=arguments.retries,
    )


@dataclass
class _ReplayRun:
    """One replay of the command line."""

    config: Config
    arguments: argparse.Namespace
    observers: Sequence[Observer]
    state: ReplayState
    file: ReplayFile | None
    texts: list[DocumentText] = field(default_factory=list)
    documents: list[FoundDocument] = field(default_factory=list)
    faults: list[NoDocument] = field(default_factory=list)
    mapping: EventSourceMapping = field(init=False)

    def __post_init__(self) -> None:
        wish, daemon = self.state.wish, base_of(self.arguments.url)
        if all(wish.mapping not in (each.name, each.uuid) for each in self.config.mappings.values()):
            self.config = anyio.run(with_stored, self.config, self.config.settings.state)
        self.config, self.mapping = prepared(self.config, wish.mapping, wish.function, wish.retries, daemon)

    @property
    def whole(self) -> int | None:
        """How many records there are, where that is known."""
        if self.state.wish.plan is not None:
            return None
        return sum(each.records for each in self.documents) or None


def _begin(job: _ReplayRun) -> int:
    """A new replay: look, ask, keep what is wanted, then do it."""
    for state, runs in listed(job.config.settings.state):
        if state.wish.mapping == job.state.wish.mapping and not runs:
            tell(
                f"a replay of {state.wish.mapping} was broken off after {counted(state.progress.records, 'record')}: "
                f"`headrace replay --resume {state.id}` goes on with it"
            )
    _look_at_documents(job)
    _tell_plan(job)
    if job.arguments.dry_run:
        return _run(job)
    if not confirmed("Replay them?", yes=job.arguments.yes):
        tell("nothing was done")
        return Exit.FAILURE
    texts = {each.name: each.text for each in job.texts if each.receipt or STDIN in job.state.wish.documents}
    wish = replace(job.state.wish, texts=texts)
    job.file, job.state = ReplayFile.create(job.config.settings.state, wish)
    tell(f"replay {job.state.id}; where it is broken off, `headrace replay --resume {job.state.id}` goes on")
    return _run(job)


def _kept(job: _ReplayRun) -> int:
    """A replay that was broken off goes on."""
    done = counted(job.state.progress.records, "record")
    tell(f"replay {job.state.id} of {job.state.wish.mapping} was broken off after {done}; it goes on behind them")
    _look_at_documents(job)
    return _run(job)


def _look_at_documents(job: _ReplayRun) -> None:
    wish = job.state.wish
    kept = [DocumentText(name, text) for name, text in wish.texts.items()]
    places = [each for each in wish.documents if not kept or not (each == STDIN or each.startswith("arn:"))]
    job.texts = kept + (anyio.run(_gather, job, places) if places else [])
    for found in read_documents(job.mapping, job.texts):
        if isinstance(found, FoundDocument) and found.event is not None:
            records = relived(job.mapping, found)
            found = records if isinstance(records, NoDocument) else found
        if isinstance(found, NoDocument):
            job.faults.append(found)
        else:
            job.documents.append(found)
    for fault in job.faults:
        tell(f"headrace: {fault.name} is left out: {fault.why}")
    if wish.documents and not job.documents:
        raise UsageError("there is no document that can be replayed")


async def _gather(job: _ReplayRun, places: Sequence[str]) -> list[DocumentText]:
    async with Clients(AwsSettings(**job.config.settings.aws.arguments())) as clients:
        return await DocumentPlaces(clients).gather(places)


def _tell_plan(job: _ReplayRun) -> None:
    wish, mapping = job.state.wish, job.mapping
    what = f"the records of {counted(len(job.documents), 'document')}"
    if wish.plan is not None:
        what = f"records of {mapping.place} from {job.arguments.begin} to {job.arguments.end or 'now'}"
    pace = f", {wish.rate:g} a second at most" if wish.rate else ""
    tell(f"{what}, through mapping {mapping.name}, to {reference_of(mapping)}{pace}")
    where = "its failure destination gets what fails again" if mapping.has_failure_destination else "failures are told"
    tell(f"the mapping's own position stays where it is; {where}")


# --- at work ----------------------------------------------------------------------------------------------------------


class _Told:
    """The observer that tells what goes wrong."""

    def __init__(self) -> None:
        self._causes: set[str] = set()
        self.failures = 0

    def observe(self, event: Event) -> None:
        match event:
            case Discarded(records=records, reason=reason, destination=destination):
                self._discarded(records.names, reason.value, destination)
            case MappingChanged(reason=reason) if reason is not None:
                self._once(f"waiting: {reason}")
            case GateClosed(function=function, cause=cause):
                self._once(f"function {function} cannot start: {cause}")

    def _discarded(self, names: Sequence[str], reason: str, destination: str) -> None:
        kept = f"; {destination} has its document" if destination else ""
        for name in names:
            self.failures += 1
            if self.failures <= NAMED:
                tell(f"failed again: {name} ({reason}){kept}")

    def given_up(self, name: str) -> None:
        self._discarded([name], "its attempts are used up", "")

    def _once(self, text: str) -> None:
        if text not in self._causes:
            self._causes.add(text)
            tell(text)


def _run(job: _ReplayRun) -> int:
    line, output = ProgressLine(), InvokeOutput()
    failures = _Told()
    told = [failures, *([output] if job.arguments.logs else ()), *job.observers]

    def tell_progress(progress: ReplayProgress) -> None:
        line.tell(_so_far(progress), progress.records, job.whole)

    try:
        with tempfile.TemporaryDirectory(prefix="headrace-", dir=outside_tmp()) as scratch:
            parts = ReplayParts(Observers(told), tell_progress, failures.given_up, _shown, Path(scratch), anyio.Event())
            done = anyio.run(_replay, job, parts)
    finally:
        line.end()
        output.lines.flush(None)
        if job.file is not None:
            job.file.close()
    return _ended(job) if done else _broken_off(job)


async def _replay(job: _ReplayRun, parts: ReplayParts) -> bool:
    async def until_signal() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                parts.stop.set()

    done, failure = False, None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(until_signal)
        try:
            done = await Replaying(job.config, job.mapping, job.state, job.file, parts).run(job.documents)
        except HeadraceError as error:  # what leaves the group would be a group of errors
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if done and job.file is not None:
        await _clear(job)
        job.file.remove()
    return done


async def _clear(job: _ReplayRun) -> None:
    """Delete the documents of queues, once nothing of them is left to do."""
    taken = [each for each in job.texts if each.receipt]
    if job.arguments.resume and any(each.startswith("arn:") for each in job.state.wish.documents):
        tell("the documents are still in their queue: the replay that was broken off had received them")
    if job.arguments.keep or not taken or _failed(job.state.progress):
        return
    names = {each.name for each in job.documents}
    async with Clients(AwsSettings(**job.config.settings.aws.arguments())) as clients:
        number = await DocumentPlaces(clients).delete([each for each in taken if each.name in names])
    tell(f"deleted {counted(number, 'document')} from their queue")


def _shown(verdict: Verdict) -> None:
    show(f"{verdict.mapping}\t{verdict.id}\t{verdict.text}")


def _so_far(progress: ReplayProgress) -> str:
    fates = ", ".join(f"{number} {fate}" for fate, number in sorted(progress.counts.items()))
    return f"{counted(progress.records, 'record')}" + (f": {fates}" if fates else "")


def _failed(progress: ReplayProgress) -> int:
    return sum(progress.counts.get(fate, 0) for fate in ("discarded", "returned"))


def _ended(job: _ReplayRun) -> int:
    show(f"replayed {_so_far(job.state.progress)}")
    if job.whole is not None and job.state.progress.records < job.whole:
        missing = job.whole - job.state.progress.records
        tell(f"headrace: {counted(missing, 'record')} that documents name are not in the source any more")
        return Exit.FAILURE
    return Exit.FAILURE if job.faults or _failed(job.state.progress) else Exit.OK


def _broken_off(job: _ReplayRun) -> int:
    with suppress(ValueError):
        where = f": `headrace replay --resume {job.state.id}` goes on" if job.file is not None else ""
        tell(f"broken off after {_so_far(job.state.progress)}{where}")
    return Exit.INTERRUPTED
