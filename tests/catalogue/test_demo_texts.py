"""How the demo's suppliers write."""

import random

import pytest

from catalogue.demo.render.styles import STYLES
from catalogue.demo.render.suppliers import listings_of
from catalogue.demo.render.texts import Draft, imperial, slip

LISTINGS = listings_of(STYLES)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("40 mm", "1.57 in"), ("1.2 mm", "0.05 in"), ("500 ml", "17 oz"), ("M6", "M6"), ("38 x 42 cm", "38 x 42 cm")],
)
def test_inches_and_ounces(metric: str, expected: str) -> None:
    assert imperial(metric) == expected


def test_a_slip_of_the_finger_costs_a_letter_at_most_and_never_a_number() -> None:
    text = "hex bolt M6x30 zinc-plated, 50 pieces"
    slipped = {slip(text, random.Random(seed)) for seed in range(200)}
    assert len(slipped) > 10
    for variant in slipped:
        assert len(text) - 1 <= len(variant) <= len(text)
        assert "6x30" in variant
        assert "50" in variant
    assert slip("M6", random.Random(0)) == "M6"


def test_a_title_does_not_say_a_number_twice() -> None:
    for listing in LISTINGS:
        draft = Draft(listing, "en", listing.rng("test"))
        code = draft.code()
        other = draft.other(code)
        assert other == "" or other not in code, listing.product_id


def test_a_name_and_a_look_do_not_say_the_same() -> None:
    listing = next(x for x in LISTINGS if x.style.style_id == "table-lamp-drum")
    draft = Draft(listing, "en", random.Random(0), said=["desk lamp with fabric shade"])
    assert draft.has_said("drum shade")
    assert not draft.has_said("with a rod")
