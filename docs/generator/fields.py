"""The fields of a dataclass, each with the docstring under it and the range that this states."""

import ast
import dataclasses
import inspect
import itertools
import re
import sys
from dataclasses import dataclass
from typing import Any, get_type_hints

_RANGE = re.compile(  # at the end of a docstring, where units and ranges stand
    r"(?<=[;,] )(?:(?P<open>[\[(])(?P<low>\d[\d.*]*), (?P<high>[\w.*]+)(?P<close>[\])])"
    r"|(?P<sign>>=|>) (?P<bound>\d[\d.*]*\b)(?: \+ [a-z ]+)?)"
)
_POWER = re.compile(r"(\d+)\*\*(\d+)")

Number = int | float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """The range of a number, as its docstring states it."""

    text: str
    """Such as `[0, 1)` or `>= 1 + number of recipes`."""
    low: Number
    """Smallest value; with `is_low_open`, what every value is above."""
    is_low_open: bool
    high: Number | None
    """Largest value; with `is_high_open`, what every value is below; None: no number is stated."""
    is_high_open: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One key of a file or one setting of a run."""

    name: str
    kind: Any
    """The type, as `get_type_hints` returns it."""
    default: Any
    """`dataclasses.MISSING` where it must be given."""
    doc: str
    """The docstring under the field, of which unit and range are the end."""

    @property
    def bounds(self) -> Bounds | None:
        """The range that the docstring states in numbers; none of a yes-or-no."""
        found = list(_RANGE.finditer(self.doc))
        if not found or self.kind is bool:
            return None
        return _bounds(found[-1])

    @property
    def meaning(self) -> str:
        """The docstring without that range."""
        if self.bounds is None:
            return self.doc
        before, after = self.doc.split(self.bounds.text)
        is_last = after[0] in ".;" or before.endswith(", ")
        return before.rstrip(";, ") + after if is_last else before + after.removeprefix(", ")


def fields_of(cls: type) -> list[Field]:
    """Return the fields of a dataclass in their order.

    Raises:
        AssertionError: one has no docstring under it.
    """
    docs, kinds = _docstrings(cls), get_type_hints(cls)
    fields = dataclasses.fields(cls)
    bare = [field.name for field in fields if field.name not in docs]
    assert not bare, f"{cls.__name__}: a field without a docstring: {bare}"
    return [
        Field(
            name=field.name, kind=kinds[field.name], default=_default(field), doc=docs[field.name]
        )
        for field in fields
    ]  # fmt: skip


def _docstrings(cls: type) -> dict[str, str]:
    """Return the text that stands under each field; Python itself forgets it."""
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    (body,) = [n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__]
    return {
        above.target.id: inspect.cleandoc(below.value.value)
        for above, below in itertools.pairwise(body)
        if isinstance(above, ast.AnnAssign)
        and isinstance(above.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _bounds(found: "re.Match[str]") -> Bounds:
    if found["sign"]:
        low = _number(found["bound"])
        assert low is not None
        is_open = found["sign"] == ">"
        return Bounds(text=found[0], low=low, is_low_open=is_open, high=None, is_high_open=False)
    low = _number(found["low"])
    assert low is not None
    return Bounds(
        text=found[0],
        low=low,
        is_low_open=found["open"] == "(",
        high=_number(found["high"]),
        is_high_open=found["close"] == ")",
    )


def _number(text: str) -> Number | None:
    """Return a number such as 0.5 or 2**32; the name of another field is none."""
    if power := _POWER.fullmatch(text):
        return int(int(power[1]) ** int(power[2]))
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        return None
    return float(text) if "." in text else int(text)
