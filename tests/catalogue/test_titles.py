"""What texts say of a variant."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalogue import titles
from catalogue.titles import EDITION, Fact, facts, telling


def said(text: str) -> set[str]:
    """But for editions."""
    found = [fact for fact in facts(text) if not fact.kind.endswith(EDITION)]
    return {f"{fact.kind}: {fact.plain or round(fact.size or 0, 6)}" for fact in found}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Phone (128GB)", {"b: 128000000000.0"}),
        ("bottle 0,5 l", {"l: 0.5"}),
        ("SSD 1,050 GB", {"b: 1050000000000.0", "b: 1050000000.0"}),
        ("tote bag 38 x 42 cm", {"m: 0.38", "m: 0.42", "m^2: 0.3995"}),
        ("cushion 50×50cm", {"m: 0.5", "m^2: 0.5"}),  # noqa: RUF001  # as suppliers write it
        ("sleeve 14–15 inch", {"m: 0.3556", "m: 0.381"}),  # noqa: RUF001
        ("TV 55″, 16 in.", {"m: 1.397", "m: 0.4064"}),
        ("charger 2 in 1", {"charger #: 2", "#: 2", "#: 1"}),
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
        ("Powerbank 10.000 mAh", {"ah: 10.0", "ah: 0.01"}),
        ("Powerbank 10 000 mAh", {"ah: 10.0", "powerbank #: 10", "#: 10"}),
        ("6 x 0.5 l", {"l: 0.5", "l: 3.0"}),
        ("pipe 1½ inch", {"m: 0.0381"}),
        ("wrench 3/4 inch", {"m: 0.01905"}),
        ("100ml/3.4oz", {"l: 0.1", "g: 96.3883"}),
        ("USB 3.0, Modul 1,50", {"usb #: 3", "#: 3", "modul #: 1.5", "#: 1.5"}),
        ("iPhone14 M10x1,25", {"iphone #: 14", "#: 14", "m#x#: m10x1.25"}),
        ("foam 70x50", {"#x#: 50x70"}),
        ("oil 5W-30", {"#w-#: 5w-30", "#: 30"}),
        ("3M tape, 5G, de 3 a 6", {"#m: 3m", "#g: 5g", "#: 3", "#: 6"}),
        ("MOQ 100 pcs, 2024新款, SS24, 12.5元", set()),
        ("Black & Decker", set()),
        ("a mug", set()),
        ("", set()),
    ],
)
def test_facts_of_a_text(text: str, wanted: set[str]) -> None:
    assert said(text) == wanted


def test_what_says_too_much_tells_nothing() -> None:
    assert [fact.tells for fact in facts("X5Y X6Y")] == [True, True]
    assert not any(fact.tells for fact in facts(" ".join(f"x{number}y" for number in range(500))))
    assert [fact for fact in facts("500 ml " + "long " * 100) if fact.kind == "l"] == [
        Fact("l", 0.5, "", "500 ml", False)
    ]
    assert said("long " * 79 + "5500 ml") == {"#: 5500", "long #: 5500"}  # not 5500 m, cut within


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Nokia 105 Single SIM", {("nokia 105", "")}),
        ("iPhone14 pro  MAX case", {("iphone 14", "pro max")}),
        ("Galaxy S23 / S23 Ultra", {("model s23", ""), ("model s23", "ultra")}),
        ("Bluetooth 5 mini, size 3 pro, MOQ 14", set()),
        ("case for Promax 14 Prose", {("promax 14", "")}),
    ],
)
def test_editions_of_a_model(text: str, wanted: set[tuple[str, str]]) -> None:
    told = {(fact.kind.removesuffix(f" {EDITION}"), fact.plain) for fact in facts(text) if fact.tells}
    assert {one for one in told if " " in one[0] and "#" not in one[0]} == wanted


@given(st.text(st.sampled_from('0123456789.,xX- /mcinGB"%²M'), max_size=200))
@example("pan 1/00 inch")
@example("sieve \u0663/\u0660\u0660 inch")
def test_any_text_is_read_and_its_sizes_are_numbers(text: str) -> None:
    for fact in facts(text):
        assert fact.size is None or 0 <= fact.size < float("inf")


def test_no_text_takes_long() -> None:
    began = time.process_time()
    for length in range(180, 200):
        facts("1" * length + " " * length)
    assert time.process_time() - began < 0.5
    assert len(facts(f"{chr(0xFDFA) * 380} 5 cm")) == 0  # each is 18 characters in plain writing


def test_what_is_remembered_is_bounded_however_much_texts_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(titles, "_REMEMBERED", 200)
    known = titles._Known()
    held = []
    for start in range(0, 1_000, 50):
        known.of(" ".join(f"a{number}" for number in range(start, start + 50)))
        held.append(known.held)
    assert max(held) <= 200
    assert known.of("mug 5 cm")[1] == telling("mug 5 cm") == facts("mug 5 cm")
