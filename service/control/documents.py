"""The documents of the control plane's store, by kind and key. Values only;
the store itself is `store/document_store.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Name = tuple[str, str]
"""Kind and key."""
Document = Mapping[str, Any]


class KeptDocuments(Protocol):
    """The store, for code that only reads."""

    def all(self, kind: str) -> Mapping[str, Document]:
        """The documents of a kind by key."""
        ...
