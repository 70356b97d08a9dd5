"""What a kind of source says of itself: its ARNs, its limits, its fields, its rules, and the facts that others ask for.

One `SourceKind` for each kind, in a file of its own; `table.py` lists them. No code outside asks which kind it is: code
that acts differently for a kind asks for a named fact, and a missing fact becomes one more member here. What becomes of
a kind's records is in `dispatch/kinds/`, how it is read in `pollers/`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ..fields.arn import Arn, ArnForm
from ..fields.mapping_fields import MappingFields
from ..fields.mapping_limits import POLLERS_MIN, Support


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """The numbers of one kind. Windows are in seconds."""

    batch_size: int
    """The default."""
    batch_size_max: int
    window: float
    """The default."""
    window_max: int
    """0 where a window cannot be set."""


# --- rules ------------------------------------------------------------------------------------------------------------


class Wording(Enum):
    """What stands in `Violation.what`."""

    PREDICATE = "goes on from the name of the field"  # must be 1
    CLAUSE = "has a subject of its own, and stands beside the name of the field"  # the protocol SSL has no login
    SENTENCE = "is a whole sentence, AWS's own wherever that is known"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a mapping breaks, and the field to blame."""

    field: str
    what: str
    """AWS's own text wherever it is known, so that the API can answer with it."""
    hint: str = ""
    """What to do, in our words."""
    wording: Wording = Wording.PREDICATE


def sentence(field: str, what: str, hint: str = "") -> Violation:
    return Violation(field, what, hint, Wording.SENTENCE)


@dataclass(frozen=True, slots=True)
class RuleContext:
    """What rules need to know besides the mapping."""

    now: float
    """Seconds since the epoch."""
    shortest_age: int
    """Seconds that MaximumRecordAgeInSeconds has at least."""


Rules = Callable[[MappingFields, RuleContext], Iterator[Violation]]
"""Every rule that a mapping of the kind breaks, in the order in which AWS looks."""
Notes = Callable[[MappingFields], Iterator[Violation]]


def nothing(mapping: MappingFields) -> Iterator[Violation]:
    """The notes of a kind without any."""
    yield from ()


@dataclass(frozen=True, slots=True)
class FieldRefusal:
    """What is said of a field that a kind does not have, where AWS or we have better words than for any other field."""

    what: str = ""
    hint: str = ""
    zero_is_none: bool = False
    """A 0 asks for nothing, so it is not refused."""


# --- two mappings of one source ---------------------------------------------------------------------------------------


def arn_of(mapping: MappingFields) -> str:
    """The ARN of a mapping's source: the defaults of the facts below are made of it."""
    assert mapping.source, _GIVE_YOUR_OWN
    return mapping.source


_GIVE_YOUR_OWN = (
    "a kind that has sources without an ARN must give its own `place`, and in `identity` its own `named_in`, `claims`, "
    "`same` and `duplicate`; where it keeps positions, also `positions_in`"
)


def same_arn(mapping: MappingFields, other: MappingFields) -> bool:
    return arn_of(mapping) == other.source


def nothing_shared(mapping: MappingFields, other: MappingFields) -> Violation | None:
    return None


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """When two mappings are in each other's way. The defaults are for sources that have an ARN: when they have the same
    one. For a source without an ARN they fail with an
    AssertionError that says what to give."""

    named_in: Callable[[MappingFields], str] = lambda mapping: "source" if arn_of(mapping) else ""
    """The field that names the source."""
    claims: Callable[[MappingFields], Iterable[Hashable]] = lambda mapping: [arn_of(mapping)]
    """Two mappings that have none of these in common are not in each other's way."""
    same: Callable[[MappingFields, MappingFields], bool] = same_arn
    """Whether they have the same source."""
    duplicate: Callable[[MappingFields], str] = lambda mapping: (
        f'The event source arn (" {arn_of(mapping)} ") and function (" {mapping.function_name} ") provided mapping'
    )
    """How AWS begins to say that a mapping of this source and this function exists already."""
    shared: Callable[[MappingFields, MappingFields], Violation | None] = nothing_shared
    """What else they must not have in common."""


# --- the API ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ApiWords:
    """What the API says of a mapping of the kind, and what it refuses."""

    shows: Mapping[str, object]
    """The fields that are shown besides those of every kind, each with what is shown where none was given; None for
    nothing."""
    parts: Mapping[str, tuple[Support, str]] = field(default_factory=dict)
    """What becomes of members of its fields, where that is not what becomes of the field: by the API's path, which may
    be about one value (`Path=VALUE`), with the reason."""
    changed_by_user: str = "USER_INITIATED"
    """`StateTransitionReason`, while nothing is wrong."""
    shows_trouble: bool = False
    """`StateTransitionReason` is the code of what keeps an enabled mapping from its work."""
    shows_result: bool = True
    """`LastProcessingResult` is shown."""
    missing: str = "Stream not found: {source}"
    """A creation is refused with this while there is no such source."""
    unreadable: str = "Cannot access stream {source}. {code}: {message}"
    """The same for a source that is there and cannot be read."""
    stricter: Notes = nothing
    """What the API refuses and a configuration file may say."""


UNRECOGNIZED = "Unrecognized event source."
"""AWS's text for a source of no kind."""


# --- servers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NamedServers:
    """Servers that a mapping itself names. The guard against real AWS looks at them, because no endpoint of AWS is
    asked for them."""

    of: Callable[[MappingFields], Iterable[str]]
    """Each is `host:port` or a URL."""
    noun: str
    """The word for them, in the plural."""
    harm: str
    """What Headrace would do to real data there: it goes on from "Headrace would"."""


def nothing_unfinished(mapping: MappingFields) -> Violation | None:
    return None


# --- the whole --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class SourceKind:
    """One kind of source."""

    name: str
    """The name in labels of metrics and in `headrace status`."""
    title: str
    """The name of the kind in messages, in the singular."""
    noun: str
    """The word for it in the middle of a sentence: queue, stream, topic."""
    sources: str
    """Which sources a mapping may name and how, for the page of the configuration: sentences in Markdown."""
    recognises: Callable[[MappingFields], bool]
    """Whether the source of a mapping is of this kind. The first kind of the table that says so has it."""
    limits: SourceLimits
    honours: frozenset[str]
    """The fields that it has besides those that every kind has (`support.py`), by the names of the model."""
    rules: Rules
    services: Callable[[MappingFields], Iterable[str]]
    """The services of AWS that it calls, by botocore's names, the source's own first; none where nothing of AWS is
    called. The guard against real AWS looks at them. Of a mapping that breaks no rule."""
    api: ApiWords
    identity: SourceIdentity = field(default_factory=SourceIdentity)
    form: ArnForm | None = None
    """What its ARNs look like; None where whatever it recognises will do."""
    refusals: Mapping[str, FieldRefusal] = field(default_factory=dict)
    """By field."""
    notes: Notes = nothing
    """What is allowed and has no effect here."""
    pollers_min: int = POLLERS_MIN
    """Pollers in provisioned mode at least."""
    retries_with_destination: int | None = None
    """What AWS makes of retries without end where there is a failure destination; None: no end."""
    place: Callable[[MappingFields], str] = arn_of
    """Where the records come from, for people."""
    servers: NamedServers | None = None
    """The servers that its mappings may name; None where AWS's services are asked alone."""
    names_source: frozenset[str] = frozenset()
    """The fields that name a source of this kind besides `source`: none where every source has an ARN."""
    unfinished: Callable[[MappingFields], Violation | None] = nothing_unfinished
    """Why a mapping that no kind recognises is an unfinished one of this kind; None when it is none."""
    talkative: frozenset[str] = frozenset()
    """The packages of its clients that log temporary conditions, or errors that they also raise."""
    competing: bool = False
    """A record that one reader takes is invisible to all others. If false, every reader sees every record."""
    has_visibility: bool = False
    """Records are lent for a visibility timeout, which must not be less than the function's timeout."""
    keeps_positions: bool = False
    """The state directory stores its positions."""
    positions_in: Callable[[MappingFields, str], bool] = lambda mapping, source: mapping.source == source
    """Whether a mapping may have stored positions under this source, by its ARN."""
    has_iterator_age: bool = False
    """The age of a batch's last record tells how late the function is."""
    undeployed: Callable[[Arn], Arn] = lambda arn: arn
    """The ARN that is known before a deployment: without the part that AWS adds when it creates the source."""
    has_offset_lag: bool = False
    """The source tells how many records are behind what is committed."""
    plural: str = ""
    """The plural of the title, where it is not the title plus 's'."""

    def address(self, mapping: MappingFields) -> str:
        """Where the source is, as far as the mapping itself says it; empty where an endpoint of AWS is asked."""
        return ",".join(self.servers.of(mapping)) if self.servers else ""

    @property
    def titles(self) -> str:
        """The plural of the title, for messages."""
        return self.plural or f"{self.title}s"

    def __str__(self) -> str:
        return self.name
