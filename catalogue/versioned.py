"""JSON files that name the version of their schema: one of a newer samestyle is told from one that is broken."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from catalogue.errors import SamestyleError

Model = TypeVar("Model", bound=BaseModel)


class _Version(BaseModel):
    """The one part that every version can read."""

    schema_version: int = 1


def check_version(text: bytes, newest: int, refused: Callable[[str], SamestyleError]) -> int:
    """The version that a file names; raises ValidationError, and for one above `newest` what `refused` makes of why."""
    version = _Version.model_validate_json(text).schema_version
    if version > newest:
        raise refused(f"has schema {version}, this version reads up to {newest}; upgrade samestyle")
    return version


def parse(
    model: type[Model], text: bytes, newest: int, path: Path, refused: type[SamestyleError], remedy: str
) -> Model:
    """What the file at `path` holds; raises `refused`, with the `remedy` for one that is broken."""
    try:
        check_version(text, newest, lambda why: refused(f"{path} {why}."))
        return model.model_validate_json(text)
    except ValidationError as error:
        reason = first_reason(error)
    raise refused(f"{path}: {reason}. {remedy}")


def first_reason(error: ValidationError) -> str:
    """The first thing that is wrong, after the name of its field, where it is in one."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))[:100]
    unknown = first["type"] == "extra_forbidden"
    reason = "there is no such field" if unknown else str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {reason}" if where else reason
