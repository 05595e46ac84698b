"""The version of what gateways keep of events and searches: who writes it, and who reads it, must mean the same."""

from pathlib import Path
from typing import Final

from catalogue.errors import EventsUnavailable

SCHEMA_VERSION: Final = 2
"""Of the Parquet files, and of the spools that they come from. 2: what a purchase was worth."""
SCHEMA_KEY: Final = "samestyle.schema_version"
"""The entry in a Parquet file's metadata; files that lack it are of version 1."""
_MOST_DIGITS: Final = 9


def check_schema(path: Path, version: int | str | bytes | None) -> None:
    """Raise EventsUnavailable unless `version`, as a file says it, is one that can be read; None is the first."""
    said = version.decode(errors="replace") if isinstance(version, bytes) else str(1 if version is None else version)
    is_number = said.isascii() and said.isdigit() and len(said) <= _MOST_DIGITS
    if not is_number or int(said) > SCHEMA_VERSION:
        raise EventsUnavailable(
            f"{path} has schema {said[:20]}, this version reads up to {SCHEMA_VERSION}; upgrade samestyle, or move the "
            "file out of the folder until you do."
        )
