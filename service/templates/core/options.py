"""What a user says beside a template, and what is known of the endpoint. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LOCAL_ACCOUNT_ID = "000000000000"


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """`bindings`: by logical id, the ARN or the queue's URL of what exists. `environment`: variables by logical id or
    name of a function, those under `Parameters` for all functions that declare them."""

    account: str = LOCAL_ACCOUNT_ID
    region: str = "us-east-1"
    endpoint_url: str = ""
    real: bool = False
    """Real AWS is meant: the accounts and regions of ARNs stay as they are."""
    stack: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    bindings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    without_layers: bool = False
    layers: Mapping[str, str] = field(default_factory=dict)
    """Paths of directories and zips by the ARN of a layer, or of one version of it."""

    def given_layer(self, arn: str) -> str | None:
        """The path that the settings have for a version of a layer."""
        return self.layers.get(arn) or self.layers.get(arn.rpartition(":")[0])

    @property
    def partition(self) -> str:
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def arn(self, service: str, resource: str, *, account: bool = True, region: bool = True) -> str:
        place = f"{self.region if region else ''}:{self.account if account else ''}"
        return f"arn:{self.partition}:{service}:{place}:{resource}"
