"""Photos made to hurt, through the doors that take photos: no answer is a fault."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from catalogue.settings import Settings
from models import StandInEncoders
from service.middleware import MAX_BODY_BYTES
from tests.catalogue.hostile import HOSTILE
from tests.service.conftest import client_of, copy_of

REFUSED = {400: "invalid-input", 413: "too-large", 422: "undecodable-image"}


@pytest.fixture(scope="module")
def shop_api(
    shop: Settings, embedder: StandInEncoders, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    with client_of(copy_of(shop, tmp_path_factory.mktemp("hostile")), embedder) as client:
        yield client


def is_answered(answer: Any) -> bool:
    """Whether it was taken; what was not must be refused in the usual way."""
    if answer.status_code == 200:
        return True
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"samestyle:{REFUSED[answer.status_code]}", problem
    assert "Send" in problem["detail"]
    return False


@pytest.mark.parametrize("name", HOSTILE)
def test_every_door_takes_it_or_says_why_not(shop_api: TestClient, name: str) -> None:
    photo = HOSTILE[name]()
    was_found = is_answered(shop_api.post("/v1/search/upload", files={"image": photo}, data={"k": "1"}))
    if len(photo) * 4 / 3 > MAX_BODY_BYTES - 1_000:
        return
    body = {"title": "hostile", "image": base64.b64encode(photo).decode()}
    was_stored = is_answered(shop_api.put("/v1/products/hostile", json=body))
    assert was_stored == was_found
    if was_stored:
        thumbnail = shop_api.get("/v1/products/hostile/image", params={"w": 64})
        assert (thumbnail.status_code, thumbnail.content[:3]) == (200, b"\xff\xd8\xff")


def test_it_still_answers(shop_api: TestClient) -> None:
    assert shop_api.get("/readyz").status_code == 200
    assert shop_api.post("/v1/search", json={"product_id": "acme-01", "k": 1}).json()["hits"]
