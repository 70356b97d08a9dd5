"""What a Terraform plan does not know yet, found by the references of its configuration. Pure.

    aws_lambda_event_source_mapping.orders ──event_source_arn──► module.queue.arn ──► output arn ──► aws_sqs_queue.this

An expression that puts a reference and something else together cannot be told from one that is the reference: the plan
has the references of an expression, and not the expression. It is taken for the reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....config.nodes import Node
from . import naming
from .options import TemplateOptions
from .values import Spot, TemplateValue, Unresolved, malformed, not_resolved, spot_of, text_of

Key = str | int | None
Module = tuple[tuple[str, Key], ...]
"""The modules around something, each with its key in `count` or `for_each`."""

STEPS_MAX = 40
"""References that lead to references."""
_MODULE = re.compile(r'module\.([^.\[]+)(?:\[("(?:[^"\\]|\\.)*"|\d+)\])?')
_REFERENCE = re.compile(
    r'(?P<data>data\.)?(?P<type>[a-z0-9_-]+)\.(?P<name>[A-Za-z0-9_-]+)(?:\[(?P<key>"(?:[^"\\]|\\.)*"|\d+)\])?(?:\.(?P<rest>.+))?'
)
_KINDS: Mapping[str, tuple[str, str]] = {
    "aws_sqs_queue": (naming.QUEUE, "name"),
    "aws_kinesis_stream": (naming.STREAM, "name"),
    "aws_dynamodb_table": (naming.TABLE, "name"),
    "aws_sns_topic": (naming.TOPIC, "name"),
    "aws_s3_bucket": (naming.BUCKET, "bucket"),
    "aws_lambda_function": (naming.FUNCTION, "function_name"),
    "aws_lambda_layer_version": (naming.LAYER, "layer_name"),
}
"""By Terraform's type, CloudFormation's and the field of the name."""
_ARNS = frozenset({"arn", "stream_arn", "qualified_arn", "invoke_arn", "layer_arn"})
_ARN_IS_ID = frozenset({"aws_sns_topic"})


@dataclass(frozen=True, slots=True)
class Instance:
    """A resource with the values that are known."""

    address: str
    module: Module
    type: str
    name: str
    key: Key
    values: Mapping[str, TemplateValue]
    spot: Spot
    mode: str = "managed"
    """`data` for what is only read."""


@dataclass(frozen=True, slots=True)
class TerraformProject:
    instances: Mapping[str, Instance]
    data: Mapping[str, Instance]
    configuration: Node | None
    variables: Mapping[str, TemplateValue]
    unknown: Mapping[str, Node]
    """By address, what is known only after an apply."""
    options: TemplateOptions

    @classmethod
    def of(cls, document: Node, options: TemplateOptions) -> TerraformProject:
        values = _at(document, "values") or _at(document, "planned_values")
        every = list(_instances(_at(values, "root_module"), ()))
        prior = list(_instances(_at(document, "prior_state", "values", "root_module"), ()))
        data = {each.address: each for each in [*prior, *every] if each.mode == "data"}
        return cls(
            {each.address: each for each in every if each.mode != "data"},
            data,
            _at(document, "configuration", "root_module"),
            {
                name: literal(found)
                for name, node in _members(_at(document, "variables"))
                if (found := _at(node, "value"))
            },
            dict(_unknown(document)),
            options,
        )

    # --- values -----------------------------------------------------------------------------------------------------

    def name(self, instance: Instance) -> str | Unresolved:
        """What the resource is called."""
        kind, key = _KINDS[instance.type]
        found = self.value(instance, key)
        text = "" if found is None else text_of(found)
        if isinstance(text, str) and text:
            return text
        if isinstance(text, Unresolved) and self._expression(instance, key) is not None:
            return text
        fifo = instance.values.get("fifo_queue") or instance.values.get("fifo_topic")
        found_naming = naming.naming_of(kind)
        assert found_naming is not None
        prefix = instance.values.get(f"{key}_prefix")
        given = str(prefix.held) if prefix is not None and prefix.held else ""
        logical = re.sub(r"[^A-Za-z0-9]+", "-", instance.address).strip("-")
        is_fifo = fifo is not None and fifo.held is True
        return naming.derived_name(self.options.stack or given.rstrip("-"), logical, found_naming.length, fifo=is_fifo)

    def value(self, instance: Instance, attribute: str, steps: int = 0) -> TemplateValue | None:
        """An attribute: what the plan knows, what follows from the name, or what its expression refers to."""
        binding = self.options.bindings.get(instance.address) or self.options.bindings.get(instance.name)
        if binding and attribute in _ARNS and not isinstance(arn := naming.bound_arn(binding, self.options), str):
            return TemplateValue(str(arn), instance.spot)
        known = instance.values.get(attribute)
        if known is not None and known.held is not None:
            return known
        if attribute in (*_ARNS, "id", "url") and instance.type in _KINDS:
            return TemplateValue(self._derived(instance, attribute), instance.spot)
        if attribute in ("arn", "invoke_arn") and instance.type == "aws_lambda_alias":
            return self._alias(instance, steps)
        if attribute == "arn" and instance.type == "aws_kinesis_stream_consumer":
            return self.value(instance, "stream_arn", steps + 1)
        expression = self._expression(instance, attribute)
        if expression is None:
            return None
        return self.evaluated(expression, instance.module, instance.key, "", steps + 1)

    def nested(self, instance: Instance, *keys: str) -> TemplateValue | None:
        """An attribute inside of blocks, by its expression."""
        node = self._expression(instance, keys[0])
        for key in keys[1:]:
            node = node.value[0] if node is not None and isinstance(node.value, list) and node.value else node
            node = _at(node, key)
        return None if node is None else self.evaluated(node, instance.module, instance.key, "", 0)

    def items(self, instance: Instance, attribute: str) -> list[TemplateValue]:
        """The items of a list; one for each resource that its expression refers to, where the plan does not know it."""
        known = instance.values.get(attribute)
        if known is not None and isinstance(known.held, list):
            return known.held
        expression = self._expression(instance, attribute)
        references = [each.value for each in _list(_at(expression, "references")) if isinstance(each.value, str)]
        whole = [
            each for each in references if not any(other.startswith((f"{each}.", f"{each}[")) for other in references)
        ]
        return [self._referred(each, instance.module, instance.key, "", instance.spot, 1) for each in whole]

    def layer(self, arn: str) -> Instance | None:
        for each in self.instances.values():
            if each.type == "aws_lambda_layer_version":
                found = self.value(each, "arn")
                if found is not None and found.held == arn:
                    return each
        return None

    def redrive(self, instance: Instance) -> TemplateValue | None:
        """The redrive policy of a queue: that of a resource beside it, or the ARN that its own refers to."""
        expression = self._expression(instance, "redrive_policy")
        if expression is not None and _at(expression, "references") is not None:
            return self.evaluated(expression, instance.module, instance.key, "arn", 0)
        for other in self.instances.values():
            if other.type == "aws_sqs_queue_redrive_policy":
                url, policy = self.value(other, "queue_url"), self.value(other, "redrive_policy")
                if url is not None and url == self.value(instance, "url") and policy is not None:
                    return policy
        return None

    def archived(self, filename: str) -> Iterator[str]:
        """The directories that a data source `archive_file` packs into this file."""
        for each in self.data.values():
            output = each.values.get("output_path")
            if each.type == "archive_file" and output is not None and output.held == filename:
                for key in ("source_dir", "source_file"):
                    found = each.values.get(key)
                    if found is not None and isinstance(found.held, str) and found.held:
                        yield found.held if key == "source_dir" else found.held.rpartition("/")[0] or "."

    def unknown_variables(self, instance: Instance) -> Iterator[str]:
        """The names of variables that only an apply gives; an empty one for all of them."""
        blocks = _list(_at(self.unknown.get(instance.address), "environment"))
        for block in blocks:
            found = _at(block, "variables")
            if found is not None and found.value is True:
                yield ""
            yield from (key for key, node in _members(found) if node.value is True)

    # --- what follows from a name -------------------------------------------------------------------------------------

    def _derived(self, instance: Instance, attribute: str) -> str | Unresolved:
        name = self.name(instance)
        if isinstance(name, Unresolved):
            return name
        kind, _ = _KINDS[instance.type]
        if attribute in _ARNS or (attribute == "id" and instance.type in _ARN_IS_ID):
            return naming.shown_as(kind, "arn", name, self.options)
        is_url = attribute == "url" or (attribute == "id" and kind == naming.QUEUE)
        return naming.shown_as(kind, "url" if is_url else "name", name, self.options)

    def _alias(self, instance: Instance, steps: int) -> TemplateValue:
        function = self.value(instance, "function_name", steps + 1)
        text = not_resolved(f"{instance.address} names no function") if function is None else text_of(function)
        name = instance.values.get("name")
        if isinstance(text, Unresolved) or name is None:
            return TemplateValue(
                text if isinstance(text, Unresolved) else malformed("an alias without a name"), instance.spot
            )
        bare = text if text.startswith("arn:") else self.options.arn("lambda", f"function:{text}")
        return TemplateValue(f"{bare}:{name.held}", instance.spot)

    # --- references -------------------------------------------------------------------------------------------------

    def _expression(self, instance: Instance, attribute: str) -> Node | None:
        module = self._module(instance.module)
        for resource in _list(_at(module, "resources")):
            given = (_text(resource, "type"), _text(resource, "name"), _text(resource, "mode") or "managed")
            if given == (instance.type, instance.name, "managed"):
                return _at(resource, "expressions", attribute)
        return None

    def _module(self, path: Module) -> Node | None:
        node = self.configuration
        for name, _ in path:
            node = _at(node, "module_calls", name, "module")
        return node

    def evaluated(self, expression: Node, module: Module, key: Key, rest: str, steps: int) -> TemplateValue:
        """What an expression gives. `key`: that of the resource in `count` or `for_each`. `rest`: the attribute that is
        wanted of what it refers to."""
        spot = spot_of(expression)
        constant = _at(expression, "constant_value")
        if constant is not None:
            return literal(constant)
        if steps > STEPS_MAX:
            return TemplateValue(malformed("references lead to references without an end"), spot)
        references = [each.value for each in _list(_at(expression, "references")) if isinstance(each.value, str)]
        first: TemplateValue | None = None
        for reference in references:
            found = self._referred(reference, module, key, rest, spot, steps)
            if not isinstance(found.held, Unresolved):
                return found
            first = first or found
        return first or TemplateValue(not_resolved("the plan does not show the expression; show a state instead"), spot)

    def _referred(self, reference: str, module: Module, key: Key, rest: str, spot: Spot, steps: int) -> TemplateValue:
        if reference in ("each.key", "count.index"):
            return (
                TemplateValue(key, spot)
                if key is not None
                else TemplateValue(not_resolved(f"{reference} has no value here"), spot)
            )
        found = _REFERENCE.fullmatch(reference)
        if found is None or found["type"] in ("each", "count", "local", "path", "terraform", "self"):
            what = f"a plan does not show {reference}; apply it to the emulator and show the state, or use --bind"
            return TemplateValue(not_resolved(what), spot)
        wanted = found["rest"] or rest
        own = _key(found["key"])
        match found["type"]:
            case "var":
                return self._variable(found["name"], module, wanted, spot, steps)
            case "module":
                return self._output(found["name"], own if own is not None else key, wanted, module, spot, steps)
            case _:
                return self._resource(reference, found, own if own is not None else key, module, wanted, spot, steps)

    def _variable(self, name: str, module: Module, rest: str, spot: Spot, steps: int) -> TemplateValue:
        if not module:
            return self.variables.get(name) or TemplateValue(not_resolved(f"the variable {name} has no value"), spot)
        *outer, (call, key) = module
        expression = _at(self._module(tuple(outer)), "module_calls", call, "expressions", name)
        if expression is None:
            return TemplateValue(not_resolved(f"the module {call} is not given {name}"), spot)
        return self.evaluated(expression, tuple(outer), key, rest, steps + 1)

    def _output(self, name: str, key: Key, rest: str, module: Module, spot: Spot, steps: int) -> TemplateValue:
        output, _, attribute = rest.partition(".")
        call = _at(self._module(module), "module_calls", name)
        many = _at(call, "count_expression") is not None or _at(call, "for_each_expression") is not None
        expression = _at(call, "module", "outputs", output, "expression")
        if expression is None:
            return TemplateValue(not_resolved(f"the module {name} has no output {output!r}"), spot)
        inner = (*module, (name, key if many else None))
        return self.evaluated(expression, inner, None, attribute or "arn", steps + 1)

    def _resource(
        self, reference: str, found: re.Match[str], key: Key, module: Module, rest: str, spot: Spot, steps: int
    ) -> TemplateValue:
        pool = self.data if found["data"] else self.instances
        named = [
            each
            for each in pool.values()
            if (each.type, each.name, each.module) == (found["type"], found["name"], module)
        ]
        same = [each for each in named if each.key == key] or (named if len(named) == 1 else [])
        if not same:
            why = "has several instances" if named else "is not in the plan"
            return TemplateValue(not_resolved(f"{reference} {why}; use --bind"), spot)
        value = self.value(same[0], rest or "arn", steps + 1)
        what = f"{same[0].address}.{rest or 'arn'} is known only after an apply; use --bind {same[0].address}=ARN"
        return value if value is not None else TemplateValue(not_resolved(what), spot)


# --- reading ----------------------------------------------------------------------------------------------------------


def literal(node: Node) -> TemplateValue:
    """A value of JSON as it is."""
    spot = spot_of(node)
    match node.value:
        case dict() as members:
            return TemplateValue({key: literal(each) for key, each in members.items()}, spot)
        case list() as items:
            return TemplateValue([literal(each) for each in items], spot)
        case scalar:
            return TemplateValue(scalar, spot, node.written)


def _instances(module: Node | None, path: Module) -> Iterator[Instance]:
    for resource in _list(_at(module, "resources")):
        index = _at(resource, "index")
        key = index.value if index is not None and isinstance(index.value, str | int) else None
        values = {name: literal(node) for name, node in _members(_at(resource, "values"))}
        address, kind, name = (_text(resource, each) for each in ("address", "type", "name"))
        mode = _text(resource, "mode") or "managed"
        yield Instance(address or f"{kind}.{name}", path, kind, name, key, values, spot_of(resource), mode)
    for child in _list(_at(module, "child_modules")):
        steps = tuple((found[1], _key(found[2])) for found in _MODULE.finditer(_text(child, "address")))
        yield from _instances(child, steps)


def _unknown(document: Node) -> Iterator[tuple[str, Node]]:
    for change in _list(_at(document, "resource_changes")):
        after = _at(change, "change", "after_unknown")
        if after is not None:
            yield _text(change, "address"), after


def _key(text: str | None) -> Key:
    if not text:
        return None
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else int(text)


def _at(node: Node | None, *keys: str) -> Node | None:
    for key in keys:
        node = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
    return node


def _members(node: Node | None) -> Sequence[tuple[str, Node]]:
    return list(node.value.items()) if node is not None and isinstance(node.value, dict) else []


def _list(node: Node | None) -> list[Node]:
    return node.value if node is not None and isinstance(node.value, list) else []


def _text(node: Node, key: str) -> str:
    found = _at(node, key)
    return found.value if found is not None and isinstance(found.value, str) else ""
