"""The base of the models of mappings and functions: two spellings of each field, and no unknown fields. A leaf.

The daemon's own settings (`config/settings.py`) have one spelling and another base.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

_WORDS = {"kms": "KMS", "uri": "URI", "uuid": "UUID", "db": "DB"}
_NAMES = {
    "source": "EventSourceArn",
    "function": "FunctionName",
    "kafka_bootstrap_servers": "KAFKA_BOOTSTRAP_SERVERS",
}
_FOLDED = {"eventsourcearn": "source", "functionname": "function"}


_OURS: set[str] = set()
"""The fields that AWS does not have, as the models mark them: the alias of such a field is its own name."""


def aws_name(name: str) -> str:
    """AWS's spelling of one of our field names: `batch_size` is `BatchSize`. A field that AWS does not have keeps its
    name."""
    if name in _OURS:
        return name
    return _NAMES.get(name) or "".join(_WORDS.get(word, word.capitalize()) for word in name.split("_"))


def folded(name: str) -> str:
    """What all spellings of a name have in common: `BatchSize`, `batchSize`, `batch-size`, `batch_size`."""
    plain = name.replace("_", "").replace("-", "").lower()
    return _FOLDED.get(plain, plain)


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"must be a whole number, not {json.dumps(value)}")
    return value


def counted(number: int, thing: str) -> str:
    """`1 mapping`, `2 mappings`: for nouns whose plural ends in s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


URL_FORM = r"^https?://[^\s/]+(/\S*)?$"
ACCOUNT_FORM = r"^[0-9]{12}$"
REGION_FORM = r"^[A-Za-z0-9-]+$"
KEY_ID_FORM = r"^[A-Za-z0-9_]{3,128}$"
LAYER_FORM = r"^arn:[A-Za-z0-9_-]+:lambda:[A-Za-z0-9_-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+(:[0-9]+)?$"

WHOLE = BeforeValidator(_no_boolean)
Whole = Annotated[int, WHOLE]
"""An integer. Text of digits is taken (a variable's value is text), true and false are not."""


def absolute(base: Path, path: str | Path) -> Path:
    """A path as a user means it: `~` is the home directory, relative ones start at `base`."""
    try:
        return base / Path(path).expanduser()
    except RuntimeError:  # there is no such user, so it is a directory of that name
        return base / path


class Spoken(BaseModel):
    """Unknown keys are refused, values do not change, a field is given once.

    A field without an alias is AWS's, under AWS's name as `aws_name` spells it. A field that AWS does not have gives
    its own name as its alias: `Field(None, alias="receivers")`.
    """

    model_config = ConfigDict(
        alias_generator=aws_name,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: object) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        _OURS.update(cls.ours())

    @classmethod
    def ours(cls) -> frozenset[str]:
        """The fields that AWS does not have."""
        return frozenset(name for name, field in cls.model_fields.items() if field.alias == name)

    @model_validator(mode="before")
    @classmethod
    def _one_spelling(cls, data: object) -> object:
        if isinstance(data, dict):
            for name, field in cls.model_fields.items():
                if field.alias != name and name in data and field.alias in data:
                    raise ValueError(f"gives one field twice, as {name!r} and as {field.alias!r}")
        return data
