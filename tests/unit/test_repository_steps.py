"""Steps that nobody may come between: each is a function that cannot wait, so the language holds it.

Tasks take turns where one waits, and nowhere else. So one function without `async` does what nobody must see half done,
and what must not stay half done when somebody is cancelled. The list says of each step why. Who moves a step names it
anew here; who makes one adds it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

STEPS = {
    "dispatch/invokers/local/pool.py": {
        "LocalInvoker._admit": "no more invocations run than there are places",
        "LocalInvoker._taken": "an environment that is in use is not ended for want of room",
        "LocalInvoker._made": "an environment that starts while the pool is closed ends with it",
        "LocalInvoker._kept": "an environment of old code, or of a closed pool, is not idle",
    },
    "dispatch/permits.py": {
        "Gate.move": "the next state of a gate is told, and wakes those who wait, before anybody sees it",
        "Permits._end": "a claim that ends leaves nothing behind, neither a permit nor a request",
    },
    "pollers/core/marks.py": {
        "Marks.done_in_window": "the state of a tumbling window never belongs to another position",
    },
    "pollers/feed.py": {
        "Feed._begin_no_more": "what is dropped of a lane is in no batch, and what is in a batch begins nothing",
        "Feed._booked": "the window that is stored with a position is that of its records, not of later ones",
        "Feed._delivered": "a slot is free when nobody works on it",
        "Feed._pump": "the loop sees a batch from the moment on in which it is in its slot",
    },
    "pollers/intake.py": {
        "Intake._arrived": "a lane that is taken away is waited for as soon as the feed has records of it",
    },
    "pollers/kafka/reader.py": {
        "KafkaReader._fetched": "records are given under the membership under which the client fetched them",
        "KafkaReader._gone": "a partition is leaving until it is not held",
        "KafkaReader._committed": "what is known of an offset is what was committed last",
    },
    "pollers/schemas/decoding.py": {
        "DecodingReader._admitted": "whoever takes a lane away finds all that waits of it",
    },
    "pollers/streams/source.py": {
        "StreamSource._put_to_work": "the shards that are wanted are those of the positions of this moment",
        "StreamSource._committed": "a shard that plans take for done is not wanted",
    },
    "pollers/supervisor.py": {
        "Supervisor._align": "a feed is begun once",
        "Supervisor._made": "a feed that is made while all are ended ends too",
    },
    "config/durable/writer.py": {
        "GroupWriter._answer": "what follows a stored job follows before anybody else has a turn",
    },
    "service/control/store/document_store.py": {
        "Documents._remember": "what is in memory is what is in the file",
    },
    "service/control/store/function_plane.py": {
        "FunctionPlane._remember": "a function that is durable is in memory, and told",
        "FunctionPlane._tell_regained": "code that is here again makes its functions Active, and that is told",
    },
    "service/control/store/attachments.py": {
        "Attachments._kept": "the content of a layer that was found is held before anybody deletes it",
    },
    "service/control/store/layer_plane.py": {
        "LayerPlane._remember": "a layer that is durable is in memory",
    },
    "service/control/store/mapping_plane.py": {
        "MappingPlane._remember": "a mapping that is durable is in memory, and told",
        "MappingPlane._forget": "a mapping that is gone from the file is gone from memory",
        "MappingPlane.settle": "a mapping is done when it is still the one that was done",
    },
    "service/async_invoke/deliveries.py": {
        "EventQueue._arrive": "an event that is durable has a lane",
        "EventQueue._taken": "no arrival is taken twice, and none is passed over",
        "Deliveries._take": "an event that is being delivered is in hand: it is waited for, and taken by nobody else",
        "Deliveries._is_done": "a lane is closed in the step in which nothing is left of it",
    },
    "service/async_invoke/store.py": {
        "EventStore._make_room": "the room that is left is that of what is in the file",
    },
    "service/running/reconciler.py": {
        "Reconciler._next": "a change that comes while a follower ends has another follower",
    },
    "service/running/mappings.py": {
        "RunningMappings.put": "a mapping is in one of the tables, and told",
        "RunningMappings._ended": "a mapping is out of the table when it is told",
    },
    "service/running/functions.py": {
        "RunningFunctions._await": "a function that is fetched for is probed",
        "RunningFunctions._left": "a function that nobody fetches for is not probed, and not found any more",
    },
    "service/running/function_references.py": {
        "Reference.look": "a function that is another one is not open, and permits no more than it should",
    },
}

ARRIVALS = {
    "pollers/intake.py": "_arrived",
    "pollers/kafka/reader.py": "_fetched",
    "pollers/schemas/decoding.py": "_admitted",
    "pollers/supervisor.py": "_made",
    "service/async_invoke/deliveries.py": "_take",
}
"""Steps that take in what was waited for, in the expression that waited: nothing can be put between the two."""


def function_of(tree: ast.Module, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    owner, _, method = name.partition(".")
    found = [
        each
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == owner
        for each in node.body
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == method
    ]
    return found[0] if found else None


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, steps in STEPS.items() for name in steps])
def test_a_step_that_nobody_may_come_between_cannot_wait(file: str, name: str) -> None:
    step = function_of(ast.parse((ROOT / file).read_text()), name)
    assert step is not None, f"{file} has no {name}: name its step anew in this list"
    waits = [each for each in ast.walk(step) if isinstance(each, ast.AsyncFunctionDef | ast.Yield | ast.YieldFrom)]
    assert not waits, f"{file}: {name} waits, but {STEPS[file][name]}"


@pytest.mark.parametrize(("file", "step"), ARRIVALS.items())
def test_what_was_waited_for_is_taken_in_by_the_expression_that_waited(file: str, step: str) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == step
    ]
    assert any(isinstance(argument, ast.Await) for call in calls for argument in call.args)
    for call in calls:
        direct = any(isinstance(argument, ast.Await | ast.Call) for argument in call.args)
        assert direct, f"{file}:{call.lineno}: {step} gets what was waited for earlier: others had a turn since"
