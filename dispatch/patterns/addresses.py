"""IP addresses as EventBridge reads them. Used by the `cidr` operator and by literals that look like an address."""

from __future__ import annotations

import ipaddress
import re

_V4 = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}\.[0-9]{1,20}\.[0-9]{1,20}")
_V6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")


def packed(text: str) -> bytes | None:
    """The 4 or 16 bytes of an address, or None when the text is none.

    Leading zeros are decimal (`010.0.0.1` is `10.0.0.1`), and an IPv4 address mapped into IPv6 is the IPv4 address.
    """
    if _V4.fullmatch(text):
        return _packed_v4(text)
    if _V6.fullmatch(text):
        return _packed_v6(text)
    return None


def _packed_v4(text: str) -> bytes | None:
    numbers = [int(part) for part in text.split(".")]
    return bytes(numbers) if max(numbers) <= 255 else None


def _packed_v6(text: str) -> bytes | None:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped
    return address.packed if mapped is None else mapped.packed


def range_of(address: bytes, bits: int) -> tuple[bytes, bytes]:
    """First and last address of the block that an address lies in: host bits may be set, `10.0.0.5/24` is a block."""
    size = len(address)
    host_mask = (1 << (size * 8 - bits)) - 1
    last = int.from_bytes(address, "big") | host_mask
    return (last ^ host_mask).to_bytes(size, "big"), last.to_bytes(size, "big")
