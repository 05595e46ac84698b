"""What a shopper's few words find."""

import numpy as np

from bench.words import QUERIES, precision
from catalogue import demo
from catalogue.readers import CatalogueRow, read_catalogue


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
