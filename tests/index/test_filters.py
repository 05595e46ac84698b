import pytest
from pydantic import ValidationError

from index import Filters


def test_no_condition_is_open_and_any_is_not() -> None:
    assert Filters().is_open
    assert Filters(not_suppliers=()).is_open
    for filters in (
        Filters(category=""),
        Filters(suppliers=()),
        Filters(not_suppliers=("a",)),
        Filters(min_price=0),
        Filters(max_price=0),
        Filters(in_stock=False),
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
    ],
)
def test_conditions_that_make_no_sense_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Filters.model_validate(fields)
