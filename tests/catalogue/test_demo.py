"""The demo shop as it comes along."""

from catalogue import demo
from catalogue.readers import CatalogueRow, read_catalogue
from catalogue.variants import contradict

ROWS = list(read_catalogue(demo.CATALOGUE))
PRODUCTS = [row.product for row in ROWS if isinstance(row, CatalogueRow)]


def test_three_in_ten_styles_are_held_out() -> None:
    assert 250 < sum(demo.is_held_out(f"style-{number}") for number in range(1000)) < 350
    styles = {product.style_id for product in PRODUCTS if product.style_id}
    assert 6 <= sum(map(demo.is_held_out, styles)) <= 10


def test_it_reads_without_a_complaint_and_every_photo_is_there() -> None:
    assert len(PRODUCTS) == len(ROWS) >= 60
    assert len({product.product_id for product in PRODUCTS}) == len(PRODUCTS)
    for product in PRODUCTS:
        assert (demo.CATALOGUE.parent / product.images[0]).is_file()


def test_every_style_has_five_suppliers_that_do_not_contradict_each_other() -> None:
    styles = {product.style_id for product in PRODUCTS}
    for style in styles:
        listings = [product for product in PRODUCTS if product.style_id == style]
        assert len({product.supplier_id for product in listings}) == len(listings) == 5
        assert not any(contradict(one, other) for one in listings for other in listings)
