import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from catalogue.errors import InvalidInput
from index import Filters

texts = st.text(st.sampled_from('ab ß"\\,=!<>()\t\n:.杯') | st.characters(exclude_categories=["Cs"]), max_size=6)
names = texts | st.sampled_from(["price", "Supplier", "attribute:", "attribute:id", "ID", "Colour"])
prices = st.none() | st.floats(min_value=0, allow_infinity=False, allow_nan=False) | st.sampled_from([-0.0, 20.0, 1e22])
any_filters = st.builds(
    Filters,
    category=st.none() | texts,
    suppliers=st.none() | st.lists(texts, max_size=3).map(tuple),
    not_suppliers=st.lists(texts, max_size=3).map(tuple),
    min_price=prices,
    max_price=prices,
    currency=st.none() | texts,
    in_stock=st.none() | st.booleans(),
    attributes=st.dictionaries(names, st.lists(texts, max_size=3), max_size=3).filter(
        lambda attributes: len({name.casefold() for name in attributes}) == len(attributes)
    ),
    ids=st.none() | st.lists(texts, max_size=3).map(tuple),
    not_ids=st.lists(texts, max_size=3).map(tuple),
)


def test_no_condition_is_open_and_any_is_not() -> None:
    assert Filters().is_open
    assert Filters(not_suppliers=(), not_ids=(), attributes={}).is_open
    assert Filters.parse(" ").is_open
    for filters in (
        Filters(category=""),
        Filters(suppliers=()),
        Filters(not_suppliers=("a",)),
        Filters(min_price=0),
        Filters(max_price=0),
        Filters(currency="EUR"),
        Filters(in_stock=False),
        Filters(attributes={"colour": ()}),
        Filters(ids=()),
        Filters(not_ids=("a",)),
    ):
        assert not filters.is_open


@pytest.mark.parametrize(
    "fields",
    [
        {"min_price": -1},
        {"max_price": float("nan")},
        {"max_price": float("inf")},
        {"suppliers": ["a"] * 1_001},
        {"category": "x" * 1_001},
        {"colour": "red"},
        {"ids": ["a"] * 1_001},
        {"not_ids": ["x" * 129]},
        {"attributes": {f"a{n}": ["x"] for n in range(17)}},
        {"attributes": {"a": ["x"] * 101}},
        {"attributes": {"a": ["x" * 2_001]}},
        {"attributes": {"x" * 201: ["x"]}},
        {"attributes": {"a": "red"}},
        {"attributes": {"Colour": ["red"], "colour": ["blue"]}},
    ],
)
def test_conditions_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Filters.model_validate(fields)


@settings(max_examples=500, deadline=None)
@given(any_filters)
def test_the_text_says_what_the_object_says(filters: Filters) -> None:
    assert Filters.parse(str(filters)) == filters
    assert Filters.model_validate_json(filters.model_dump_json()) == filters


def test_equal_filters_are_equal_in_writing() -> None:
    one = Filters(attributes={"Size": ("M",), "colour": ("red",)})
    other = Filters(attributes={"COLOUR": ("red",), "size": ("M",)})
    assert one == other
    assert str(one) == str(other) == "colour=red size=M"
    assert one.model_dump_json() == other.model_dump_json()


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        (
            'category="Home & Kitchen > Mugs" supplier!=kestrel price<=20 in_stock=true colour=red,blue id!=a,b',
            Filters(
                category="Home & Kitchen > Mugs",
                not_suppliers=("kestrel",),
                max_price=20,
                in_stock=True,
                attributes={"colour": ("red", "blue")},
                not_ids=("a", "b"),
            ),
        ),
        ("price=5..19.90 currency=EUR", Filters(min_price=5, max_price=19.9, currency="EUR")),
        ("  Price >= 1e3\n supplier = a , b ", Filters(min_price=1000, suppliers=("a", "b"))),
        ("supplier=() id=( )", Filters(suppliers=(), ids=())),
        (r'supplier="a \"b\" \\ c",""', Filters(suppliers=('a "b" \\ c', ""))),
        ("attribute:price=cheap attribute:colour=red", Filters(attributes={"price": ("cheap",), "colour": ("red",)})),
        ('"Tall mug"=yes in_stock=false', Filters(attributes={"tall mug": ("yes",)}, in_stock=False)),
    ],
)
def test_what_can_be_written(text: str, filters: Filters) -> None:
    assert Filters.parse(text) == filters


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("supplier", 9, "= or !="),
        ("supplier=", 10, "a value, found the end"),
        ("supplier=a,", 12, "after the comma"),
        ("supplier<=a", 9, "= or != after 'supplier', found '<=a'"),
        ("colour!=red", 7, "= after 'colour'"),
        ("a=b c", 6, "= after 'c'"),
        ('a="b', 3, 'closing "'),
        (r'a="\n"', 3, "closing"),
        ('a="b"c=d', 6, "a space"),
        ("a=()b=c", 5, "a space"),
        ("a=(b)", 3, "a value"),
        ("price=20", 7, "5..20"),
        ("price<=cheap", 8, "19.90"),
        ("price<=-1", 8, "19.90"),
        ("price<=nan", 8, "19.90"),
        ("price<=1_0", 8, "19.90"),
        ("price<=٢", 8, "19.90"),
        ("price=1..1e999", 7, "5..20"),
        ("price<=1,2", 10, "one value"),
        ("category=()", 10, "one value"),
        ("in_stock=yes", 10, "true or false"),
        ("a=1 A=2", 5, "once"),
        ("price>=1 price=1..2", 10, "once"),
        ("supplier=a , supplier=b", 22, "a space"),
        ("=a", 1, "a condition"),
        (", a=b", 1, "a condition"),
        ("a=b & c=d", 7, "="),
    ],
)
def test_what_cannot_be_read_is_told_where(text: str, at: int, expected: str) -> None:
    with pytest.raises(InvalidInput, match=rf"at character {at}: expected .*{re.escape(expected)}"):
        Filters.parse(text)


def test_too_many_values_are_refused_in_writing_too() -> None:
    with pytest.raises(InvalidInput, match=r"suppliers: .*1000"):
        Filters.parse("supplier=" + ",".join(["a"] * 1_001))


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('ab=!<>,"\\() .1') | st.characters(), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        filters = Filters.parse(text)
    except InvalidInput:
        return
    assert Filters.parse(str(filters)) == filters
