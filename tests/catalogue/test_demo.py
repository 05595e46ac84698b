"""The demo shop as it comes along."""

import re
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

from catalogue import Product, demo
from catalogue.demo.render.styles import SHORT, STYLES, VOCABULARY
from catalogue.demo.render.suppliers import SUPPLIERS, listings_of
from catalogue.demo.render.texts import write
from catalogue.readers import CatalogueRow, read_catalogue
from catalogue.variants import contradict

ROWS = list(read_catalogue(demo.CATALOGUE))
PRODUCTS = [row.product for row in ROWS if isinstance(row, CatalogueRow)]
PHOTOS = demo.CATALOGUE.parent / "photos"


def listings_by_style() -> dict[str, list[Product]]:
    styles: dict[str, list[Product]] = defaultdict(list)
    for product in PRODUCTS:
        styles[str(product.style_id)].append(product)
    return styles


def test_it_is_a_whole_shop() -> None:
    assert len(PRODUCTS) >= 600
    assert len(listings_by_style()) >= 150
    assert len({product.category for product in PRODUCTS}) >= 24
    assert {product.supplier_id for product in PRODUCTS} == set(SUPPLIERS)
    assert {product.currency for product in PRODUCTS} == {"USD", "EUR", "GBP", "CNY"}
    assert 0.7 < sum(bool(product.in_stock) for product in PRODUCTS) / len(PRODUCTS) < 0.95


def test_three_in_ten_styles_are_held_out() -> None:
    assert 250 < sum(demo.is_held_out(f"style-{number}") for number in range(1000)) < 350
    share = sum(map(demo.is_held_out, listings_by_style())) / len(listings_by_style())
    assert 0.22 < share < 0.38


def test_it_reads_without_a_complaint_and_every_photo_is_there_and_no_other() -> None:
    assert len(PRODUCTS) == len(ROWS) == len({product.product_id for product in PRODUCTS})
    files = {f"photos/{path.name}" for path in PHOTOS.iterdir()}
    assert Counter(product.images[0] for product in PRODUCTS) == dict.fromkeys(files, 1)
    assert sum(path.stat().st_size for path in PHOTOS.iterdir()) <= 9_000_000


def test_every_style_has_three_to_five_suppliers_that_do_not_contradict_each_other() -> None:
    for listings in listings_by_style().values():
        assert len({product.supplier_id for product in listings}) == len(listings)
        assert 3 <= len(listings) <= 5
        assert len({product.category for product in listings}) == 1
        assert not any(contradict(one, other) for one in listings for other in listings)


def test_no_two_listings_share_their_words_or_their_photo() -> None:
    texts = Counter((product.title, product.description) for product in PRODUCTS)
    assert [text for text, count in texts.items() if count > 1] == []
    photos = Counter((PHOTOS.parent / product.images[0]).read_bytes() for product in PRODUCTS)
    assert max(photos.values()) == 1


def test_the_scripts_write_the_committed_texts_byte_for_byte(tmp_path: Path) -> None:
    write(listings_of(STYLES), tmp_path / "products.jsonl")
    assert (tmp_path / "products.jsonl").read_bytes() == demo.CATALOGUE.read_bytes()


def test_every_style_is_told_in_every_language_its_kind_is() -> None:
    assert len({style.style_id for style in STYLES}) == len(STYLES)
    for style in STYLES:
        for words in (style.look, style.uses):
            assert not words or set(words) == set(VOCABULARY[style.kind].names), style.style_id


def test_some_styles_differ_in_the_words_alone_and_some_in_the_photo_alone() -> None:
    in_words = in_photo = 0
    for one, other in combinations(STYLES, 2):
        if one.kind == other.kind:
            same_words = (one.facts, one.look, one.uses) == (other.facts, other.look, other.uses)
            in_words += one.shape == other.shape and one.facts != other.facts
            in_photo += one.shape != other.shape and same_words
            assert one.shape != other.shape or not same_words, f"{one.style_id} is {other.style_id}"
    print(f"pairs that differ in words alone: {in_words}, in the photo alone: {in_photo}")
    assert in_words >= 10
    assert in_photo >= 10


def test_what_a_text_says_of_the_look_is_the_look_of_its_style() -> None:
    """No listing names a look of another style of its kind."""
    styles = {style.style_id: style for style in STYLES}
    for product in PRODUCTS:
        own = styles[str(product.style_id)]
        words = f"{product.title}. {product.description}".lower()
        other_looks = {
            look for style in STYLES if style.kind == own.kind for some in style.look.values() for look in some
        }
        own_words = {look for some in own.look.values() for look in some}
        own_words |= {phrase for some in VOCABULARY[own.kind].names.values() for phrase in some}
        for look in other_looks - own_words:
            said = re.search(rf"(?<![\w-]){re.escape(look.lower())}(?![\w-])", words)
            covered = any(look.lower() in phrase.lower() for phrase in own_words)
            assert not said or covered, f"{product.product_id} of {own.style_id} says {look}"


def test_numbers_of_a_title_are_those_of_its_style() -> None:
    styles = {style.style_id: style for style in STYLES}
    for product in PRODUCTS:
        style = styles[str(product.style_id)]
        known = " ".join(
            [*style.facts.values(), *style.codes, *(w for some in style.uses.values() for w in some), "2026"]
        )
        known += " ".join(w for some in VOCABULARY[style.kind].names.values() for w in some)
        known += " ".join([*SHORT.values(), *(w for some in style.look.values() for w in some)])
        numbers = set(re.findall(r"\d+", product.title)) - set(re.findall(r"\d+", known))
        assert not numbers, f"{product.product_id} of {style.style_id} says {numbers}: {product.title}"
