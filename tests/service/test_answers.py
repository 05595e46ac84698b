"""Answers are written without making models of them, and are what those would be."""

import string
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import Product
from catalogue.settings import Settings
from index import IndexedProduct
from index.products import Listing, ProductTable, to_table
from models import StandInEncoders
from service.answers import _hit, answer
from service.attribution import Visit
from service.query import Found, Query
from service.ranking import Group, Scope
from service.retrieval import Retrieval
from service.schemas import Hit, HitGroup, ProductAnswer, SearchAnswer
from tests.service.test_retrieval import with_retrieval

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PRODUCTS = st.builds(
    Product,
    product_id=st.text(string.ascii_letters + "/%äß", min_size=1, max_size=20),
    title=TEXT.filter(str.strip),
    description=TEXT,
    category=TEXT,
    supplier_id=TEXT,
    price=st.none() | st.floats(0, 1e12),
    currency=st.none() | st.sampled_from(["EUR", "GBP"]),
    in_stock=st.none() | st.booleans(),
    attributes=st.dictionaries(TEXT, TEXT, max_size=3),
    images=st.sampled_from([(), ("a.jpg",), ("https://photos.example/a.jpg", "b.jpg")]),
    url=st.none() | TEXT,
)


@settings(max_examples=50, deadline=None)
@given(
    product=PRODUCTS,
    photo=st.none() | st.just("ab" * 32),
    score=st.floats(-1, 1, width=32),
    shares=st.none() | st.dictionaries(st.sampled_from(["fused", "text"]), st.floats(-1, 1)),
    group=st.none() | st.builds(Group, key=st.none() | TEXT, size=st.integers(1, 1_000)),
    said=st.none() | st.floats(0, 1),
)
def test_a_hit_is_what_its_product_says(
    product: Product,
    photo: str | None,
    score: float,
    shares: dict[str, float] | None,
    group: Group | None,
    said: float | None,
) -> None:
    item = IndexedProduct(product=product, photo=photo)
    listing = ProductTable.of(to_table([item])).listing(0)
    assert listing.item == item
    shown = ProductAnswer.of(item).model_dump(exclude={"description"})
    grouped = HitGroup(key=group.key, size=group.size) if group is not None else None
    expected = Hit(**shown, score=score, explain=shares, group=grouped, words_said=said)
    written = orjson.dumps(_hit(Found(listing, score, shares, group, said)))
    assert Hit.model_validate_json(written) == expected
    assert orjson.loads(written) == orjson.loads(expected.model_dump_json())


@settings(max_examples=50, deadline=None)
@given(product=PRODUCTS)
def test_a_listing_of_a_product_is_that_of_its_document(product: Product) -> None:
    stored = ProductTable.of(to_table([IndexedProduct(product=product)])).listing(0)
    assert Listing(product.model_dump(exclude_defaults=True)).item == stored.item


@pytest.mark.parametrize(
    "asked",
    [
        {"product_id": "acme-03"},
        {"text": "mug", "k": 200, "facets": ["supplier", "price", "attribute:size"]},
        {"product_id": "acme-03", "text": "lamp", "explain": True, "group_by": "supplier"},
        {"text": "bolt", "filters": {"suppliers": ["nobody"]}},
    ],
)
def test_an_answer_is_written_as_its_model_would_be(api: TestClient, asked: dict[str, Any]) -> None:
    answer = api.post("/v1/search", json=asked)
    assert answer.status_code == 200
    assert SearchAnswer.model_validate_json(answer.content).model_dump_json() == answer.text


def test_many_hits_are_written_like_few(shop: Settings, embedder: StandInEncoders) -> None:
    async def written(retrieval: Retrieval) -> tuple[bytes, bytes]:
        found = (await retrieval.search(Query(text="mug"), Scope(k=3))).found
        visit = Visit("search", "an id", None, None, 0.0)
        return await answer(found, retrieval, visit), await answer(found * 50, retrieval, visit)

    few, many = (SearchAnswer.model_validate_json(each) for each in with_retrieval(shop, embedder, written))
    assert len(few.hits) == 3
    assert many.hits == few.hits * 50


@pytest.mark.parametrize("tab", ["similar", "same-style"])
def test_so_are_those_of_tabs(api: TestClient, tab: str) -> None:
    answer = api.get(f"/v1/products/acme-03/{tab}", params={"k": 150})
    assert answer.status_code == 200
    assert SearchAnswer.model_validate_json(answer.content).model_dump_json() == answer.text
