"""The control plane's storage: documents and code on the disk, and the two objects that change them."""

from __future__ import annotations
