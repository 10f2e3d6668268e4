"""Generated TOML texts with the line of every key; the writer shares no code with the module under test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

KeyPath = tuple[str | int, ...]

NAMES = st.sampled_from(
    [
        "a",
        "b",
        "main",
        "secret_key",
        "1",
        "2026-11-23",
        "x-y",
        "",
        ".",
        "a.b",
        "[c]",
        "it's",
        'say "x"',
        "a = 1",
        "é\t",
        "#",
    ]
)

LITERALS = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "nan",
        "true",
        "0x1F",
        "1979-05-27T07:32:00.5Z",
        "1979-05-27 07:32:00",
        "07:32:00",
        '""',
        "''",
        '"text"',
        '"a = 1"',
        '"[table]"',
        '"a \\" # b"',
        '"ends with \\\\"',
        "'C:\\quay'",
        "'say \"x\" # ['",
        '"""one line"""',
        '""""quoted""""',
        '"""""two quotes"""""',
        '"""\n[table]\nkey = "value"\n# no comment\n"""',
        '"""a \\\n   b = 2 \\""" c\n"""',
        "'''\n[[array]]\nkey = [1,\n\\'''",
        "''''quoted''''",
        '""""""',
        "''''''",
    ]
)


@dataclass(frozen=True)
class Literal:
    """A value in its written form, without parts of its own."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table with a header of its own."""

    content: Mapping[str, object]


@dataclass(frozen=True)
class Tables:
    """An array of tables."""

    content: Sequence[Mapping[str, object]]


PLAIN = st.recursive(
    LITERALS.map(Literal),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)

DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        PLAIN,
        lambda inner: (
            st.dictionaries(NAMES, inner, max_size=4).map(Table)
            | st.lists(st.dictionaries(NAMES, inner, max_size=3), min_size=1, max_size=3).map(Tables)
        ),
        max_leaves=12,
    ),
    max_size=5,
)


@dataclass
class Writer:
    """Writes a document in the various notations of TOML and notes the line of each part."""

    draw: st.DrawFn
    text: str = ""
    lines: dict[KeyPath, int] = field(default_factory=dict)

    @property
    def line(self) -> int:
        return self.text.count("\n") + 1

    def choose(self, *ways: str) -> str:
        return self.draw(st.sampled_from(ways))

    def note(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.line)

    def gap(self) -> None:
        self.text += self.choose("", "", "\n", "# [comment] a = 'b\n", "   \n")

    def key(self, name: str) -> None:
        ways = [
            json.dumps(name, ensure_ascii=False).replace("\t", "\\t"),
            '"' + "".join(f"\\u{ord(c):04X}" for c in name) + '"',
        ]
        if "'" not in name and "\t" not in name:
            ways.append(f"'{name}'")
        if name and name.isascii() and all(letter.isalnum() or letter in "-_" for letter in name):
            ways.append(name)
        self.text += self.choose(*ways)

    def table(self, path: KeyPath, names: tuple[str, ...], content: Mapping[str, object]) -> None:
        for name, value in content.items():
            if not isinstance(value, Table | Tables):
                self.gap()
                self.statement(path, name, value)
        for name, value in content.items():
            if isinstance(value, Table):
                self.header((*path, name), (*names, name), value.content)
            elif isinstance(value, Tables):
                self.array_of_tables((*path, name), (*names, name), value.content)

    def header(self, path: KeyPath, names: tuple[str, ...], content: Mapping[str, object]) -> None:
        only_tables = content and all(isinstance(value, Table) for value in content.values())
        if only_tables and self.choose("with", "without") == "without":
            # Its line is that of the first header below it.
            for name, value in content.items():
                assert isinstance(value, Table)
                self.header((*path, name), (*names, name), value.content)
            return
        self.gap()
        self.bracketed("[", names, "]", path)
        self.table(path, names, content)

    def array_of_tables(self, path: KeyPath, names: tuple[str, ...], tables: Sequence[Mapping[str, object]]) -> None:
        for index, content in enumerate(tables):
            self.gap()
            self.bracketed("[[", names, "]]", (*path, index))
            self.table((*path, index), names, content)

    def bracketed(self, opening: str, names: tuple[str, ...], closing: str, path: KeyPath) -> None:
        for length in range(1, len(path) + 1):
            self.note(path[:length])
        self.text += opening + self.choose("", " ")
        for index, name in enumerate(names):
            self.text += "" if index == 0 else self.choose(".", " . ")
            self.key(name)
        self.text += self.choose("", " ") + closing + self.choose("", " # x = [") + "\n"

    def statement(self, path: KeyPath, name: str, value: object) -> None:
        if isinstance(value, dict) and value and self.choose("dotted", "inline") == "dotted":
            self.dotted((*path, name), (name,), value)
            return
        self.note((*path, name))
        self.key(name)
        self.text += self.choose(" = ", "=")
        self.value((*path, name), value)
        self.text += self.choose("", "  # ] }") + "\n"

    def dotted(self, path: KeyPath, names: tuple[str, ...], content: Mapping[str, object]) -> None:
        self.note(path)
        for name, value in content.items():
            self.note((*path, name))
            for parent in names:
                self.key(parent)
                self.text += self.choose(".", " . ")
            self.key(name)
            self.text += " = "
            self.value((*path, name), value)
            self.text += "\n"

    def value(self, path: KeyPath, value: object) -> None:
        match value:
            case Literal(text):
                self.text += text
            case list():
                self.array(path, value)
            case dict():
                self.inline_table(path, value)

    def array(self, path: KeyPath, values: list[object]) -> None:
        self.text += "["
        for index, value in enumerate(values):
            self.text += self.choose("", " ", "\n  ", " # ] , a = [\n  ")
            self.note((*path, index))
            self.value((*path, index), value)
            self.text += "," if index < len(values) - 1 else self.choose("", ",", ",\n", "\n")
        self.text += "]"

    def inline_table(self, path: KeyPath, content: Mapping[str, object]) -> None:
        self.text += "{"
        for index, (name, value) in enumerate(content.items()):
            self.text += "" if index == 0 else self.choose(",", ", ")
            self.note((*path, name))
            self.key(name)
            self.text += self.choose(" = ", "=")
            self.value((*path, name), value)
        self.text += "}"


@st.composite
def texts_with_lines(draw: st.DrawFn) -> tuple[str, dict[KeyPath, int]]:
    """Return a TOML text and the line of each of its keys, tables and array elements."""
    writer = Writer(draw)
    writer.table((), (), draw(DOCUMENTS))
    return writer.text, writer.lines
