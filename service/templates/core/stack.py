"""One stack: a template with the values of its parameters. It resolves functions, conditions and references, each name
once, and tells cycles. Pure.

    document + parameters ──► resolve(node) ──► a value, or why nobody can tell it

A nested stack is a stack whose parameters its parent gives. What another stack exports is asked of the project.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ....config.complaints import did_you_mean
from ....config.nodes import Node
from . import intrinsics, naming
from .intrinsics import NO_VALUE
from .options import TemplateOptions
from .values import (
    Spot,
    TemplateValue,
    Unresolved,
    malformed,
    not_resolved,
    spot_of,
    text_of,
)

DEPTH_MAX = 60
"""How deep values may refer to values, over all stacks of a project."""
NESTED_MAX = 8
"""Stacks inside of stacks."""
TOO_DEEP = malformed("values refer to values too deeply")
SSM = "AWS::SSM::Parameter::Value<"

Exports = Callable[[str], TemplateValue | None]
"""The value that a stack of the project exports under a name."""
Nested = Mapping[tuple[str, str], tuple[str, Node]]
"""By file and logical id of a nested stack, the file of its template and the document."""


@dataclass(slots=True)
class Stack:
    """`given`: the values that its parent, a flag or a file gives to parameters. `path`: the logical ids of the nested
    stacks that lead here."""

    name: str
    file: str
    document: Mapping[str, Node]
    options: TemplateOptions
    given: Mapping[str, TemplateValue]
    nested: Nested = field(default_factory=dict)
    exports: Exports = lambda name: None
    path: tuple[str, ...] = ()
    _known: dict[tuple[str, ...], TemplateValue | None] = field(default_factory=dict)
    _truths: dict[str, bool | Unresolved] = field(default_factory=dict)
    _children: dict[str, Stack] = field(default_factory=dict)
    _under_way: list[tuple[str, ...]] = field(default_factory=list)
    depth: list[int] = field(default_factory=lambda: [0])
    """How deep the values are that are being resolved; shared by all stacks of a project."""

    @property
    def region(self) -> str:
        return self.options.region

    def section(self, name: str) -> Mapping[str, Node]:
        node = self.document.get(name)
        return node.value if node is not None and isinstance(node.value, dict) else {}

    @property
    def resources(self) -> Mapping[str, Node]:
        return {key: node for key, node in self.section("Resources").items() if isinstance(node.value, dict)}

    def kind_of(self, logical_id: str) -> str:
        node = self.part(logical_id, "Type")
        return node.value if node is not None and isinstance(node.value, str) else ""

    def part(self, logical_id: str, *keys: str) -> Node | None:
        """What stands below a resource, unresolved."""
        node = self.section("Resources").get(logical_id)
        for key in keys:
            node = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
        return node

    def id_of(self, logical_id: str) -> str:
        """How a resource is shown: the logical id, behind those of the nested stacks around it."""
        return "/".join([*self.path, logical_id])

    # --- values -----------------------------------------------------------------------------------------------------

    def resolve(self, node: Node) -> TemplateValue | None:
        """The value; None for no value."""
        if self.depth[0] >= DEPTH_MAX:
            return TemplateValue(TOO_DEEP, spot_of(node))
        self.depth[0] += 1
        try:
            return self._resolve(node)
        finally:
            self.depth[0] -= 1

    def _resolve(self, node: Node) -> TemplateValue | None:
        if (found := intrinsics.function_of(node)) is not None:
            return intrinsics.call(self, *found)
        spot = spot_of(node)
        match node.value:
            case dict() as members:
                resolved = {key: self.resolve(member) for key, member in members.items()}
                return TemplateValue({key: value for key, value in resolved.items() if value is not None}, spot)
            case list() as items:
                values = [self.resolve(item) for item in items]
                return TemplateValue([value for value in values if value is not None], spot)
            case str() as text if (unknown := intrinsics.dynamic(text)) is not None:
                return TemplateValue(unknown, spot)
            case scalar:
                return TemplateValue(scalar, spot, node.written)

    def property(self, logical_id: str, *keys: str) -> TemplateValue | None:
        """A property of a resource, resolved."""
        node = self.part(logical_id, "Properties", *keys)
        return None if node is None else self.resolve(node)

    def _once(self, key: tuple[str, ...], spot: Spot, make: Callable[[], TemplateValue | None]) -> TemplateValue | None:
        """What is looked up under a name, which stands where it is looked up."""
        found = self._looked_up(key, spot, make)
        return None if found is None else replace(found, spot=spot)

    def _looked_up(
        self, key: tuple[str, ...], spot: Spot, make: Callable[[], TemplateValue | None]
    ) -> TemplateValue | None:
        if key in self._known:
            return self._known[key]
        if key in self._under_way:
            ring = [each[1] for each in self._under_way[self._under_way.index(key) :]]
            return TemplateValue(malformed(f"{' -> '.join([*ring, key[1]])} is a cycle"), spot)
        self._under_way.append(key)
        try:
            self._known[key] = make()
        finally:
            self._under_way.pop()
        return self._known[key]

    # --- Ref --------------------------------------------------------------------------------------------------------

    def reference(self, name: str, spot: Spot) -> TemplateValue | None:
        if name == NO_VALUE:
            return None
        if name.startswith("AWS::"):
            return TemplateValue(self._pseudo(name), spot)
        if name in self.section("Parameters") or name in self.given:
            return self._once(("parameter", name), spot, lambda: self._parameter(name, spot))
        return self._once(("ref", name), spot, lambda: self._resource(name, "", spot))

    def _pseudo(self, name: str) -> str | Unresolved:
        suffix = "amazonaws.com.cn" if self.options.partition == "aws-cn" else "amazonaws.com"
        known = {
            "AWS::AccountId": self.options.account,
            "AWS::Partition": self.options.partition,
            "AWS::Region": self.options.region,
            "AWS::StackId": self.options.arn(
                "cloudformation", f"stack/{self.name}/00000000-0000-0000-0000-000000000000"
            ),
            "AWS::StackName": self.name,
            "AWS::URLSuffix": suffix,
        }
        return known.get(name) or not_resolved(f"{name} is known to a deployment alone")

    def _parameter(self, name: str, spot: Spot) -> TemplateValue | None:
        declared = self.section("Parameters").get(name)
        members = declared.value if declared is not None and isinstance(declared.value, dict) else {}
        kind = members["Type"].value if "Type" in members else "String"
        kind = kind if isinstance(kind, str) else "String"
        give = f"give it with --parameter {name}=…"
        if name in self.given:
            return _typed(kind, self.given[name])
        if kind.startswith(SSM):
            what = f"the parameter {name} is read from the Systems Manager (its default is a name there)"
            return TemplateValue(not_resolved(f"{what}; {give}"), spot)
        if "Default" not in members:
            return TemplateValue(not_resolved(f"the parameter {name} has no default; {give}"), spot)
        default = members["Default"]
        return _typed(kind, TemplateValue(_scalar(default), spot, default.written))

    # --- resources --------------------------------------------------------------------------------------------------

    def attribute(self, name: str, attribute: str, spot: Spot) -> TemplateValue:
        found = self._once(("attribute", name, attribute), spot, lambda: self._resource(name, attribute, spot))
        assert found is not None
        return found

    def _resource(self, name: str, attribute: str, spot: Spot) -> TemplateValue:
        if name not in self.section("Resources"):
            if attribute == "" and "." in name:  # SAM: `Ref: Function.Alias`
                base, _, attribute = name.partition(".")
                return self._resource(base, attribute, spot)
            return TemplateValue(self._unknown_name(name), spot)
        exists = self.exists(name)
        if exists is not True:
            why = (
                exists
                if isinstance(exists, Unresolved)
                else not_resolved(f"{name} is not created: its condition is false")
            )
            return TemplateValue(why, spot)
        return self._known_resource(name, self.kind_of(name), attribute, spot)

    def _unknown_name(self, name: str) -> Unresolved:
        near = did_you_mean(name, [*self.section("Resources"), *self.section("Parameters")])
        what = f"there is no resource or parameter {name[:80]!r} in {self.file}"
        return not_resolved(f"{what} ({near})" if near else f"{what}: it is a fragment of a larger template")

    def exists(self, logical_id: str) -> bool | Unresolved:
        """Whether the condition of a resource lets it be."""
        node = self.part(logical_id, "Condition")
        return self.condition(node.value) if node is not None and isinstance(node.value, str) else True

    def binding(self, logical_id: str) -> str:
        bindings = self.options.bindings
        return bindings.get(self.id_of(logical_id)) or bindings.get(logical_id, "")

    def _known_resource(self, name: str, kind: str, attribute: str, spot: Spot) -> TemplateValue:
        if kind == naming.STACK:
            return self._output_of(name, attribute, spot)
        if kind in (naming.ALIAS, naming.VERSION):
            return TemplateValue(self._qualified(name, kind, attribute, spot), spot)
        if kind == naming.FUNCTION and attribute in ("Alias", "Version"):
            return self._resource(f"{name}{attribute}", "", spot)
        found = naming.naming_of(kind)
        if (bound := self.binding(name)) and not isinstance(arn := naming.bound_arn(bound, self.options), str):
            form = found.attribute(attribute) if found and attribute else (found.ref if found else "arn")
            text = {"arn": str(arn), "url": bound if "://" in bound else ""}.get(form or "arn", naming.name_in(arn))
            return TemplateValue(text or naming.queue_url(self.options, naming.name_in(arn)), spot)
        if kind == naming.CONSUMER:
            return self.property(name, "StreamARN") or TemplateValue(naming.only_deployed(kind, name, attribute), spot)
        form = None if found is None else found.attribute(attribute) if attribute else found.ref
        if form is None:
            if kind == "AWS::SSM::Parameter" and attribute == "Value":
                return self.property(name, "Value") or TemplateValue("", spot)
            return TemplateValue(naming.only_deployed(kind or "without a type", name, attribute), spot)
        called = self.physical_name(name)
        return TemplateValue(
            called if isinstance(called, Unresolved) else naming.shown_as(kind, form, called, self.options), spot
        )

    def physical_name(self, logical_id: str) -> str | Unresolved:
        """What a resource is called: its own name, or the one that follows from stack and logical id."""
        kind = self.kind_of(logical_id)
        found = naming.naming_of(kind)
        assert found is not None
        own = self.property(logical_id, found.key)
        if own is not None and own.held != "":
            return text_of(own)
        fifo = self.property(logical_id, "FifoQueue" if kind == naming.QUEUE else "FifoTopic")
        is_fifo = fifo is not None and text_of(fifo) in ("true", "True")
        name = naming.derived_name(self.name, logical_id, found.length, fifo=is_fifo)
        return name.lower() if kind == naming.BUCKET else name

    def _qualified(self, name: str, kind: str, attribute: str, spot: Spot) -> str | Unresolved:
        """The ARN of a function's version or alias."""
        function = self.property(name, "FunctionName")
        text = not_resolved(f"{name} names no function") if function is None else text_of(function)
        if isinstance(text, Unresolved):
            return text
        qualifier: str | Unresolved = "1"
        if kind == naming.ALIAS:
            own = self.property(name, "Name")
            qualifier = "live" if own is None else text_of(own)
        if isinstance(qualifier, Unresolved) or attribute == "Version":
            return qualifier
        bare = text if text.startswith("arn:") else self.options.arn("lambda", f"function:{text}")
        return f"{bare}:{qualifier}"

    # --- conditions and mappings ------------------------------------------------------------------------------------

    def condition(self, name: str) -> bool | Unresolved:
        if name in self._truths:
            return self._truths[name]
        node = self.section("Conditions").get(name)
        if node is None:
            return malformed(f"there is no condition {name[:80]!r}")
        if self.depth[0] >= DEPTH_MAX:
            return TOO_DEEP
        self._truths[name] = malformed(f"the condition {name} refers to itself")
        self.depth[0] += 1
        try:
            self._truths[name] = intrinsics.truth_of(self, node)
        finally:
            self.depth[0] -= 1
        return self._truths[name]

    def mapped(self, keys: Sequence[str], default: Node | None, spot: Spot) -> TemplateValue:
        name, *steps = keys
        members, found = self.section("Mappings"), None
        for key in (name, *steps):
            found = members.get(key)
            if found is None:
                break
            members = found.value if isinstance(found.value, dict) else {}
        if found is None and default is not None:
            found = default
        if found is None:
            has = f" (it has {', '.join(list(members)[:6])})" if members else ""
            what = f"the mapping {name[:80]} has no {' / '.join(steps)[:120]}{has}"
            return TemplateValue(not_resolved(f"{what}; give --parameter, --account or --region"), spot)
        return self.resolve(found) or TemplateValue("", spot)

    def imported(self, name: str, spot: Spot) -> TemplateValue:
        found = self.exports(name)
        what = f"no stack that was read exports {name[:120]!r}; name the directory of all of them"
        return found if found is not None else TemplateValue(not_resolved(what), spot)

    # --- nested stacks ----------------------------------------------------------------------------------------------

    def child(self, logical_id: str) -> Stack | None:
        """The nested stack; None where its template was not found."""
        there = (self.file, logical_id) in self.nested and len(self.path) < NESTED_MAX
        if there and logical_id not in self._children:
            file, document = self.nested[self.file, logical_id]
            given = self.property(logical_id, "Parameters")
            members = given.held if given is not None and isinstance(given.held, dict) else {}
            name, path = f"{self.name}-{logical_id}", (*self.path, logical_id)
            root = document.value if isinstance(document.value, dict) else {}
            self._children[logical_id] = Stack(
                name, file, root, self.options, members, self.nested, self.exports, path, depth=self.depth
            )
        return self._children.get(logical_id)

    def _output_of(self, name: str, attribute: str, spot: Spot) -> TemplateValue:
        if not attribute.startswith("Outputs."):
            return TemplateValue(naming.only_deployed(naming.STACK, name, attribute), spot)
        child = self.child(name)
        if child is None:
            return TemplateValue(not_resolved(f"the template of the nested stack {name} was not found"), spot)
        return child.output(attribute.removeprefix("Outputs."), spot)

    def output(self, name: str, spot: Spot) -> TemplateValue:
        node = self.section("Outputs").get(name)
        value = node.value.get("Value") if node is not None and isinstance(node.value, dict) else None
        if value is None:
            return TemplateValue(malformed(f"{self.file} has no output {name[:80]!r}"), spot)
        found = self._once(("output", name), spot, lambda: self.resolve(value))
        return found if found is not None else TemplateValue("", spot)


def _typed(kind: str, value: TemplateValue) -> TemplateValue:
    """A parameter's value: lists are split at their commas."""
    is_list = kind == "CommaDelimitedList" or "List<" in kind
    if not is_list or not isinstance(value.held, str):
        return value
    return TemplateValue([TemplateValue(part.strip(), value.spot) for part in value.held.split(",")], value.spot)


def _scalar(node: Node) -> str | int | float | bool | list[TemplateValue] | None:
    """The default of a parameter."""
    if isinstance(node.value, list):
        return [TemplateValue(_scalar(item), spot_of(item), item.written) for item in node.value]
    return None if isinstance(node.value, dict) else node.value
