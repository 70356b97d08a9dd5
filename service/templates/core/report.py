"""What a start tells of a template: each thing that is taken, as what, and each that is not, with the reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .configuration import ReadyFunction
from .model import Creation, NotTaken, TakenParts, TemplateFunction, TemplateMapping

Row = tuple[str, ...]
NOTHING = "there is no function and no mapping in it that Headrace could run"


@dataclass(frozen=True, slots=True)
class TemplateReport:
    """`headings`: a line for each template. `taken`: what is left of it now, with the functions that are ready."""

    headings: tuple[str, ...]
    functions: tuple[ReadyFunction, ...]
    taken: TakenParts
    will_create: bool = False
    warnings: tuple[str, ...] = field(default=())

    @property
    def faults(self) -> tuple[NotTaken, ...]:
        """What a strict start refuses: what does not run, and parts that are left out."""
        return tuple(left for left in self.taken.not_taken if left.counts)

    def taken_rows(self) -> list[Row]:
        """WHAT, LOGICAL ID, AT, AS."""
        return [
            *(("function", each.function.id, str(each.function.spot), _function(each)) for each in self.functions),
            *(
                ("mapping", each.id, str(each.spot), f"{each.source} to {each.function}")
                for each in self.taken.mappings
            ),
            *(("source", each.id, str(each.spot), self._source(each)) for each in self.taken.creations),
        ]

    def _source(self, each: Creation) -> str:
        return f"{each.kind.value} {each.name}" + ("" if self.will_create else ", waited for")

    def not_taken_rows(self) -> list[Row]:
        """WHAT, LOGICAL ID, AT, WHY."""
        return [
            *((each.part, each.id, str(each.spot), str(each.reason)) for each in self.taken.not_taken),
            *(_without(each) for each in self._parts()),
        ]

    def _parts(self) -> Iterator[tuple[str, str, str, str]]:
        for ready in self.functions:
            given = ready.function
            for left in given.left_out:
                yield "function", given.id, str(given.spot), f"{left.what}: {left.reason}"
        for creation in self.taken.creations:
            for left in creation.left_out:
                yield "source", creation.id, str(creation.spot), f"{left.what}: {left.reason}"

    def notes(self) -> list[str]:
        owners: Sequence[TemplateFunction | TemplateMapping] = (
            *(each.function for each in self.functions),
            *self.taken.mappings,
        )
        return [*self.taken.notes, *(f"{each.id}: {note}" for each in owners for note in each.notes)]

    def as_document(self) -> dict[str, object]:
        """For programs."""
        return {
            "templates": list(self.headings),
            "taken": [dict(zip(("what", "id", "at", "as"), row, strict=True)) for row in self.taken_rows()],
            "not_taken": [
                {
                    "what": each.part,
                    "id": each.id,
                    "at": str(each.spot),
                    "code": each.reason.code.value,
                    "why": each.reason.text,
                }
                for each in self.taken.not_taken
            ],
            "left_out": [{"what": what, "id": name, "at": at, "why": why} for what, name, at, why in self._parts()],
            "notes": self.notes(),
            "warnings": list(self.warnings),
        }


def _without(row: tuple[str, str, str, str]) -> Row:
    owner, name, at, why = row
    return f"part of {owner}", name, at, f"runs without {why}" if owner == "function" else f"without {why}"


def _function(ready: ReadyFunction) -> str:
    given = ready.function
    parts = [f"{given.name}: {ready.runtime}"]
    parts += [given.handler] if given.handler else []
    return ", ".join(parts) + f" in {ready.code}"
