"""Connections to Kafka brokers: the only place that knows security protocols, mechanisms and credentials.

Used by the source, the `kafka://` destination and whatever else talks to a broker: each asks its `BrokerAccess` for the
arguments of its aiokafka client, and says in its own words what failed (`translate`, `Access.explain`).
"""

from __future__ import annotations

from .access import MappingAccess
from .connection import BrokerAccess, KafkaConnection, servers_of
from .faults import partition_of, translate

__all__ = ["BrokerAccess", "KafkaConnection", "MappingAccess", "partition_of", "servers_of", "translate"]
