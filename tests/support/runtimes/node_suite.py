"""The small functions for Node.js, and what is seen otherwise under AWS's public clients, with the reasons."""

from __future__ import annotations

from .cases import Case, Difference
from .node_answers import ANSWERS
from .node_loading import MODULES
from .node_logs import LOGS
from .node_surroundings import SURROUNDINGS

CASES: tuple[Case, ...] = (*ANSWERS, *SURROUNDINGS, *MODULES, *LOGS)

NEVER_SETTLES = Difference(
    "Lambda answers Runtime.NodeJsExit where an async handler, or an init, never settles "
    "(developer guide, 'Troubleshoot invocation issues in Lambda'); the public clients answer null, or just end.",
    (
        "a promise that never settles",
        "a promise that never settles after some time",
        "an init that never settles",
    ),
)
LAYERS = Difference(
    "Lambda finds packages of layers for ES modules too; the public clients leave it to Node.js, which does not.",
    ("imports a package of a layer",),
)
PLACE = Difference(
    "Our stack of a syntax error names file and line; that of the public clients does where Node.js happens to.",
    (
        "a syntax error",
        "a syntax error of an ES module",
        "a syntax error in what it requires",
        "a syntax error that the code raises",
        "imports a name that is missing",
        "ES syntax in a script",
        "a package that cannot be read",
    ),
)
RACE = Difference(
    "Version 4 of the public client asks for the next invocation before the answer to a stream that failed is through; "
    "where the Runtime API refuses that, it ends. Ours waits.",
    (
        "a stream that throws at once",
        "a stream that throws in the middle",
        "a stream that throws text",
        "a stream of a handler that is not async",
        "a stream with a content type that comes too late",
        "a stream that throws after its end",
        "a stream that rejects after its end",
    ),
    generation="promises",
    always=False,
)
DIFFERENCES = (NEVER_SETTLES, LAYERS, PLACE, RACE)


def differs(case: Case, generation: str) -> bool:
    return any(difference.concerns(case, generation) for difference in DIFFERENCES)
