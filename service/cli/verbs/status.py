"""`headrace status`: asks the running daemon over HTTP. Also a container's health check: it needs no curl."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ....config.errors import HeadraceError
from ...wiring.exits import Exit, UsageError
from .asking import ask, base_of, fetch, part
from .tables import show, show_json, table, tell

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    _refuse_unheard(arguments)
    if arguments.watch:
        from . import watch

        return watch.run(arguments)
    url = base_of(arguments.url)
    if arguments.check:
        return _check(f"{url}/readyz" + ("?strict" if arguments.strict else ""))
    if arguments.mapping:
        return _one(url, arguments)
    status = _get(f"{url}/status")
    if arguments.output == "json":
        show_json(status)
    else:
        _show_tables(status)
    good = status["polling"] if arguments.strict else status["ready"]
    return Exit.OK if good else Exit.FAILURE


def _refuse_unheard(arguments: argparse.Namespace) -> None:
    """Nothing that is said may stay without effect. Raises UsageError."""
    if arguments.watch and (arguments.check or arguments.strict or arguments.output == "json"):
        raise UsageError("--watch is a view for people: leave out --check, --strict and --output")
    if arguments.check and (arguments.mapping or arguments.output == "json"):
        raise UsageError("--check is of the daemon as a whole, and prints reasons: leave out MAPPING and --output")


def _check(url: str) -> int:
    answer = _get(url)
    for reason in answer["reasons"]:
        tell(reason)
    return Exit.OK if answer["ready"] else Exit.FAILURE


def _get(url: str) -> dict[str, Any]:
    """The answer, also of an error status. Raises HeadraceError when there is none."""
    _, found = fetch(url)
    if not isinstance(found, dict) or "reasons" not in found:
        raise HeadraceError(f"the server at {url} is not a Headrace daemon; name the daemon's address with --url")
    return found


def _show_tables(status: dict[str, Any]) -> None:
    configuration = status.get("configuration") or {}
    if configuration.get("trouble"):
        show(f"The configuration was read again and is not taken: {configuration['trouble']}\n")
    if configuration.get("needs_restart"):
        show(
            f"Changed in the configuration, but only a restart takes it: {', '.join(configuration['needs_restart'])}\n"
        )
    mappings = [
        (
            each["name"],
            each["state"],
            each.get("origin", "file"),
            each["function"],
            *(each["counts"][name] for name in ("fetched", "delivered", "filtered", "discarded", "undecided")),
            _lag(each["flow"] or {}),
            "; ".join(filter(None, (each["reason"], each["trouble"]))),
        )
        for each in status["mappings"]
    ]
    head = (
        "MAPPING",
        "STATE",
        "FROM",
        "FUNCTION",
        "FETCHED",
        "DELIVERED",
        "FILTERED",
        "DISCARDED",
        "UNDECIDED",
        "LAG",
        "REASON",
    )
    show(table(head, mappings) + "\n")
    functions = [
        (
            each["name"],
            "up" if each["up"] else "down",
            f"{each['in_flight']}/{each['limit'] or '-'}",
            each["what"],
            each["cause"],
        )
        for each in status["functions"]
    ]
    show(table(("FUNCTION", "STATE", "IN FLIGHT", "IS", "CAUSE"), functions))


def _lag(flow: dict[str, Any]) -> str:
    """In records where the source says it, else the age of what is invoked."""
    if flow.get("lag_records") is not None:
        return str(flow["lag_records"])
    return _seconds(flow.get("lag_seconds"))


def _seconds(number: float | None) -> str:
    return "-" if number is None else f"{number:.1f} s"


# --- one mapping ----------------------------------------------------------------------------------------------------


def _one(url: str, arguments: argparse.Namespace) -> int:
    mapping = ask(url, f"/v1/mappings/{part(arguments.mapping)}")
    if arguments.output == "json":
        show_json(mapping)
    else:
        _show_mapping(mapping, mapping["flow"])
    good = mapping["state"] in ("polling", "disabled", "paused") and not mapping["trouble"]
    return Exit.OK if good or not arguments.strict else Exit.FAILURE


def _show_mapping(mapping: dict[str, Any], flow: dict[str, Any]) -> None:
    facts = [
        ("mapping", f"{mapping['name']} ({mapping['uuid']})"),
        ("state", f"{mapping['state']} since {moment(flow['since'])}"),
        ("reason", mapping["reason"]),
        ("source", mapping["source"]),
        ("function", mapping["function"]),
        ("destination", " ".join(filter(None, (mapping["destination"], mapping["trouble"])))),
        ("filters", _filters(flow)),
        ("lag", _lag(flow)),
        ("last error", _error(flow["last_error"])),
        ("last discard", _document(flow["last_document"])),
    ]
    show(table(("", ""), [fact for fact in facts if fact[1]]).lstrip("\n") + "\n")
    spans = ("1s", "1m", "15m")
    rates = [(name, *(f"{rate[span]:.1f}" for span in spans)) for name, rate in flow["rates"].items()]
    show(table(("RECORDS A SECOND", *spans), rates) + "\n")
    lanes = [
        (lane["lane"], lane["position"], _lag(lane), moment(lane["blocked_since"]) if lane["blocked_since"] else "")
        for lane in flow["lanes"]
    ]
    _show_some(("LANE", "POSITION", "LAG", "BLOCKED SINCE"), lanes)
    flights = [
        (*_batch(each), f"{each['seconds']:.1f} s", _seconds(each["visibility_left"]), each["request_id"])
        for each in flow["in_flight"]
    ]
    _show_some(("IN FLIGHT", "FIRST", "RECORDS", "ATTEMPT", "FOR", "HIDDEN FOR", "REQUEST"), flights)
    retries = [(*_batch(each), f"{each['next_in']:.1f} s", moment(each["since"])) for each in flow["retrying"]]
    _show_some(("RETRYING", "FIRST", "RECORDS", "ATTEMPT", "NEXT IN", "SINCE"), retries)


def _batch(each: dict[str, Any]) -> list[object]:
    return [each[name] for name in ("lane", "first", "records", "attempt")]


def _show_some(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        show(table(head, rows) + "\n")


def _filters(flow: dict[str, Any]) -> str:
    if flow["refused"] is None:
        return ""
    every = ", every record so far" if flow["refused_everything"] else ""
    return f"refused {flow['refused']:.1%}{every}"


def _error(error: dict[str, Any] | None) -> str:
    return f"{error['text']} ({error['kind']}, request {error['request_id']}, {moment(error['at'])})" if error else ""


def _document(document: dict[str, Any] | None) -> str:
    if document is None:
        return ""
    where = f"{document['destination']} has it" if document["destination"] else document["cause"] or "nobody has it"
    return f"{document['records']} records ({document['reason']}), {moment(document['at'])}: {where}"


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
