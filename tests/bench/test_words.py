"""What words find."""

from pathlib import Path

import numpy as np

from bench.words import FIRST, QUERIES, Figures, Task, found, indexed, measured
from catalogue import Product, demo
from catalogue.readers import CatalogueRow, read_catalogue
from models import Encoders
from tests.index.builders import unit
from tests.models.bundles import SHIPPED


def test_what_is_found_by_vectors_and_by_what_is_said() -> None:
    vectors = np.eye(8, dtype=np.float32)
    queries = unit(np.array([[8, 7, 6, 5, 4, 3, 0, 0], [0, 0, 0, 0, 0, 0, 2, 1]], np.float32))
    titles = ("mug", "cup", "cup", "cup", "cup", "owl cup", "fox mug", "cup")
    products = [Product(product_id="p", title=title) for title in titles]
    right = np.array([[0, 0, 0, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0, 0, 1]], bool)
    task = Task("few", ["owl", "fox"], right, [None, None], [None, 6])
    with indexed(products, vectors) as view:
        by_vectors, served = measured(task, queries, view)
    assert by_vectors == Figures(first=0.5, among=0.5, of=0.5)  # of the second its own product is not searched
    assert served == Figures(first=1.0, among=1.0, of=1.0)


def test_every_query_means_something_of_the_demo_shop() -> None:
    styles = {row.product.style_id or "" for row in read_catalogue(demo.CATALOGUE) if isinstance(row, CatalogueRow)}
    for start in QUERIES.values():
        assert any(style.startswith(start) for style in styles), start


def test_a_catalogues_own_words_find_what_has_them(tmp_path: Path) -> None:
    catalogue, triplets = tmp_path / "shop.csv", tmp_path / "triplets.csv"
    titles = ["owl mug", "fox mug", "owl cup"]
    rows = [f"{number},s,{title},{number % 2}\n" for number, title in enumerate(titles)]
    catalogue.write_text("product_id,supplier_id,title,style_id\n" + "".join(rows))
    triplets.write_text(
        "reference_id,target_id,target_colour,target_pattern,reference_pattern\n0,2,cup,a,a\n", encoding="utf-8"
    )
    assert len(titles) <= FIRST  # all of the shop is shown
    tasks = {task.name: (task, by_vectors, served) for task, by_vectors, served in found(
        Encoders.load(SHIPPED), catalogue, triplets
    )}  # fmt: skip
    assert {name: len(task.words) for name, (task, _, _) in tasks.items()} == {
        "few words": 3, "title, its own listing": 3, "title, another of its style": 2, "photo and title, the same": 2,
        "photo and words": 1,
    }  # fmt: skip
    assert all(each.among == each.of == 1.0 for _, *both in tasks.values() for each in both)
