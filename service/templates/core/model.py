"""What is taken of a project, whatever its format: functions, mappings, sources that could be made, and what is not
taken, with the reason. Pure. Values alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ....config.reasons import Reason
from .values import Spot, TemplateValue


class CodeKind(Enum):
    """Where the code of a function comes from."""

    PATH = "path"
    INLINE = "inline"
    S3 = "s3"
    IMAGE = "image"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An object in S3."""

    bucket: str
    key: str
    version: str = ""

    @classmethod
    def of_url(cls, url: str) -> ObjectPlace:
        """`s3://bucket/key`."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class CodeOrigin:
    """`text`: a path that is relative to the file of the template, the code itself, an object's key, an image's URI.
    `others`: paths that will do too, the best first. `place`: of an object whose bucket is known too."""

    kind: CodeKind
    text: str = ""
    others: tuple[str, ...] = ()
    place: ObjectPlace | None = None

    @classmethod
    def of_object(cls, bucket: str, key: str, version: str = "") -> CodeOrigin:
        """Parts that nobody can tell are empty."""
        return cls(CodeKind.S3, key, place=ObjectPlace(bucket, key, version) if bucket and key else None)

    @classmethod
    def of_url(cls, url: str) -> CodeOrigin:
        place = ObjectPlace.of_url(url)
        return cls.of_object(place.bucket, place.key)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of something that is taken all the same: a variable without a value, a layer that is not here."""

    what: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class TemplateFunction:
    """A function as a template has it."""

    id: str
    name: str
    spot: Spot
    runtime: str
    handler: str
    code: CodeOrigin
    timeout: TemplateValue | None = None
    memory_size: TemplateValue | None = None
    role: str = ""
    environment: Mapping[str, TemplateValue] = field(default_factory=dict)
    layers: tuple[CodeOrigin, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    build: str = ""
    """The `BuildMethod` of the template: its code is made by a build."""
    notes: tuple[str, ...] = ()

    def with_notes(self, *notes: str) -> TemplateFunction:
        return replace(self, notes=(*self.notes, *notes))


@dataclass(frozen=True, slots=True)
class TemplateMapping:
    """A mapping as a template has it: `fields` by the names of our configuration."""

    id: str
    name: str
    spot: Spot
    function: str
    fields: Mapping[str, TemplateValue]
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Where the records come from, for people."""
        given = self.fields.get("source")
        if given is not None:
            return str(given.held)
        topics = self.fields.get("topics")
        names = [str(each.held) for each in topics.held] if topics is not None and isinstance(topics.held, list) else []
        return f"topic {', '.join(names)}"


class CreationKind(Enum):
    """What can be made at an endpoint, in the order in which it is made."""

    QUEUE = "queue"
    STREAM = "stream"
    TABLE = "table"
    TOPIC = "topic"
    BUCKET = "bucket"


@dataclass(frozen=True, slots=True)
class Creation:
    """A source or a destination that the template declares. `settings`: the arguments of the call that makes it,
    besides the name."""

    id: str
    kind: CreationKind
    name: str
    spot: Spot
    settings: Mapping[str, object] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    """Names of queues that must be there before."""
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Something that the template has and that does not run here."""

    id: str
    part: str
    """`function`, `mapping`, `event`, `source`, `stack`, `file`."""
    spot: Spot
    reason: Reason
    name: str = ""
    """The name of the function, as far as it is known."""

    @property
    def counts(self) -> bool:
        """Whether a strict start minds: events that are no mappings were never ours."""
        return self.part != "event"


@dataclass(frozen=True, slots=True)
class TakenParts:
    """All of a project."""

    functions: tuple[TemplateFunction, ...] = ()
    mappings: tuple[TemplateMapping, ...] = ()
    creations: tuple[Creation, ...] = ()
    not_taken: tuple[NotTaken, ...] = ()
    notes: tuple[str, ...] = ()

    def joined(self, other: TakenParts) -> TakenParts:
        return TakenParts(
            self.functions + other.functions,
            self.mappings + other.mappings,
            self.creations + other.creations,
            self.not_taken + other.not_taken,
            self.notes + other.notes,
        )
