"""For tests of other people: a daemon in a fixture of pytest, and the suites that plug-ins are held to.

The modules import pytest, which Headrace does not depend on; nothing else of the product imports this room.
"""

from __future__ import annotations
