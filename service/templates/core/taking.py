"""What is taken of the stacks of a project: functions, mappings, sources. Pure.

An unresolved source stops its mapping alone; an unresolved variable is left out of its function. What is not taken is
told with its logical id, its place and the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ....config.mapping import split_function
from ....config.reasons import Reason, ReasonCode
from . import creations, functions, mappings, naming
from .model import NotTaken, TakenParts, TemplateFunction, TemplateMapping
from .options import TemplateOptions
from .sam import OTHER_EVENTS
from .stack import Stack
from .values import Spot, Unresolved, spot_of

NO_MAPPING = "no event source mapping: Headrace polls queues, streams and topics, nothing else"


def take(stacks: Sequence[Stack], options: TemplateOptions) -> TakenParts:
    """All that is taken of these stacks and of those inside of them."""
    taken = TakenParts()
    for stack in stacks:
        taken = taken.joined(_of_stack(stack, options))
    return without_doubles(taken)


def _of_stack(stack: Stack, options: TemplateOptions) -> TakenParts:
    taken = TakenParts()
    for key, node in stack.document.items():
        if key.startswith("Fn::"):
            taken = taken.joined(_left(stack, key, "section", spot_of(node), _macro(key)))
    for logical_id, node in stack.section("Resources").items():
        spot = spot_of(node)
        if logical_id.startswith("Fn::"):
            taken = taken.joined(_left(stack, logical_id, "resource", spot, _macro(logical_id)))
        elif isinstance(node.value, dict):
            taken = taken.joined(_of_resource(stack, logical_id, stack.kind_of(logical_id), spot, options))
    return taken


def _macro(name: str) -> Reason:
    """What makes resources in AWS alone."""
    return Reason(ReasonCode.NOT_TAKEN, f"{name} is run by AWS alone: write out what it makes")


def _left(stack: Stack, logical_id: str, what: str, spot: Spot, reason: Reason) -> TakenParts:
    return TakenParts(not_taken=(NotTaken(stack.id_of(logical_id), what, spot, reason),))


WORDS: Mapping[str, str] = {
    naming.FUNCTION: "function",
    naming.MAPPING: "mapping",
    naming.STACK: "stack",
    **dict.fromkeys(creations.KINDS, "source"),
}
"""The kinds of resources that are looked at, and what each is to people."""


def _of_resource(stack: Stack, logical_id: str, kind: str, spot: Spot, options: TemplateOptions) -> TakenParts:
    if kind not in WORDS or stack.binding(logical_id):
        return TakenParts()
    exists = stack.exists(logical_id)
    if isinstance(exists, Unresolved):
        return _left(stack, logical_id, WORDS[kind], spot, exists.reason.of("its condition"))
    if not exists:
        return TakenParts()
    match kind:
        case naming.FUNCTION:
            events = tuple(_other_events(stack, logical_id))
            return functions.take(stack, logical_id, spot, options).joined(TakenParts(not_taken=events))
        case naming.MAPPING:
            return mappings.take(stack, logical_id, spot, options)
        case naming.STACK:
            child = stack.child(logical_id)
            if child is not None:
                return _of_stack(child, options)
            text = "its template is not a file beside this one: name that file too, or give a path in the template"
            return _left(stack, logical_id, "stack", spot, Reason(ReasonCode.CODE_MISSING, text))
        case _:
            return creations.take(stack, logical_id, spot, options)


def _other_events(stack: Stack, logical_id: str) -> Iterator[NotTaken]:
    node = stack.part(logical_id, OTHER_EVENTS)
    events = node.value if node is not None and isinstance(node.value, dict) else {}
    for event_id, event in events.items():
        given = event.value.get("Type") if isinstance(event.value, dict) else None
        kind = given.value if given is not None and isinstance(given.value, str) else "without a type"
        reason = Reason(ReasonCode.NOT_TAKEN, f"{kind} is {NO_MAPPING}")
        yield NotTaken(stack.id_of(f"{logical_id}.{event_id}"), "event", spot_of(event), reason)


# --- what is there twice ----------------------------------------------------------------------------------------------


def without_doubles(taken: TakenParts) -> TakenParts:
    """Functions of one name, the first of them alone; mappings with names of their own, to functions that are taken."""
    kept: dict[str, TemplateFunction] = {}
    left: list[NotTaken] = []
    for function in taken.functions:
        first = kept.setdefault(function.name, function)
        if first is not function:
            what = f"{first.id} ({first.spot}) is called {function.name} too; name one stack with --stack"
            left.append(NotTaken(function.id, "function", function.spot, Reason(ReasonCode.MISCONFIGURED, what)))
    renamed: dict[str, TemplateMapping] = {}
    for mapping in taken.mappings:
        name, number = mapping.name, 2
        while name in renamed:
            name, number = f"{mapping.name}-{number}", number + 1
        renamed[name] = TemplateMapping(mapping.id, name, mapping.spot, mapping.function, mapping.fields, mapping.notes)
    sources = {(each.kind, each.name): each for each in reversed(taken.creations)}
    creations_ = tuple(each for each in taken.creations if sources[each.kind, each.name] is each)
    return TakenParts(tuple(kept.values()), tuple(renamed.values()), creations_, (*taken.not_taken, *left), taken.notes)


def without_defined(taken: TakenParts, defined: frozenset[str]) -> TakenParts:
    """Without the functions that a configuration file defines: those are as the file says."""
    functions_ = tuple(each for each in taken.functions if each.name not in defined)
    left = tuple(each for each in taken.not_taken if not each.name or each.name not in defined)
    return TakenParts(functions_, taken.mappings, taken.creations, left, taken.notes)


def without_orphans(taken: TakenParts, elsewhere: frozenset[str] = frozenset()) -> TakenParts:
    """Mappings whose function is not taken are not taken either. `elsewhere`: functions that others define."""
    names = {function.name for function in taken.functions} | elsewhere
    gone = {left.id: left for left in taken.not_taken if left.part == "function"}
    kept, left = [], list(taken.not_taken)
    for mapping in taken.mappings:
        name = split_function(mapping.function)[0]
        if name in names:
            kept.append(mapping)
            continue
        why = f"its function {name} is not taken" if gone else f"there is no function {name} in what was read"
        hint = f"define {name} in a configuration file, and name that file too"
        left.append(NotTaken(mapping.id, "mapping", mapping.spot, Reason(ReasonCode.NOT_TAKEN, f"{why}; {hint}")))
    return TakenParts(taken.functions, tuple(kept), taken.creations, tuple(left), taken.notes)
