"""Which failure destinations AWS takes for a mapping whose kind of source has them. Pure.

Used by the kinds, and by `dispatch/destinations/aws.py` for mappings that the rules have not seen.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from collections.abc import Iterator

from ..fields.arn import Arn, ArnError
from ..fields.mapping_fields import PLUGIN_SCHEME, TOPIC_SCHEME, MappingFields, is_given
from . import sqs
from .profile import Violation, sentence

UNSUPPORTED = "Unsupported DestinationConfig parameter for given event source mapping type."
DESTINATIONS = "a standard queue, a standard topic or a bucket"


def destination_rules(mapping: MappingFields, *, topics: bool = False) -> Iterator[Violation]:
    """`topics`: a topic in the cluster of the source will do, unless it is the source."""
    config = mapping.destination_config
    if config is None:
        return
    if is_given(config.on_success):
        yield sentence("destination_config", UNSUPPORTED, "a mapping has on_failure only")
    given = config.on_failure.destination if config.on_failure else None
    if topics and mapping.failure_topic:
        if mapping.failure_topic in (mapping.topics or ()):
            what = f"on_failure: {given} is the source: its failure documents would come back forever"
            yield Violation("destination_config", what, "name another topic")
    elif given and (fault := _fault(given)):
        yield Violation("destination_config", f"on_failure: {given} {fault}", f"give the ARN of {DESTINATIONS}")


def _fault(text: str) -> str:
    """Why this cannot be a failure destination that is no topic of the source's cluster; empty when it can."""
    if text.startswith(TOPIC_SCHEME):
        return "is a Kafka topic, and only Kafka mappings can have one"
    if text.startswith(PLUGIN_SCHEME):
        return ""
    try:
        return unfit(Arn.parse(text))
    except ArnError as error:
        return str(error)


def unfit(arn: Arn) -> str:
    """Why a failure destination cannot have this ARN; empty when it can."""
    match arn.service:
        case sqs.SERVICE:
            return _unfit_queue(arn)
        case "sns":
            return "is a FIFO topic, which AWS does not allow" if arn.is_fifo else ""
        case "s3":
            return "names more than a bucket" if "/" in arn.resource else ""
        case service:
            return f"is of the service {service!r}"


def _unfit_queue(arn: Arn) -> str:
    try:
        sqs.FORM.check(arn)
    except ArnError as error:
        return str(error)
    return "is a FIFO queue, which AWS does not allow" if arn.is_fifo else ""
