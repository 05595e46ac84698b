r"""Filters as one line of text.

    category="Home & Kitchen > Mugs" supplier!=kestrel price<=20 in_stock=true colour=red,blue id!=a,b

    filters   = condition, separated by spaces; all must hold
    condition = name operator values; the operators are = != <= >=
    name      = category, supplier, price, currency, in_stock, id; any other is an attribute's, and so is attribute:NAME
    values    = value, separated by commas: any of them; () is an empty list, which nothing is in
    value     = a word, or "quoted" with \" and \\ inside, where it holds spaces or any of "\,=!<>()

A price is `price>=5`, `price<=20`, or both as `price=5..20`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from catalogue.errors import InvalidInput

ATTRIBUTE: Final = "attribute:"
"""Before a name: an attribute, whatever the name."""

_WORD: Final = re.compile(r'[^\s"\\,=!<>()]+')
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_OPERATOR: Final = re.compile(r"<=|>=|!=|=")
_NOTHING: Final = re.compile(r"\(\s*\)")
_COMMA: Final = re.compile(",")
_SPACE: Final = re.compile(r"\s*")
_NUMBER: Final = r"(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_PRICE: Final = re.compile(_NUMBER, re.ASCII)
_RANGE: Final = re.compile(rf"{_NUMBER}\.\.{_NUMBER}", re.ASCII)


class _Value(NamedTuple):
    text: str
    at: int


class _Text:
    """The text and how far it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.skip()

    def skip(self) -> None:
        self.take(_SPACE)

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read on if the pattern comes next."""
        match = pattern.match(self.text, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def word(self, expected: str) -> _Value:
        """A word or a quoted text."""
        at = self.at
        if match := self.take(_WORD):
            return _Value(match.group(), at)
        inside = self.take(_QUOTED)
        if inside is None:
            unclosed = self.text[at : at + 1] == '"'
            self.refuse(at, 'a closing ", and before any " or \\ inside a \\' if unclosed else expected)
        return _Value(re.sub(r"\\(.)", r"\1", inside.group(1)), at)

    def refuse(self, at: int, expected: str) -> NoReturn:
        """Say where the text cannot be read, and what could have stood there."""
        found = repr(self.text[at : at + 20]) if at < len(self.text) else "the end"
        raise InvalidInput(f"The filter cannot be read at character {at + 1}: expected {expected}, found {found}.")


class _Kind(NamedTuple):
    """What the values of a condition are: how they are read, and written."""

    read: Callable[[_Text, Sequence[_Value], int], Any]
    write: Callable[[Any], str]


def _word(text: _Text, values: Sequence[_Value], at: int) -> str:
    if len(values) != 1:
        text.refuse(values[1].at if values else at, "one value")
    return values[0].text


def _words(text: _Text, values: Sequence[_Value], at: int) -> tuple[str, ...]:
    return tuple(value.text for value in values)


def _flag(text: _Text, values: Sequence[_Value], at: int) -> bool:
    word = _word(text, values, at)
    if word not in {"true", "false"}:
        text.refuse(at, "true or false")
    return word == "true"


def _price(text: _Text, values: Sequence[_Value], at: int) -> float:
    return _prices(_PRICE, "a price such as 20 or 19.90", text, values, at)[0]


def _range(text: _Text, values: Sequence[_Value], at: int) -> list[float]:
    return _prices(_RANGE, "a range of prices such as 5..20", text, values, at)


def _prices(pattern: re.Pattern[str], expected: str, text: _Text, values: Sequence[_Value], at: int) -> list[float]:
    match = pattern.fullmatch(_word(text, values, at))
    numbers = [float(number) for number in match.groups()] if match else []
    if not numbers or not all(0 <= number < math.inf for number in numbers):
        text.refuse(at, expected)
    return numbers


def quoted(value: str) -> str:
    """A value as it stands in a filter."""
    return value if _WORD.fullmatch(value) else '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'


def number(value: float) -> str:
    """A price as it stands in a filter."""
    return repr(value).removesuffix(".0")


def _list(values: Sequence[str]) -> str:
    return ",".join(map(quoted, values)) if values else "()"


_ONE: Final = _Kind(_word, quoted)
_SOME: Final = _Kind(_words, _list)
_CONDITIONS: Final[Mapping[tuple[str, str], tuple[str, _Kind]]] = {
    ("category", "="): ("category", _ONE),
    ("supplier", "="): ("suppliers", _SOME),
    ("supplier", "!="): ("not_suppliers", _SOME),
    ("price", ">="): ("min_price", _Kind(_price, number)),
    ("price", "<="): ("max_price", _Kind(_price, number)),
    ("currency", "="): ("currency", _ONE),
    ("in_stock", "="): ("in_stock", _Kind(_flag, lambda flag: str(flag).lower())),
    ("id", "="): ("ids", _SOME),
    ("id", "!="): ("not_ids", _SOME),
}
"""Name and operator, the field of `Filters`, and its values."""
_NAMES: Final = frozenset(name for name, _ in _CONDITIONS)


def read(text: str) -> dict[str, Any]:
    """The fields of `Filters`; raises InvalidInput with the position and what was expected there."""
    rest = _Text(text)
    fields: dict[str, Any] = {}
    attributes: dict[str, tuple[str, ...]] = {}
    while rest.at < len(text):
        name = rest.word("a condition such as supplier=acme")
        rest.skip()
        operator = _operator(rest, name)
        at = rest.at
        values = _values(rest)
        known = name.text.casefold()
        if known not in _NAMES:
            _put(rest, name, attributes, known.removeprefix(ATTRIBUTE), _words(rest, values, at))
        elif (known, operator) == ("price", "="):
            low, high = _range(rest, values, at)
            _put(rest, name, fields, "min_price", low)
            _put(rest, name, fields, "max_price", high)
        else:
            field, kind = _CONDITIONS[known, operator]
            _put(rest, name, fields, field, kind.read(rest, values, at))
        if rest.at < len(text) and not text[rest.at - 1].isspace():
            rest.refuse(rest.at, "a space, or a comma and a value")
    return fields | ({"attributes": attributes} if attributes else {})


def write(fields: Mapping[str, Any]) -> str:
    """The text of the fields that hold a condition."""
    parts = [
        name + operator + kind.write(fields[field])
        for (name, operator), (field, kind) in _CONDITIONS.items()
        if field in fields
    ]
    parts += [attribute(name, values) for name, values in fields.get("attributes", {}).items()]
    return " ".join(parts)


def attribute(name: str, values: Sequence[str]) -> str:
    """The condition that an attribute has one of the values."""
    hidden = name in _NAMES or name.startswith(ATTRIBUTE)
    return quoted(ATTRIBUTE + name if hidden else name) + "=" + _list(values)


def _operator(rest: _Text, name: _Value) -> str:
    at = rest.at
    known = name.text.casefold()
    operators = [operator for one, operator in _CONDITIONS if one == known] or ["="]
    if known == "price":
        operators.append("=")
    match = rest.take(_OPERATOR)
    if match is None or match.group() not in operators:
        attribute = "" if known in _NAMES else ", which is an attribute"
        rest.refuse(at, f"{' or '.join(operators)} after {name.text[:50]!r}{attribute}")
    rest.skip()
    return match.group()


def _values(rest: _Text) -> list[_Value]:
    values: list[_Value] = []
    if not rest.take(_NOTHING):
        values.append(rest.word("a value"))
        rest.skip()
        while rest.take(_COMMA):
            rest.skip()
            values.append(rest.word("a value after the comma"))
            rest.skip()
    rest.skip()
    return values


def _put(rest: _Text, name: _Value, fields: dict[str, Any], field: str, value: Any) -> None:
    if field in fields:
        rest.refuse(name.at, "each condition once, with commas between its values")
    fields[field] = value
