"""The API's texts about mappings: first AWS's observed texts, then our own texts for the rest.

The texts of rules, and of what is said about one kind of source, are in `config/rules.py` and `config/kinds/`; `told`
makes a rule a sentence.
"""

from __future__ import annotations

import re
from typing import assert_never

from ....config.fields.spoken import aws_name
from ....config.kinds.profile import Violation, Wording

# --- observed ---------------------------------------------------------------------------------------------------------

NO_SUCH_MAPPING = "The resource you requested does not exist."
NO_SOURCE = "Unrecognized event source."
WRONG_REGION = "Event source region must match Lambda region {region}"
NO_FUNCTION = "Function does not exist"
ON_SUCCESS = "Unsupported DestinationConfig parameter for given event source mapping type."
BAD_FILTER = "Invalid filter pattern definition."
IN_USE = "Cannot {verb} the event source mapping because it is in use."
VISIBILITY = "Queue visibility timeout: {queue:g} seconds is less than Function timeout: {function:g} seconds"

# --- ours: AWS's texts are not known ----------------------------------------------------------------------------------

TOO_MANY_FILTERS = "FilterCriteria has {number} filters; at most {most} are allowed."
GROUP_IS_FOR_GOOD = "ConsumerGroupId cannot be changed."
SAME_GROUP = "ConsumerGroupId: {fault}."
OF_THE_FILE = (
    "The event source mapping {name!r} is defined in {file}: change it there, or start Headrace with --adopt "
    "(api.adopt) to let the API change it."
)
TAKEN_OVER = (
    "The event source mapping {uuid} was taken over from an emulator: delete it there, and Headrace follows; to pause "
    "it, update it here with Enabled=false."
)

_NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def in_aws_words(text: str) -> str:
    """The text with the API's names of fields."""
    return _NAME.sub(lambda found: aws_name(found[0]), text)


def told(violation: Violation) -> str:
    """A broken rule as one sentence: AWS's where it is one, else ours with the member that it is about."""
    match violation.wording:
        case Wording.SENTENCE:
            return violation.what
        case Wording.CLAUSE:
            return f"{aws_name(violation.field)}: {in_aws_words(violation.what)}"
        case Wording.PREDICATE:
            return f"{aws_name(violation.field)} {in_aws_words(violation.what)}"
        case _:
            assert_never(violation.wording)
