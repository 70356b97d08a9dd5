"""AWS's own translator for SAM templates, where it is installed (`headrace[templates]`).

It is handed what matters here (`core/sam_pruning.py`). What it refuses is read without it (`core/sam.py`), and that is
said. Nothing raises, whatever it does with a template: it is AWS's code, for AWS's deployments.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...config.nodes import Node
from .core import sam_pruning
from .core.formats import TemplateFormat
from .project import RootTemplate


@dataclass(frozen=True, slots=True)
class SamTranslation:
    document: Node
    notes: tuple[str, ...] = ()


def translated(root: RootTemplate, region: str, parameters: Mapping[str, str]) -> SamTranslation:
    """The template as one of CloudFormation: as the translator has it, else as we read it."""
    if root.format is not TemplateFormat.SAM or root.source is None:
        return SamTranslation(root.document)
    try:
        from samtranslator.parser.parser import Parser
        from samtranslator.translator.arn_generator import ArnGenerator
        from samtranslator.translator.translator import Translator
    except ImportError:
        return SamTranslation(root.document)
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    ArnGenerator.BOTO_SESSION_REGION_NAME = region  # it would ask boto3, which knows none
    asked: Any = sam_pruning.pruned(root.source)
    try:
        answer = Translator({}, Parser(), boto_session=_OfRegion(region)).translate(asked, dict(parameters))
    except Exception as fault:
        return SamTranslation(root.document, (f"{root.path}: {_refusal(fault)}: read without it",))
    return SamTranslation(sam_pruning.grafted(root.document, answer))


@dataclass(frozen=True, slots=True)
class _OfRegion:
    """What the translator asks of a session of boto3."""

    region_name: str


def _refusal(fault: Exception) -> str:
    """What the translator minds, in one line."""
    causes = getattr(fault, "causes", None) or [fault]
    said = "; ".join(str(getattr(cause, "message", cause)) for cause in list(causes)[:2])
    return f"aws-sam-translator refuses it ({' '.join(said.split())[:300]})"
