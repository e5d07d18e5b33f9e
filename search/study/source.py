"""A YAML file as plain data that remembers its lines, and the problems found in it.

Stricter than YAML 1.1, and kinder in one point: `1e-5` is a number, although PyYAML reads text. A
number is decimal: `010` (octal 8), `1:30` (base sixty, 90) and `0x1F` are refused. No anchors,
aliases, tags, repeated keys, or keys that are not text.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from seresnet.errors import ConfigError

_MAX_BYTES = 64 * 1024  # PyYAML took 15 s for a list of 400 KB
_MAX_DEPTH = 20  # well before Python's recursion limit, which PyYAML meets at some 300 levels
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)")


def read_text(path: Path) -> str:
    """Return the text of a file that is small and UTF-8."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: cannot be read: {reason}", "check the path") from error
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{path}: must be at most 64 KB, got more", "check the path")
    try:
        return data.decode("utf-8-sig")  # a byte order mark is an editor's habit, not an error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)  # in bytes: there are no letters
        rule = f"column {column}: must be UTF-8, got byte 0x{data[error.start]:02x}"
        raise ConfigError(f"{path}:{line}: {rule}", "save the file as UTF-8") from error


class Source:
    """A parsed file, the flags laid over it, and the problems found in both."""

    def __init__(self, name: str, text: str, overrides: Mapping[str, object]) -> None:
        self.name = name
        self.overrides = overrides
        self.problems: list[tuple[int, str, str]] = []
        self.keys: set[str] = set()
        self.root, refused = _compose(name, text)
        for line, rule in refused:
            self.problems.append((line, f"{name}:{line}: {rule}", "write the value out in full"))

    def find(self, key: str) -> tuple[int, yaml.Node | None]:
        """Return the line nearest to a dotted key, and its node if the file has it."""
        node, line = self.root, self.root.start_mark.line + 1
        while key:
            children = _children(node)
            # the longest match, because a name may hold dots of its own
            found = [name for name in children if key == name or key.startswith(name + ".")]
            if not found:
                return line, None
            name = max(found, key=len)
            line, node = children[name]
            key = key[len(name) + 1 :]
        return line, node

    def complain(self, key: str, rule: str, *, hint: str = "", line: int = 0) -> None:
        """Note a problem with a dotted key; without a line, at the line of the key."""
        self.keys.add(key)
        line = line or self.find(key)[0]
        where = f"{self.name}:{line}"
        if key in self.overrides:
            line, where = 0, "--" + key.rpartition(".")[2].replace("_", "-")
        self.problems.append((line, f"{where}: {_short(key) or 'top level'}: {rule}", hint))

    def complain_of_value(self, key: str, expected: str, *, hint: str = "") -> None:
        """Note that the value at a key is not what was expected, and show it as it was written."""
        is_flag = key in self.overrides
        value = ascii(self.overrides[key]) if is_flag else _shown(self.find(key)[1])
        self.complain(key, f"must be {expected}, got {value}", hint=hint)

    def read(self, node: yaml.Node, key: str) -> Any:
        """Return a node as plain data; what cannot be read is noted and becomes None."""
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, join(key, str(i))) for i, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except ValueError as error:
            self.complain_of_value(key, str(error))
            return None

    def _read_mapping(self, node: yaml.MappingNode, key: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            name = name_node.value
            if not name_node.tag.endswith(":str") or not name.isprintable():
                self.complain(key, f"must have text for keys, got {_shown(name_node)}", line=line)
            elif name in data:
                rule = f"must be given once, got it on lines {lines[name]} and {line}"
                self.complain(join(key, name), rule, line=line)
            else:
                lines[name] = line
                data[name] = self.read(value_node, join(key, name))
        return data

    def raise_problems(self) -> None:
        """Raise one error with every problem, in the order of the file's lines."""
        if not self.problems:
            return
        lines = [_printable(text) for _, text, _ in sorted(self.problems, key=lambda p: p[0])]
        hint = f"correct these {len(lines)} places, then run the same command again"
        if len(lines) == 1:
            hint = self.problems[0][2] or "correct it, then run the same command again"
        raise ConfigError("\n".join(lines), hint)


class _Composer(yaml.SafeLoader):
    """Composes nodes, notes what YAML allows and we do not, and constructs no object."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.refused: list[tuple[int, str]] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]
            self.refused.append((mark.line + 1, f"must not use an alias, got *{event.anchor}"))
            return yaml.ScalarNode("tag:yaml.org,2002:null", "", mark, mark)
        if event.anchor is not None:
            self.refused.append((mark.line + 1, f"must not use an anchor, got &{event.anchor}"))
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refused.append((mark.line + 1, f"must not use a tag, got {tag}"))
        if self.depth >= _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"over {_MAX_DEPTH} levels deep", problem_mark=mark)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _compose(name: str, text: str) -> tuple[yaml.Node, list[tuple[int, str]]]:
    """Return the root node of one YAML document, and what it uses that is refused, by line."""
    line, column, reason = 1, 1, ""
    composer = None
    try:
        composer = _Composer(text)
        root = composer.get_single_node()
        if root is None:
            mark = yaml.Mark(name, 0, 0, 0, None, 0)
            root = yaml.ScalarNode("tag:yaml.org,2002:null", "", mark, mark)
        return root, composer.refused
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        reason = f"character {text[error.position]!a} is not allowed"
    except yaml.MarkedYAMLError as error:
        if error.problem_mark is not None:
            line, column = error.problem_mark.line + 1, error.problem_mark.column + 1
        reason = ", ".join(part for part in (error.context, error.problem) if part)
    except (ValueError, OverflowError):  # PyYAML: chr() of an escape such as "\UFFFFFFFF"
        line, column = (composer.line + 1, composer.column + 1) if composer else (1, 1)
        reason = "an escape stands for no character"
    message = f"{name}:{line}: column {column}: must be valid YAML ({reason})"
    raise ConfigError(_printable(message), "correct the line, or the one before it")


def _scalar(node: yaml.Node) -> object:
    """Return the value of a scalar; a ValueError says what it must be."""
    kind, text = node.tag.rpartition(":")[2], node.value
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("yes", "true", "on")
    if kind in ("int", "float") or (_is_plain(node) and FLOAT.fullmatch(text)):
        return _number(text.replace("_", ""))
    if not text.isprintable():
        raise ValueError("printable text")
    return str(text)


def _number(text: str) -> int | float:
    """Return a decimal number; a ValueError says what it must be."""
    if _INTEGER.fullmatch(text):
        # Floats hold integers up to 2**53; Python refuses to convert beyond 4300 digits.
        if len(text) > 17 or abs(int(text)) > 2**53:
            raise ValueError("an integer within 2**53 of zero")
        return int(text)
    if FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    raise ValueError("a finite decimal number")


def _children(node: yaml.Node) -> dict[str, tuple[int, yaml.Node]]:
    """Return the named parts of a node, each with its line."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(n.value, n.start_mark.line + 1, v) for n, v in node.value]
        return {name: (line, v) for name, line, v in reversed(pairs) if isinstance(name, str)}
    if isinstance(node, yaml.SequenceNode):
        return {str(i): (n.start_mark.line + 1, n) for i, n in enumerate(node.value)}
    return {}


def _shown(node: yaml.Node | None) -> str:
    """Return a value as its writer typed it, shortened."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return f"a list of {len(node.value)}"
    if node is None or (_is_plain(node) and not node.value):
        return "nothing"
    return _short(node.value if _is_plain(node) else ascii(node.value))


def _is_plain(node: yaml.Node) -> bool:
    """Return whether a scalar stands without quotes; in quotes it is text whatever it says."""
    return isinstance(node, yaml.ScalarNode) and node.style is None


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def _printable(text: str) -> str:
    """Return text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def join(key: str, name: str) -> str:
    """Return a dotted key one level deeper."""
    return f"{key}.{name}" if key else name
