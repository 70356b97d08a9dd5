"""What the store of the control plane keeps, to those who make it and read it: documents by kind and key. Values only;
the store itself is `store/document_store.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Name = tuple[str, str]
"""Kind and key."""
Document = Mapping[str, Any]


class KeptDocuments(Protocol):
    """The store, to those who only read."""

    def all(self, kind: str) -> Mapping[str, Document]:
        """The documents of a kind by key."""
        ...
