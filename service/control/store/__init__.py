"""What the control plane keeps: documents and code on the disk, and the two objects that change them."""

from __future__ import annotations
