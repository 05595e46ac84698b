"""Files that name the version of their schema."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from catalogue.errors import AliasesInvalid
from catalogue.versioned import parse


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
        ("[]", "lamp.json: the file: Input should be an object. Change it."),
    ],
)
def test_a_newer_one_is_told_from_a_broken_one(text: str, says: str) -> None:
    with pytest.raises(AliasesInvalid) as refused:
        read(text)
    assert str(refused.value) == says
