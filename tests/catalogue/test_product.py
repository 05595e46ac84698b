import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from catalogue import Product
from catalogue.product import optional_number


@pytest.mark.parametrize(
    "product_id",
    ["1", "a/b", "SKU:12-3_4.5", "größe", "杯子", "🟥", "👩🏽‍🚀"[0], "x" * 128, "杯" * 128, "..", "%2F", "'--"],
)
def test_ids_of_visible_characters_are_taken(product_id: str) -> None:
    assert Product(product_id=product_id, title="x").product_id == product_id


@pytest.mark.parametrize(
    "product_id",
    ["", " ", "a b", " a", "a ", "a\n", "\na", "a\tb", "a\0b", "\x1f", "\x7f", "\x85", "\x9f", "\xa0", "\u2003",
     "\u3000", "\u2028", "\u200b", "a\u200b", "\u202e", "\ufeff", "\u2066", "x" * 129, "\ud800"],
)  # fmt: skip
def test_ids_that_cannot_be_seen_or_are_too_long_are_refused(product_id: str) -> None:
    with pytest.raises(ValidationError, match="product_id") as refused:
        Product(product_id=product_id, title="x")
    assert "pattern" not in str(refused.value)  # which nobody could read


def test_a_title_or_a_photo_is_required() -> None:
    for fields in ({}, {"title": " \t"}, {"description": "a mug"}, {"images": ()}):
        with pytest.raises(ValidationError, match="a title or a photo"):
            Product.model_validate({"product_id": "1", **fields})
    assert Product(product_id="1", images=("a.jpg",)).title == ""
    assert Product(product_id="1", title="mug").images == ()


@pytest.mark.parametrize("price", [float("nan"), float("inf"), float("-inf"), -0.01])
def test_a_price_is_a_number_from_zero(price: float) -> None:
    with pytest.raises(ValidationError, match="price"):
        Product(product_id="1", title="x", price=price)


def test_lone_surrogates_never_get_in() -> None:
    product = Product(
        product_id="1",
        title="a\ud800b",
        description="\udfff",
        category="\ud800",
        supplier_id="\ud800",
        currency="\ud800",
        attributes={"k\ud800": "v\udc00"},
        url="\ud800",
        style_id="\ud800",
    )
    assert product.title == "a\ufffdb"
    assert product.attributes == {"k\ufffd": "v\ufffd"}
    assert Product.model_validate_json(product.model_dump_json()) == product


def test_lone_surrogates_in_photo_paths_never_get_in() -> None:
    try:
        product = Product(product_id="1", images=("a\ud800.jpg",))
    except ValidationError:
        return
    product.model_dump_json()


def test_a_product_is_frozen_and_has_no_other_fields() -> None:
    product = Product(product_id="1", title="x")
    with pytest.raises(ValidationError):
        product.title = "y"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Product.model_validate({"product_id": "1", "title": "x", "colour": "red"})


def test_limits_hold() -> None:
    for name, value in {
        "title": "x" * 2_001,
        "description": "x" * 100_001,
        "category": "x" * 1_001,
        "currency": "x" * 9,
        "images": ("x",) * 51,
        "attributes": {str(n): "" for n in range(201)},
    }.items():
        with pytest.raises(ValidationError, match=name):
            Product.model_validate({"product_id": "1", "title": "x", name: value})


def test_a_category_over_its_limit_is_refused_at_once() -> None:
    began = time.process_time()
    with pytest.raises(ValidationError, match="category"):
        Product(product_id="1", title="x", category=f"x{' ' * 100_000}x")
    assert time.process_time() - began < 1


def test_category_levels() -> None:
    assert Product(product_id="1", title="x", category="Home > Kitchen > Mugs").category_levels == (
        "Home",
        "Kitchen",
        "Mugs",
    )
    assert Product(product_id="1", title="x").category_levels == ()


@pytest.mark.parametrize(
    ("value", "number"),
    [(None, None), ("", None), ("  ", None), ("12.50", 12.5), (" 7 ", 7.0), (3, 3.0), ("1e2", 100.0)],
)
def test_a_price_that_can_be_read(value: object, number: float | None) -> None:
    assert optional_number(value) == number


@pytest.mark.parametrize(
    "value",
    ["₹10,999", "10,999", "free", "nan", "inf", "-1", float("nan"), float("inf"), -1, [1], {"amount": 1}, 10**400],
)
def test_a_price_that_cannot_be_read(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (whatever the message)
        optional_number(value)


@settings(deadline=None)
@given(st.text(max_size=200), st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=5))
def test_any_text_survives_json(text: str, attributes: dict[str, str]) -> None:
    product = Product(product_id="1", title="x", description=text, attributes=attributes)
    assert Product.model_validate(json.loads(product.model_dump_json())) == product
