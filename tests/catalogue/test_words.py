"""Words as they are looked for in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.words import plain, saying, singular, wanted


def says(text: str, words: str) -> bool:
    return all(saying(word, [plain(text)]) == [True] for word in wanted(words, 32))


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
        ("", "the of"),
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
        ("by", "y"),
        ("cats eye", "cat eyebrow"),
        ("150 cm", "50"),
        ("1.50 cm", "50"),
        ("50.5 cm", "50"),
        ("500", "50"),
        ("10.9", "10"),
        ("红色帽子", "红色连衣裙"),
        ("", "owl"),
    ],
)
def test_a_text_that_does_not(text: str, words: str) -> None:
    assert not says(text, words)


def test_what_is_wanted() -> None:
    assert wanted("The mugs with an owl, owls & 2 Owls' mugs", 32) == ("mug", "owl", "2")
    assert wanted("one two three", 2) == ("one", "two")
    assert wanted(f"a {'b' * 65} c", 32) == ("c",)
    assert wanted("红色 x", 32) == ("红色", "x")
    assert wanted("红", 32) == ("红",)
    assert wanted("of the ... !", 32) == ()


@pytest.mark.parametrize(
    ("word", "one"),
    [
        ("mugs", "mug"),
        ("glass", "glass"),
        ("glasses", "glass"),
        ("boxes", "box"),
        ("cherries", "cherry"),
        ("gas", "gas"),
    ],
)
def test_singular(word: str, one: str) -> None:
    assert singular(word) == one


@given(st.text(max_size=200))
def test_any_text_says_what_it_says(text: str) -> None:
    assert says(text, text)


@given(st.text(st.sampled_from("abs y1.,é连衣"), max_size=30), st.text(st.sampled_from("abs y1.,é连衣"), max_size=10))
def test_what_stands_between_spaces_is_said(text: str, word: str) -> None:
    assert says(f"{text} {word} {text}", word)
