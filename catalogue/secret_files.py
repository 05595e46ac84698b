"""Settings by their environment variables, and secrets from files, as Docker and Kubernetes hand them out.

`SAMESTYLE_JOURNAL_FILE` names a file that holds `SAMESTYLE_JOURNAL`.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from catalogue.errors import ConfigurationError

PREFIX: Final = "SAMESTYLE_"
MAX_BYTES: Final = 65_536


class SecretFiles(PydanticBaseSettingsSource):
    """A settings source: every SecretStr whose environment variable has `_FILE` behind its name."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: all values come from `__call__`."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """The secrets, nested as the settings are; raises ConfigurationError."""
        found: dict[str, Any] = {}
        for variable, path, field in leaves(self.settings_cls):
            if not is_secret(field) or not (file := os.environ.get(f"{variable}_FILE")):
                continue
            if os.environ.get(variable):
                raise ConfigurationError(f"{variable} and {variable}_FILE are both set. Keep one of them.")
            *groups, name = path
            place = found
            for group in groups:
                place = place.setdefault(group, {})
            place[name] = _read(variable, Path(file))
        return found


def variable_of(path: tuple[int | str, ...]) -> str:
    """The environment variable of the setting at a path; what is inside of a list belongs to the list."""
    return PREFIX + "__".join(part for part in path if isinstance(part, str)).upper()


def leaves(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...], FieldInfo]]:
    """The environment variable of every setting, where it stands in the settings, and what it is."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, (*path, name))
        else:
            yield variable_of((*path, name)), (*path, name), field


def is_secret(field: FieldInfo) -> bool:
    """Whether what a setting holds is nobody's business."""
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def _read(variable: str, file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(f"{variable}_FILE: {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{variable}_FILE: {file} does not hold text in UTF-8.") from None
    if not text or len(content) > MAX_BYTES:
        raise ConfigurationError(f"{variable}_FILE: {file} is empty, or over {MAX_BYTES:,} bytes.")
    return text
