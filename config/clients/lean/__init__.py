"""The hot calls of AWS's API without the general client: fewer objects a call, the same endpoints, keys and errors."""

from __future__ import annotations
