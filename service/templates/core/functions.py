"""A function of CloudFormation, as far as a template says it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ....config.function import RESERVED, VARIABLE_FORM
from ....config.reasons import Reason, ReasonCode
from . import naming
from .model import CodeKind, CodeOrigin, LeftOut, NotTaken, TakenParts, TemplateFunction
from .options import TemplateOptions
from .stack import Stack
from .values import Spot, TemplateValue, Unresolved, items_of, member, members_of, not_resolved, text_of

_PLACE = ("S3Bucket", "S3Key", "S3ObjectVersion")
GLOBAL_VARIABLES = "Parameters"
"""The member of a file of variables that holds those of all functions."""


def take(stack: Stack, logical_id: str, spot: Spot, options: TemplateOptions) -> TakenParts:
    """The function, or why it is not taken."""
    name = stack.physical_name(logical_id)
    if isinstance(name, Unresolved):
        return _left(stack, logical_id, spot, name.reason.of("FunctionName"))
    properties = stack.property(logical_id)
    if properties is not None and isinstance(properties.held, Unresolved):
        return _left(stack, logical_id, spot, properties.held.reason, name)
    fields = members_of(properties)
    code = _code(stack, logical_id, fields)
    texts: dict[str, str] = {}
    for key in ("Runtime", "Handler"):
        text = text_of(fields[key]) if key in fields else ""
        if isinstance(text, Unresolved):
            return _left(stack, logical_id, spot, text.reason.of(key), name)
        texts[key] = text
    if isinstance(code, Unresolved):
        return _left(stack, logical_id, spot, code.reason.of("Code"), name)
    package = fields.get("PackageType")
    if code.kind is CodeKind.IMAGE or (package is not None and package.held == "Image"):
        return _left(stack, logical_id, spot, Reason(ReasonCode.NOT_TAKEN, image_advice(name)), name)
    for key in ("Timeout", "MemorySize"):
        if key in fields and isinstance(unknown := fields[key].held, Unresolved):
            return _left(stack, logical_id, spot, unknown.reason.of(key), name)
    layers = _layers(stack, fields, options)
    if isinstance(layers, Unresolved):
        return _left(stack, logical_id, spot, layers.reason, name)
    environment, left_out = variables(
        members_of(member(properties, "Environment", "Variables")), (stack.id_of(logical_id), logical_id, name), options
    )
    role = text_of(fields["Role"]) if "Role" in fields else ""
    return TakenParts(
        functions=(
            TemplateFunction(
                stack.id_of(logical_id),
                name,
                spot,
                texts["Runtime"],
                texts["Handler"],
                code,
                fields.get("Timeout"),
                fields.get("MemorySize"),
                role if isinstance(role, str) else "",
                environment,
                tuple(layer for layer in layers if isinstance(layer, CodeOrigin)),
                (*left_out, *(layer for layer in layers if isinstance(layer, LeftOut)), *_not_a_mapping(fields)),
                _build_method(stack, logical_id),
            ),
        )
    )


def _left(stack: Stack, logical_id: str, spot: Spot, reason: Reason, name: str = "") -> TakenParts:
    return TakenParts(not_taken=(NotTaken(stack.id_of(logical_id), "function", spot, reason, name),))


def image_advice(name: str) -> str:
    return (
        "is a container image: start it with its Runtime Interface Emulator, and name its URL in a configuration file "
        f"that is given too (functions: {{{name}: {{http: http://HOST:PORT/2015-03-31/functions/function/invocations}}}})"
    )


def _not_a_mapping(fields: Mapping[str, TemplateValue]) -> Iterator[LeftOut]:
    """The environment as a whole may be what is not known."""
    given = fields.get("Environment")
    found = given if given is not None and isinstance(given.held, Unresolved) else member(given, "Variables")
    if found is not None and isinstance(unknown := found.held, Unresolved):
        yield LeftOut("the environment", unknown.reason)


def _build_method(stack: Stack, logical_id: str) -> str:
    node = stack.part(logical_id, "Metadata", "BuildMethod")
    return node.value if node is not None and isinstance(node.value, str) else ""


# --- code -------------------------------------------------------------------------------------------------------------


def _code(stack: Stack, logical_id: str, fields: Mapping[str, TemplateValue]) -> CodeOrigin | Unresolved:
    """CDK and SAM leave the path of an asset beside the function, in whatever else `Code` says."""
    asset = _asset(stack, logical_id)
    given = fields.get("Code")
    if given is None:
        return asset or CodeOrigin(CodeKind.NOWHERE)
    if isinstance(given.held, str):
        return asset or _named(given.held)
    if isinstance(given.held, Unresolved):
        return asset or given.held
    for key, kind in (("ZipFile", CodeKind.INLINE), ("ImageUri", CodeKind.IMAGE)):
        if key in members_of(given):
            text = text_of(members_of(given)[key])
            return CodeOrigin(kind) if isinstance(text, Unresolved) and kind is CodeKind.IMAGE else _origin(kind, text)
    if asset is not None:
        return asset
    return _object(given) if "S3Key" in members_of(given) else CodeOrigin(CodeKind.NOWHERE)


def _named(text: str) -> CodeOrigin:
    return CodeOrigin.of_url(text) if text.startswith("s3://") else CodeOrigin(CodeKind.PATH, text)


def _object(given: TemplateValue | None) -> CodeOrigin:
    """An object in S3; what nobody can tell of it stays open."""
    found = [text_of(value) if (value := member(given, key)) is not None else "" for key in _PLACE]
    return CodeOrigin.of_object(*("" if isinstance(text, Unresolved) else text for text in found))


def _origin(kind: CodeKind, text: str | Unresolved) -> CodeOrigin | Unresolved:
    return text if isinstance(text, Unresolved) else CodeOrigin(kind, text)


def _asset(stack: Stack, logical_id: str) -> CodeOrigin | None:
    node = stack.part(logical_id, "Metadata", "aws:asset:path")
    if node is None or not isinstance(node.value, str):
        return None
    holder = stack.part(logical_id, "Metadata", "aws:asset:property")
    is_image = holder is not None and isinstance(holder.value, str) and "ImageUri" in holder.value
    return CodeOrigin(CodeKind.IMAGE if is_image else CodeKind.PATH, node.value)


# --- layers -----------------------------------------------------------------------------------------------------------


def _layers(
    stack: Stack, fields: Mapping[str, TemplateValue], options: TemplateOptions
) -> list[CodeOrigin | LeftOut] | Unresolved:
    """Those whose content is beside the template. For another one the function is not taken, unless layers may be
    left out."""
    found: list[CodeOrigin | LeftOut] = []
    for item in items_of(fields.get("Layers")):
        text = text_of(item)
        layer = _layer(stack, text, options)
        if isinstance(layer, CodeOrigin):
            found.append(layer)
            continue
        named = text if isinstance(text, str) else "a layer"
        if not options.without_layers:
            return not_resolved(f"{named} {layer}{layer_advice(text)}")
        found.append(LeftOut(f"the layer {named}", Reason(ReasonCode.CODE_MISSING, f"{layer}: it is left out")))
    return found


def layer_advice(arn: str | Unresolved) -> str:
    """The end of a sentence about a layer that is not to be had."""
    without = "leave layers out with --without-layers"
    return f"; {without}" if isinstance(arn, Unresolved) else f": name it with the setting 'layers', or {without}"


def _layer(stack: Stack, text: str | Unresolved, options: TemplateOptions) -> CodeOrigin | str:
    """The content of a layer; why it is not to be had, as the end of a sentence."""
    if isinstance(text, Unresolved):
        return f"is not known: {text.reason}"
    if (path := options.given_layer(text)) is not None:
        return CodeOrigin(CodeKind.PATH, path)
    for logical_id in stack.resources:
        if stack.kind_of(logical_id) != naming.LAYER:
            continue
        arn = stack.reference(logical_id, Spot(stack.file))
        if arn is not None and text_of(arn) == text:
            content = _content(stack, logical_id)
            return content if content.text else "has no content on this machine"
    return "is not in the template, so its content is not on this machine"


def _content(stack: Stack, logical_id: str) -> CodeOrigin:
    asset = _asset(stack, logical_id)
    given = stack.property(logical_id, "Content")
    if asset is not None:
        return asset
    return _named(given.held) if given is not None and isinstance(given.held, str) else _object(given)


# --- environment ------------------------------------------------------------------------------------------------------


def variables(
    declared: Mapping[str, TemplateValue], names: tuple[str, ...], options: TemplateOptions
) -> tuple[dict[str, TemplateValue], list[LeftOut]]:
    """The variables of a function, and those that it runs without. `names`: how it may be called in what the user
    gives, the most general last."""
    found: dict[str, TemplateValue] = {}
    left_out: list[LeftOut] = []
    common = options.environment.get(GLOBAL_VARIABLES, {})
    own = {key: text for name in reversed(names) for key, text in options.environment.get(name, {}).items()}
    for key, value in declared.items():
        text = own.get(key, common.get(key, text_of(value)))
        if isinstance(text, Unresolved):
            reason = Reason(text.reason.code, f"{text.reason.text}; --env-vars can give it too")
            left_out.append(LeftOut(f"the variable {key}", reason))
        elif key in RESERVED or not re.match(VARIABLE_FORM, key):
            reason = Reason(ReasonCode.MISCONFIGURED, "Lambda sets or refuses this name")
            left_out.append(LeftOut(f"the variable {key}", reason))
        else:
            found[key] = TemplateValue(text, value.spot)
    for key, text in own.items():
        if key not in declared and key not in RESERVED:
            found[key] = TemplateValue(text, Spot("--env-vars"))
    return found, left_out
