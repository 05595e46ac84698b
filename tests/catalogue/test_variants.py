"""Which listings declare themselves different variants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import Product
from catalogue.variants import contradict


def product(**attributes: str) -> Product:
    return Product(product_id="a", title="a", attributes={k.replace("_", " "): v for k, v in attributes.items()})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (product(thread="M6"), product(thread="M8")),
        (product(capacitance="10 µF"), product(capacitance="100 µF")),
        (product(volume="500 ml"), product(volume="750ml")),
        (product(Colour="red"), product(colour="blue")),
        (product(size="L"), product(size="XL")),
        (product(length="40 mm", thread="M6"), product(length="1.57 in", thread="M8")),
        (product(teeth="24"), product(teeth="32")),
        (product(length="40 mm"), product(length="40 cm")),
    ],
)
def test_different_variants(one: Product, other: Product) -> None:
    assert contradict(one, other)
    assert contradict(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (product(thread="M6"), product()),
        (product(thread="M6"), product(length="40 mm")),
        (product(thread="M 6"), product(thread="m6")),
        (product(length="40 mm"), product(length="1.57 in")),
        (product(length="4 cm"), product(length="40mm")),
        (product(capacity="0.5 l"), product(capacity="500 ml")),
        (product(capacity="0,5 l"), product(capacity="500 ml")),
        (product(resistance="4.7 kΩ"), product(resistance="4700 ohm")),
        (product(material="steel"), product(material="zinc-plated steel")),
        (product(length="1.2.3 mm"), product(length="1.2.3 mm")),
    ],
)
def test_one_variant(one: Product, other: Product) -> None:
    assert not contradict(one, other)
    assert not contradict(other, one)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=12), max_size=4))
def test_nothing_contradicts_itself(attributes: dict[str, str]) -> None:
    one = Product(product_id="a", title="a", attributes=attributes)
    assert not contradict(one, one)
