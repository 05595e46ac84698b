"""The API's description: kept as a file, complete, and its examples are true to it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from service import problems, schemas
from service.examples import MEANINGS
from service.openapi import BODIES, openapi, written
from service.routes import admin, batch, compare, events, ops, products, suppliers

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"


OPERATIONS = [
    pytest.param(operation, id=f"{method} {path}")
    for path, methods in openapi()["paths"].items()
    for method, operation in methods.items()
]
MODELS: dict[str, type[BaseModel]] = {
    name: model
    for module in (schemas, problems, batch, compare, products, suppliers, admin, events, ops)
    for name, model in vars(module).items()
    if isinstance(model, type) and issubclass(model, BaseModel)
}


def test_the_kept_file_is_what_the_service_says(api: TestClient) -> None:
    assert KEPT.read_text(encoding="utf-8") == written(), "run: .venv/bin/python -m service.openapi >docs/openapi.json"
    assert api.get("/openapi.json").json() == json.loads(written())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_described_with_all_it_takes_and_gives(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert all(parameter["description"] for parameter in operation.get("parameters", ()))
    for status, answer in operation["responses"].items():
        assert answer["description"]
        for media, content in answer.get("content", {}).items():
            assert content["schema"], (status, media)
            if status.startswith(("4", "5")):
                assert media == "application/problem+json"
                assert content["example"]["status"] == int(status)
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        whole = content["schema"].get("contentSchema", {}).get("items", content["schema"])
        for schema in whole.get("anyOf", [whole]):
            body = openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            assert body["examples"] if media.endswith("json") else body["required"]


@pytest.mark.parametrize("name", list(openapi()["components"]["schemas"]))
def test_every_field_is_described_and_every_example_is_valid(name: str) -> None:
    schema = openapi()["components"]["schemas"][name]
    assert schema["description"]
    for field, described in schema.get("properties", {}).items():
        assert "$ref" in described or described["description"], field
    for example in schema.get("examples", ()):
        MODELS[name].model_validate_json(json.dumps(example))


@pytest.mark.parametrize("name", ["QueryItem", "Filters", "Weights", *(model.__name__ for model in BODIES)])
def test_a_client_made_from_the_description_sends_what_it_is_told_and_no_more(name: str) -> None:
    """It would send defaults, and take them for required: what is left out may mean what no value does."""
    described = openapi()["components"]["schemas"][name]
    assert not [field for field, said in described["properties"].items() if "default" in said]
    needed = {field.alias or own for own, field in MODELS[name].model_fields.items() if field.is_required()}
    assert set(described.get("required", ())) == needed


def test_operations_are_called_as_a_client_would_call_them() -> None:
    names = [operation["operationId"] for path in openapi()["paths"].values() for operation in path.values()]
    assert len(set(names)) == len(names)
    assert {"search", "search_upload", "get_similar", "put_product", "delete_product", "send_events"} <= set(names)
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in names)


def test_limits_and_encodings_are_such_as_a_schema_has() -> None:
    """What makes clients takes `format: byte` for text in base64; and `ge` for a field that nobody knows."""
    for schema in _schemas(openapi()):
        assert not schema.keys() & {"ge", "le", "gt", "lt"}
        assert schema.get("format") != "byte"
        assert "items" in schema or schema.get("type") != "array"
        assert "prefixItems" not in schema


def _schemas(part: Any) -> Iterator[dict[str, Any]]:
    """All objects of the document."""
    if isinstance(part, dict):
        yield part
    for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _schemas(below)


@pytest.mark.parametrize("name", ["ProductPatch", "BulkPatch"])
def test_null_is_described_where_a_patch_takes_it(name: str) -> None:
    described = openapi()["components"]["schemas"][name]["properties"]
    own = {"product_id": "p", "patch": True} if name == "BulkPatch" else {}
    for field in described.keys() - own.keys():
        MODELS[name].model_validate({**own, field: None})
        assert {"type": "null"} in described[field]["anyOf"]


def test_a_form_has_the_fields_of_a_search_and_none_that_may_be_null() -> None:
    form = openapi()["components"]["schemas"]["SearchUpload"]["properties"]
    assert form.keys() == schemas.SearchRequest.model_fields.keys() - {"product_id", "image_url"}
    assert not [name for name, said in form.items() if "default" in said or {"type": "null"} in said.get("anyOf", ())]


def test_what_every_answer_has_is_described_as_being_there() -> None:
    for name in ("SearchAnswer", "Hit", "BatchResult", "Embedding", "AliasStatus", "SnapshotAnswer"):
        assert set(openapi()["components"]["schemas"][name]["required"]) == MODELS[name].model_fields.keys()


def test_every_tag_is_described() -> None:
    used = {tag for path in openapi()["paths"].values() for operation in path.values() for tag in operation["tags"]}
    assert {tag["name"] for tag in openapi()["tags"] if tag["description"]} == used


def test_a_body_has_one_media_type() -> None:
    """Some makers of clients choose none of two."""
    for path in openapi()["paths"].values():
        for operation in path.values():
            assert len(operation.get("requestBody", {"content": [1]})["content"]) == 1
    sent = openapi()["paths"]["/v1/products/{product_id}"]["patch"]["requestBody"]["content"]
    assert list(sent) == ["application/merge-patch+json"]


def test_what_is_no_json_is_a_file_to_clients() -> None:
    paths = openapi()["paths"]
    photo = paths["/v1/products/{product_id}/image"]["get"]["responses"]["200"]
    bulk = paths["/v1/products/bulk"]["post"]
    for content in (photo["content"], bulk["requestBody"]["content"], bulk["responses"]["200"]["content"]):
        assert [said["schema"]["format"] for said in content.values()] == ["binary"]


def test_no_name_is_explained_in_vain() -> None:
    """Each stands somewhere without words of its own."""
    used = {
        described.get("description")
        for schema in openapi()["components"]["schemas"].values()
        for described in schema.get("properties", {}).values()
    }
    used |= {
        parameter["description"]
        for path in openapi()["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
    }
    assert not set(MEANINGS.values()) - used
