"""Words as they are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.words import EMPTY, singular, words_of


def says(text: str, words: str) -> bool:
    return words_of(words).keys() <= words_of(text).keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Owl mug, 330 ml", "mugs with an OWL"),
        ("Owl mugs, 330 ml", "owl mug"),
        ("Three boxes", "box"),
        ("A box", "boxes"),
        ("Ripe cherries", "cherry"),
        ("A cherry", "cherries"),
        ("Hex bolt M8x40 DIN933", "m 8 x 40 din 933"),
        ("Hex bolt M8 x 40", "M8X40"),
        ("SSD 128GB", "128 gb"),
        ("10,9 steel", "10.9"),
        ("Cafetière, crème", "cafetiere creme"),
        ("cafetiere", "CAFETIÈRE"),
        ("ﬁne", "fine"),
        ("女士红色连衣裙夏季", "红色连衣裙"),
        ("iPhone 14 手机壳", "iphone 手机"),
        ("a bowl and an owl", "owl"),
        ("50 cm, 5 m", "5"),
        ("gas", "gas"),
        ("two hoodies", "hoodie"),
        ("hoodie", "hoodies"),
        ("sizes 38,39,40", "39"),
        ("1,000 pieces", "1000"),
        ("1000 pcs", "1,000"),
        ("0,3 l", "0.3 L"),
        ("STRASSE", "straße"),
        ("青いバッグ", "バッグ"),
        ("เสื้อสีน้ำเงิน", "สีน้ำเงิน"),
        ("सूती किताब", "किताब"),
        ("", "the of"),
        ("oak leaves", "leaf"),
        ("a leaf", "leaves"),
        ("leather gloves", "glove"),
        ("kitchen knife", "knives"),
        ("tomatoes", "tomato"),
        ("a shoe", "shoes"),
        ("capacitor 100 \u00b5F", "100uF"),
        ("capacitor 100\u03bcF", "100 uF"),
        ("hex bolt M 6 x 40", "M6x40"),
        ("hex bolt M6x40mm", "m6 40 mm"),
        ("1,000ml", "1000 ml"),
        ("0,125 l", "0.125 l"),
    ],
)
def test_a_text_that_says_it(text: str, words: str) -> None:
    assert says(text, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bowl", "owl"),
        ("owlet", "owl"),
        ("pass", "pas"),
        ("cats eye", "cat eyebrow"),
        ("150 cm", "50"),
        ("1.50 cm", "50"),
        ("50.5 cm", "50"),
        ("500", "50"),
        ("10.9", "10"),
        ("红色帽子", "红色连衣裙"),
        ("パック", "バッグ"),
        ("कुत", "किताब"),
        ("38,39,40", "38.39"),
        ("", "owl"),
        ("M8 x 60", "M6"),
        ("M8, hex key 6 mm", "M6"),
        ("500 pieces, 3 ml", "500 ml"),
    ],
)
def test_a_text_that_does_not(text: str, words: str) -> None:
    assert not says(text, words)


def test_each_once_in_their_order() -> None:
    assert list(words_of("The mugs with an owl, owls & 2 Owls' mugs")) == ["mug", "owl", "2"]
    assert list(words_of("红色 x 红")) == ["红色", "x", "红"]
    assert not words_of("of the ... ! ours")


@pytest.mark.parametrize(
    ("word", "one"),
    [("mugs", "mug"), ("glass", "glass"), ("glasses", "glass"), ("boxes", "box"), ("cherries", "cherry")],
)
def test_singular(word: str, one: str) -> None:
    assert singular(word) == one


@given(st.text(max_size=200))
def test_of_any_text(text: str) -> None:
    words = words_of(text)
    assert not EMPTY & words.keys()
    assert says(f"{text} {text} more", text)
