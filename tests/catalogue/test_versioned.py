"""Files that name the version of their schema."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from catalogue import Product
from catalogue.errors import AliasesInvalid
from catalogue.versioned import first_reason, parse


class Lamp(BaseModel):
    watts: int


def read(text: str) -> Lamp:
    return parse(Lamp, text.encode(), 2, Path("lamp.json"), AliasesInvalid, "Change it.")


@pytest.mark.parametrize("version", ["", '"schema_version": 1,', '"schema_version": 2,'])
def test_one_of_this_version_or_an_earlier_one_is_read(version: str) -> None:
    assert read(f'{{{version} "watts": 5}}') == Lamp(watts=5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema_version": 3}', "lamp.json has schema 3, this version reads up to 2; upgrade samestyle."),
        ('{"schema_version": 2}', "lamp.json: watts: Field required. Change it."),
        ("[]", "lamp.json: Input should be an object. Change it."),
    ],
)
def test_a_newer_one_is_told_from_a_broken_one(text: str, says: str) -> None:
    with pytest.raises(AliasesInvalid) as refused:
        read(text)
    assert str(refused.value) == says


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"title": "lamp"}, "product_id: Field required"),
        ({"product_id": "1"}, "a product needs a title or a photo"),
        ({"product_id": "1", "title": "lamp", "colr": "red"}, "colr: there is no such field"),
        ({"product_id": "1", "title": "lamp", "images": [1]}, "images.0: Input should be a valid string"),
        ({"product_id": "1", "title": "lamp", "attributes": {"x" * 200: 1}}, f"attributes.{'x' * 89}: Input"),
    ],
    ids=str,
)
def test_the_first_reason_names_the_field_where_it_is_in_one(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Product.model_validate(given)
    assert first_reason(refused.value).startswith(says)
