"""`/v1/search/batch`: many searches, each with its own answer or problem."""

import json
import time
from typing import Any

import pytest
from fastapi.testclient import TestClient

from catalogue.settings import EncoderSettings, Settings
from models import StandInEncoders
from service.routes.batch import MAX_HITS
from tests.service.conftest import client_of, photo, style_colour
from tests.service.gated import Gated
from tests.service.test_api_search import encoded, search


def batch(api: TestClient, *queries: Any) -> list[dict[str, Any]]:
    answer = api.post("/v1/search/batch", json={"queries": queries})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert len(results) == len(queries)
    assert all((result["answer"] is None) != (result["error"] is None) for result in results)
    return results


QUERIES: list[dict[str, Any]] = [
    {"text": "mug", "k": 3},
    {"product_id": "acme-03", "text": "bolt", "explain": True},
    {"image": encoded(photo(style_colour(4))), "crop": [0, 0, 0.5, 1], "k": 2},
    {"text": "lamp", "group_by": "supplier", "facets": ["supplier"], "exclude": ["acme-03"]},
    {"product_id": "acme-05", "negatives": ["lamp"], "min_score": 0.2, "filters": {"suppliers": ["orion"]}},
]
BAD: list[tuple[Any, int]] = [
    ({}, 400),
    ({"text": "mug", "k": 0}, 400),
    ({"product_id": "nobody"}, 404),
    ({"image": encoded(b"no photo")}, 422),
    ({"image": encoded(photo((0, 0, 0), (6000, 5000), "PNG"))}, 413),
    ({"text": "mug", "target": "image"}, 400),
    ({"text": "mug", "alias": "nobody"}, 404),
    ({"cursor": "x"}, 400),
    (None, 400),
    ([], 400),
    ("mug", 400),
    ({"surprise": 1}, 400),
]


def test_each_answer_is_that_of_the_search_alone(api: TestClient) -> None:
    for query, result in zip(QUERIES, batch(api, *QUERIES), strict=True):
        alone = search(api, **query)
        for name in ("hits", "facets", "next_cursor", "model", "snapshot", "alias"):
            assert result["answer"][name] == alone[name], (query, name)


def test_a_bad_query_leaves_the_others(api: TestClient) -> None:
    mixed = [query for pair in zip(QUERIES * 3, [bad for bad, _ in BAD], strict=False) for query in pair]
    results = batch(api, *mixed)
    assert all(result["answer"]["hits"] for result in results[::2])
    for result, (bad, status) in zip(results[1::2], BAD, strict=True):
        assert result["error"]["status"] == status, (bad, result)
        assert result["error"]["type"].startswith("samestyle:")
        assert result["error"]["detail"]


def test_its_pages_go_on_alone_or_together(api: TestClient) -> None:
    first = batch(api, {"text": "mug", "k": 5}, {"product_id": "acme-03", "k": 5})
    cursors = [{"cursor": result["answer"]["next_cursor"]} for result in first]
    for cursor, result in zip(cursors, batch(api, *cursors), strict=True):
        assert result["answer"]["hits"] == search(api, **cursor)["hits"]


def test_as_many_as_there_may_be(api: TestClient) -> None:
    results = batch(api, *({"text": f"mug {number}", "k": 2} for number in range(128)))
    assert all(len(result["answer"]["hits"]) == 2 for result in results)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"queries": [{"text": "mug"}] * 129}, "128"),
        ({"queries": []}, "queries"),
        ({}, "queries"),
        ({"queries": {"text": "mug"}}, "queries"),
        ({"queries": [{"text": "mug", "k": 1_000}] * (MAX_HITS // 1_000 + 1)}, "10,000"),
        ([], "JSON object"),
    ],
)
def test_what_is_no_batch(api: TestClient, body: Any, says: str) -> None:
    answer = api.post("/v1/search/batch", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_its_body_is_limited_like_any_other(api: TestClient) -> None:
    headers = {"content-type": "application/json"}
    assert api.post("/v1/search/batch", content=b"x" * 20_000_001, headers=headers).status_code == 413
    assert api.post("/v1/search/batch", content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    many = json.dumps({"queries": [{f"a{n}": 0 for n in range(300_000)}]}).encode()
    assert api.post("/v1/search/batch", content=many, headers=headers).status_code == 400


def test_what_is_not_ready_in_time_has_a_problem_of_its_own(own_shop: Settings) -> None:
    hurried = own_shop.model_copy(update={"deadline_s": 0.3})
    slow = Slow()
    with client_of(hurried, slow) as api:
        results = batch(api, {"product_id": "acme-03"}, *({"text": f"mug {number}"} for number in range(40)))
    assert results[0]["answer"]["hits"]
    late = [result for result in results if result["error"]]
    assert late
    assert {result["error"]["status"] for result in late} <= {504, 429}


class Slow(StandInEncoders):
    """Takes its time over every batch."""

    def fuse(self, items: Any) -> Any:
        time.sleep(0.2)
        return super().fuse(items)


def test_what_found_no_room_is_refused_and_says_when_to_ask_again(own_shop: Settings) -> None:
    """The encoder stands still and its queue is small: of many texts some wait in vain, the others are turned away."""
    gated = Gated()
    settings = own_shop.model_copy(update={"encoder": EncoderSettings(max_queue=2), "deadline_s": 1.5})
    try:
        with client_of(settings, gated) as api:
            errors = [result["error"] for result in batch(api, *({"text": f"mug {n}"} for n in range(40)))]
            gated.open()
    finally:
        gated.open()
    by_status = {status: [error for error in errors if error["status"] == status] for status in (429, 504)}
    assert len(by_status[429]) + len(by_status[504]) == 40
    assert len(by_status[429]) > 20
    assert {error["type"] for error in by_status[429]} == {"samestyle:overloaded"}
    assert all(error["retry_after"] >= 1 for error in by_status[429])
    assert all(error["retry_after"] is None for error in by_status[504])
