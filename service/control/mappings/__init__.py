"""Event source mappings as the Lambda API has them: what one is, what each call does to it, how it is shown. Pure."""

from __future__ import annotations
