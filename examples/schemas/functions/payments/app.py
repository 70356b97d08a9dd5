"""Payments arrive as JSON, whatever their schema's format."""

from __future__ import annotations

import base64
import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> None:
    for records in event["records"].values():
        for record in records:
            payment = json.loads(base64.b64decode(record["value"]))
            print(f"{payment['amount']}, read with schema {record['valueSchemaMetadata']['schemaId']}")
