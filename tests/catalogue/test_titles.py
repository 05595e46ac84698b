"""What texts say of a variant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.titles import facts


def said(text: str) -> set[str]:
    return {f"{fact.kind}: {fact.plain or round(fact.size or 0, 6)}" for fact in facts(text)}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Phone (128GB)", {"b: 128000000000.0"}),
        ("bottle 0,5 l", {"l: 0.5"}),
        ("SSD 1,050 GB", {"b: 1050000000000.0"}),
        ("tote bag 38 x 42 cm", {"m: 0.38", "m: 0.42", "m^2: 0.1596"}),
        ("cushion 50×50cm", {"m: 0.5", "m^2: 0.25"}),  # noqa: RUF001  # as suppliers write it
        ("sleeve 14–15 inch", {"m: 0.3556", "m: 0.381"}),  # noqa: RUF001
        ("TV 55″, 16 in.", {"m: 1.397", "m: 0.4064"}),
        ("charger 2 in 1", {"charger #: 2", "in #: 1", "#: 2", "#: 1"}),
        ("batteries, pack of 10", {"pieces: 10.0"}),
        ("batteries 10 pcs", {"pieces: 10.0"}),
        ("bolt M6x30", {"m#x#: m6x30"}),
        ("bolt M6 x 30", {"m#x#: m6x30"}),
        ("bearing 6001-2RS", {"#-#rs: 6001-2rs", "#: 6001"}),
        ("iPhone 11, 12", {"iphone #: 11", "#: 11", "#: 12"}),
        ("gear module 1.5", {"module #: 1.5", "#: 1.5"}),
        ("item 4711 mug", {"#: 4711"}),
        ("new 2026 mug", {"#: 2026"}),
        ("50% off", set()),
        ("wire 1.5 m²", {"m²: 1.5"}),
        ("５００ｍｌ", {"l: 0.5"}),  # noqa: RUF001
        ("lens 1.5x", {"#x: 1.5x"}),
        ("Navy mug, weiß", {"colour: blue", "colour: white"}),
        ("5 ınch, 5 İnch", set()),  # noqa: RUF001
        ("a mug", set()),
        ("", set()),
    ],
)
def test_facts_of_a_text(text: str, wanted: set[str]) -> None:
    assert said(text) == wanted


def test_of_a_stuffed_text_the_first_are_read() -> None:
    assert len(facts(" ".join(f"x{number}y" for number in range(500)))) == 32
    assert not facts("long " * 100 + "500 ml")


@given(st.text(st.sampled_from('0123456789.,xX- /mcinGB"%²M'), max_size=200))
def test_any_text_is_read_and_its_sizes_are_numbers(text: str) -> None:
    for fact in facts(text):
        assert fact.size is None or 0 <= fact.size < float("inf")
