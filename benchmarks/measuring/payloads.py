"""Records of about 1 KB, all different: what every benchmark sends."""

from __future__ import annotations

import json


def order(index: int) -> dict[str, object]:
    customer = {"name": "x" * 40, "country": "DE", "vip": index % 2 == 0}
    return {
        "type": "order",
        "id": f"{index:016x}",
        "text": "y" * 150,
        "detail": {"state": "open", "n": index, "customer": customer},
        "items": [{"sku": f"sku-{at}", "qty": at, "price": 1.5 * at, "tags": ["a", "b"]} for at in range(9)],
    }


def bodies(number: int) -> list[str]:
    """JSON texts."""
    head, tail = json.dumps(order(0)).split(f"{0:016x}")
    middle, end = tail.split('"n": 0,')
    return [f'{head}{index:016x}{middle}"n": {index},{end}' for index in range(number)]


ORDERS = '{"body": {"type": ["order"]}}'
"""A pattern for a queue that all of them match."""
