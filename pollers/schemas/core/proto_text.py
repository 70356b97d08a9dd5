"""The text of a .proto file (proto2, proto3) as a FileDescriptorProto, without protoc.

Read as far as the bytes of messages and their JSON depend on it: messages, enums, fields, oneofs, maps, `json_name`,
what is imported. Services, extensions, defaults and all other options are passed over. Names of types are left as they
are written: the runtime looks them up by Protobuf's own rules.

Grammar: https://protobuf.dev/reference/protobuf/proto3-spec/ and proto2-spec.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

from .model import Undecodable

TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*|/\*.*?\*/)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<word>\.?[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<number>(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fF]?)
      | (?P<sign>[{}()\[\]<>=;:,+\-/])""",
    re.VERBOSE | re.DOTALL,
)
DEEPEST = 100
"""Braces inside of braces."""

SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "fixed64": 6, "fixed32": 7, "bool": 8, "string": 9,
    "bytes": 12, "uint32": 13, "sfixed32": 15, "sfixed64": 16, "sint32": 17, "sint64": 18,
}  # fmt: skip
"""FieldDescriptorProto.Type by name."""
MESSAGE = 11
OPTIONAL, REQUIRED, REPEATED = 1, 2, 3
LABELS = {"optional": OPTIONAL, "required": REQUIRED, "repeated": REPEATED}


def parse(text: str) -> Any:
    """A FileDescriptorProto without a name. Raises Undecodable, which names the line."""
    return _Parser(text).file()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._tokenised()
        self._at = 0
        self._proto3 = False

    # --- tokens -----------------------------------------------------------------------------------------------------

    def _tokenised(self) -> list[tuple[str, int]]:
        tokens, at = [], 0
        while at < len(self._text):
            found = TOKEN.match(self._text, at)
            if found is None:
                self._fail(at, f"{self._text[at]!r} is not expected")
            if found.lastgroup != "blank":
                tokens.append((found[0], at))
            at = found.end()
        return tokens

    def _fail(self, at: int, what: str) -> NoReturn:
        line = self._text.count("\n", 0, at) + 1
        raise Undecodable(f"has a schema that is not the text of a .proto file: line {line}: {what}")

    def _refuse(self, what: str) -> NoReturn:
        """For the token that was taken last."""
        self._fail(self._tokens[self._at - 1][1], what)

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            self._fail(len(self._text), "the text ends too early")
        self._at += 1
        return self._tokens[self._at - 1][0]

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _taken(self, token: str) -> bool:
        """Whether this is next; if so it is gone."""
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        found = self._next()
        if found != token:
            self._refuse(f"{token!r} is expected, not {found!r}")

    def _number(self) -> int:
        sign = -1 if self._taken("-") else 1
        token = self._next()
        try:
            return sign * int(token, 8 if re.fullmatch(r"0[0-7]+", token) else 0)
        except ValueError:
            self._refuse(f"a whole number is expected, not {token!r}")

    def _string(self) -> str:
        token = self._next()
        if token[0] not in "\"'":
            self._refuse(f"text in quotes is expected, not {token!r}")
        return token[1:-1]

    def _skip(self) -> None:
        """To the end of the statement that has begun: a semicolon, or the brace that closes its own."""
        open_ = 0
        while True:
            token = self._next()
            if token in ("{", "["):
                open_ += 1
            elif token in ("}", "]"):
                open_ -= 1
            if open_ <= 0 and token in (";", "}"):
                return

    # --- the file ---------------------------------------------------------------------------------------------------

    def file(self) -> Any:
        from google.protobuf import descriptor_pb2

        file = descriptor_pb2.FileDescriptorProto()
        if self._taken("syntax"):
            self._expect("=")
            syntax = self._string()
            self._expect(";")
            if syntax not in ("proto2", "proto3"):
                self._fail(0, f"syntax {syntax!r} is not known")
            self._proto3 = syntax == "proto3"
        elif self._peek() == "edition":
            self._fail(0, "editions are not understood, only proto2 and proto3")
        file.syntax = "proto3" if self._proto3 else "proto2"
        while self._peek():
            self._top(file)
        return file

    def _top(self, file: Any) -> None:
        match self._next():
            case "package":
                file.package = self._next()
                self._expect(";")
            case "import":
                self._import(file)
            case "message":
                self._message(file.message_type.add(), 1)
            case "enum":
                self._enum(file.enum_type.add())
            case "option" | "service" | "extend":
                self._skip()
            case ";":
                pass
            case token:
                self._refuse(f"{token!r} is not expected")

    def _import(self, file: Any) -> None:
        public = self._taken("public")
        if not public:
            self._taken("weak")
        if public:
            file.public_dependency.append(len(file.dependency))
        file.dependency.append(self._string())
        self._expect(";")

    # --- messages ---------------------------------------------------------------------------------------------------

    def _message(self, message: Any, depth: int) -> None:
        if depth > DEEPEST:
            self._refuse(f"messages nest deeper than {DEEPEST} levels")
        message.name = self._next()
        self._expect("{")
        optional: list[Any] = []
        while not self._taken("}"):
            self._member(message, optional, depth)
        for field in optional:  # after the real ones, as the runtime demands
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")

    def _member(self, message: Any, optional: list[Any], depth: int) -> None:
        """Some words that begin a statement may be names of types too: what follows tells."""
        word = self._peek()
        named = self._ahead(1) if word in ("message", "enum", "oneof") else ""
        if named and self._ahead(2) == "{":
            self._next()
            inside: dict[str, Callable[[], None]] = {
                "message": lambda: self._message(message.nested_type.add(), depth + 1),
                "enum": lambda: self._enum(message.enum_type.add()),
                "oneof": lambda: self._oneof(message, depth),
            }
            inside[word]()
        elif word in ("reserved", "extensions", "option", "extend"):
            self._skip()
        elif word == "map" and self._ahead(1) == "<":
            self._map(message)
        elif not self._taken(";"):
            self._labelled(message, optional, depth)

    def _ahead(self, steps: int) -> str:
        at = self._at + steps
        return self._tokens[at][0] if at < len(self._tokens) else ""

    def _labelled(self, message: Any, optional: list[Any], depth: int) -> None:
        label = LABELS.get(self._peek()) if self._ahead(2) != "=" else None
        if label is not None:
            self._next()
        elif not self._proto3:
            self._next()
            self._refuse("a field of proto2 is optional, required or repeated")
        field = self._field(message, label or OPTIONAL)
        if self._proto3 and label == OPTIONAL:
            field.proto3_optional = True
            optional.append(field)

    def _field(self, message: Any, label: int) -> Any:
        kind = self._next()
        if kind == "group":
            self._refuse("groups are not understood")
        field = message.field.add(name=self._next(), label=label)
        self._typed(field, kind)
        self._numbered(field)
        return field

    def _typed(self, field: Any, kind: str) -> None:
        if kind in SCALARS:
            field.type = SCALARS[kind]
        else:
            field.type_name = kind  # a message or an enum: the runtime finds out

    def _numbered(self, field: Any) -> None:
        self._expect("=")
        field.number = self._number()
        if self._taken("["):
            self._options(field)
        self._expect(";")

    def _options(self, field: Any) -> None:
        """`[name = value, …]`, of which only json_name matters."""
        open_ = 1
        while open_:
            word = self._next()
            if word == "json_name" and open_ == 1 and self._peek() == "=":
                self._next()
                field.json_name = self._string()
            open_ += (word in ("[", "{")) - (word in ("]", "}"))

    def _oneof(self, message: Any, depth: int) -> None:
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=self._next())
        self._expect("{")
        while not self._taken("}"):
            if self._peek() == "option":
                self._skip()
            elif not self._taken(";"):
                self._field(message, OPTIONAL).oneof_index = index

    def _map(self, message: Any) -> None:
        """A map is a repeated message of a key and a value, by a name that is made of the field's."""
        self._next()
        self._expect("<")
        key = self._next()
        self._expect(",")
        value = self._next()
        self._expect(">")
        field = message.field.add(name=self._next(), label=REPEATED, type=MESSAGE)
        self._numbered(field)
        entry = message.nested_type.add(name=_camel(field.name) + "Entry")
        entry.options.map_entry = True
        field.type_name = entry.name
        self._typed(entry.field.add(name="key", number=1, label=OPTIONAL), key)
        self._typed(entry.field.add(name="value", number=2, label=OPTIONAL), value)

    # --- enums ------------------------------------------------------------------------------------------------------

    def _enum(self, enum: Any) -> None:
        enum.name = self._next()
        self._expect("{")
        while not self._taken("}"):
            if self._peek() in ("option", "reserved") and self._ahead(1) != "=":
                self._enum_statement(enum)
            elif not self._taken(";"):
                value = enum.value.add(name=self._next())
                self._expect("=")
                value.number = self._number()
                if self._peek() == "[":
                    self._skip()
                else:
                    self._expect(";")

    def _enum_statement(self, enum: Any) -> None:
        if self._peek() == "option" and self._ahead(1) == "allow_alias":
            enum.options.allow_alias = self._ahead(3) == "true"
        self._skip()


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
