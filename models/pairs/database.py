"""DuckDB, within its memory, and its errors in plain words."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from catalogue.errors import ConfigurationError, InvalidInput, NotEnoughMemory

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Connection = DuckDBPyConnection

_LEAST_MEMORY: Final = 1_000_000


@contextmanager
def database(folder: Path, *, memory_bytes: int, threads: int) -> Iterator["Connection"]:
    """An empty database that works in a directory of its own under `folder`, which is gone afterwards.

    Neither extensions nor anything else is fetched from elsewhere. Raises ConfigurationError where DuckDB is not
    installed, NotEnoughMemory where memory or disk did not suffice.
    """
    try:
        import duckdb  # noqa: PLC0415  # of the extra `train`
    except ImportError:
        raise ConfigurationError(
            "Mining pairs takes DuckDB, which is not installed. Install the extra: pip install 'samestyle[train]'"
        ) from None
    if memory_bytes < _LEAST_MEMORY:  # DuckDB takes a limit below zero for none at all
        raise NotEnoughMemory("No memory is left for mining. Free some, or say how much it may take.")
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "memory_limit": f"{memory_bytes // 1_000_000}MB",
        "threads": threads,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    with tempfile.TemporaryDirectory(dir=folder, prefix=".pairs-") as work:
        connection = duckdb.connect(Path(work) / "pairs.duckdb", config=config)
        try:
            connection.execute("SET temp_directory = ?", [f"{work}/spilled"])
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            yield connection
        except duckdb.OutOfMemoryException as error:
            raise NotEnoughMemory(
                f"Mining did not fit into {memory_bytes / 1e9:.1f} GB ({_first_line(error)}). Allow it more memory, "
                "or fewer products in a window."
            ) from None
        except duckdb.IOException as error:
            raise NotEnoughMemory(
                f"Mining could not go on in {folder}: {_first_line(error)}. Name a folder with more room for what "
                "does not fit into memory."
            ) from None
        finally:
            connection.close()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What DuckDB says about a file it reads, as InvalidInput."""
    import duckdb  # noqa: PLC0415

    try:
        yield
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException) as error:
        if "No space left" in str(error):
            raise
        raise InvalidInput(f"{path}: cannot be read: {_first_line(error)}") from None


def quoted(name: str) -> str:
    """A column's name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def one_row(connection: "Connection", sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
    """The only row of an answer."""
    (row,) = connection.execute(sql, list(parameters)).fetchall()
    return tuple(row)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300].rstrip(".")
