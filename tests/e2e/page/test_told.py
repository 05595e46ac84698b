"""What a shopper does on the page is kept by the service: whose it was, of which answer, and under which arm."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page

from service.experiments.arms import start
from tests.e2e.conftest import Gateway
from tests.e2e.page.shop import Shop


def kept(data: Path, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(data / "events" / table).sort_by("time").to_pylist()
    return rows


@pytest.mark.heavy
def test_what_a_shopper_did_is_kept_with_its_answer_and_arm(own_demo: Path, page: Page) -> None:
    start(own_demo, "page", {"live": 1, "next": 1})
    with Gateway(own_demo) as gateway:
        snapshot = page.request.get(f"{gateway.url}/readyz").json()["snapshot"]
        assert page.request.put(f"{gateway.url}/admin/v1/aliases/next", data={"snapshot": snapshot}).ok
        shop = Shop(page, gateway.url).open()
        with page.expect_response("**/v1/search") as answered, page.expect_response("**/v1/events"):
            shop.find("mug")
        answer = answered.value.json()
        with page.expect_response("**/same-style?**") as tab, page.expect_response("**/v1/events"):
            shop.cards().nth(1).locator("h3 a").click()

    # all of it became files when the gateway ended
    assert answer["arm"] in {"live", "next"}
    assert tab.value.json()["arm"] == answer["arm"]  # whoever it is stays under one arm
    events = [row for row in kept(own_demo, "events") if row["request_id"] == answer["request_id"]]
    shown = [row["product_id"] for row in events if row["type"] == "impression"]
    assert sorted(shown) == sorted(hit["product_id"] for hit in answer["hits"])
    (click,) = (row for row in events if row["type"] == "click")
    assert (click["product_id"], click["position"]) == (answer["hits"][1]["product_id"], 2)
    assert {(row["experiment"], row["arm"]) for row in events} == {("page", answer["arm"])}
    searches = {row["request_id"]: row for row in kept(own_demo, "searches")}
    search = searches[answer["request_id"]]
    assert (search["kind"], search["query"], search["arm"]) == ("search", "mug", answer["arm"])
    users = {row["user_id"] for row in (*events, *searches.values())}
    assert len(users) == 1
    assert page.evaluate("localStorage.getItem('user_key')") not in users  # a hash of it is all there is
    assert users != {None}
