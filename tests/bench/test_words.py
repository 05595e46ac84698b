"""What a shopper's few words find."""

from pathlib import Path

import numpy as np

from bench.words import QUERIES, of_its_own_words, precision
from catalogue import demo
from catalogue.readers import CatalogueRow, read_catalogue
from models import Encoders
from tests.models.bundles import SHIPPED


def test_the_share_of_what_is_meant() -> None:
    styles = ["mug-owl-330", "mug-fox-330", "cushion-check-40", *["bolt"] * 7]
    products = np.eye(10, dtype=np.float32)
    queries = np.zeros((len(QUERIES), 10), np.float32)
    queries[0, [0, 3, 4, 5, 6]] = 1  # owl mugs
    queries[1, 3:8] = 1
    queries[2, [1, 0, 3, 4, 5]] = 1
    shares = precision(queries, products, styles)
    assert shares[:3].tolist() == [0.2, 0.0, 0.2]
    assert shares.shape == (len(QUERIES),)


def test_every_query_means_something_of_the_demo_shop() -> None:
    styles = {row.product.style_id or "" for row in read_catalogue(demo.CATALOGUE) if isinstance(row, CatalogueRow)}
    for start in QUERIES.values():
        assert any(style.startswith(start) for style in styles), start


def test_a_catalogues_own_words_find_what_has_them(tmp_path: Path) -> None:
    catalogue = tmp_path / "shop.csv"
    titles = ["owl mug", "fox mug", "owl cup"]
    rows = [f"{number},s,{title}\n" for number, title in enumerate(titles)]
    catalogue.write_text("product_id,supplier_id,title\n" + "".join(rows))
    assert of_its_own_words(Encoders.load(SHIPPED), catalogue).tolist() == [1.0] * 3  # all of the shop is shown
