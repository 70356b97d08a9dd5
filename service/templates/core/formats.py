"""Which format a document is of, and what to do with one that is only the source of a template. Pure."""

from __future__ import annotations

import re
from enum import Enum

from ....config.nodes import Node
from . import sam

_TYPE = re.compile(r"(AWS|Alexa|Custom)::[A-Za-z0-9:@_-]+|[A-Za-z0-9]+::[A-Za-z0-9]+::[A-Za-z0-9:]+")


class TemplateFormat(Enum):
    """What a file is. The names are for people."""

    SAM = "SAM"
    CLOUDFORMATION = "CloudFormation"
    CDK = "CDK"
    SERVERLESS = "Serverless"
    TERRAFORM = "Terraform"
    FRAGMENT = "a fragment of a template"
    CDK_MANIFEST = "CDK's manifest"
    SERVERLESS_SOURCE = "serverless.yml"
    TERRAFORM_STATE = "terraform.tfstate"
    OTHER = "no template"


_PACKAGE = (
    "run `serverless package`, then name this directory: Headrace reads what it leaves in .serverless. `serverless "
    "package` fails offline where functions have layers or variables begin with ${aws:}"
)
_SHOW = (
    "run `terraform apply` against the emulator, then `terraform show -json > state.json`, and name that file; a plan "
    "(`terraform plan -out=plan`, `terraform show -json plan > plan.json`) will do too"
)
ADVICE = {
    TemplateFormat.SERVERLESS_SOURCE: ("is the source of Serverless, which makes a template of it", _PACKAGE),
    TemplateFormat.TERRAFORM_STATE: (
        "is Terraform's own file of a state",
        "run `terraform show -json > state.json` beside it, and name that file",
    ),
}
"""What is said of a file that is no template yet, and what to do."""
TERRAFORM_SOURCE = ("holds Terraform's sources, and no plan or state that can be read", _SHOW)


def format_of(document: Node) -> TemplateFormat:
    """What a document is, by what stands in it."""
    members = document.value if isinstance(document.value, dict) else {}
    if "format_version" in members and ("values" in members or "planned_values" in members):  # `terraform show -json`
        return TemplateFormat.TERRAFORM
    if sam.is_sam(document):
        return TemplateFormat.SAM
    if "AWSTemplateFormatVersion" in members or _has_resources(members.get("Resources")):
        return TemplateFormat.CLOUDFORMATION
    if "artifacts" in members and "version" in members:
        return TemplateFormat.CDK_MANIFEST
    if {"lineage", "serial", "resources"} <= set(members):
        return TemplateFormat.TERRAFORM_STATE
    if "service" in members and "provider" in members:
        return TemplateFormat.SERVERLESS_SOURCE
    return TemplateFormat.FRAGMENT if _has_resources(document) else TemplateFormat.OTHER


def _has_resources(node: Node | None) -> bool:
    members = node.value if node is not None and isinstance(node.value, dict) else {}
    return any(_is_resource(member) for member in members.values())


def _is_resource(node: Node) -> bool:
    kind = node.value.get("Type") if isinstance(node.value, dict) else None
    return kind is not None and isinstance(kind.value, str) and _TYPE.fullmatch(kind.value) is not None


def whole(document: Node) -> Node:
    """A template around a fragment: resources that stand alone."""
    return Node({"Resources": document}, document.file, document.line)
