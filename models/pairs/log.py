"""The behaviour log: its files, its columns, and its rows as events of the catalogue's products."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from catalogue.errors import InvalidInput
from catalogue.event_files import SCHEMA_KEY, check_schema
from models.pairs.database import one_row, quoted, reading
from models.pairs.options import Options

if TYPE_CHECKING:
    from models.pairs.database import Connection

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("user_id", "user", "customer_id", "visitor_id", "visitorid", "client_id", "uid"),
    "session": ("session_id", "session", "sessionid", "visit_id"),
    "query": ("query", "search_query", "search_term", "query_text", "keywords", "q"),
    "product": ("product_id", "product", "item_id", "itemid", "article_id", "sku"),
    "time": ("time", "timestamp", "event_time", "datetime", "ts", "date", "created_at", "t_dat"),
    "action": ("action", "event", "event_type", "type"),
}
"""The columns taken when none is named, whatever their case; the first that is there."""

REASONS: Final = ("kept", "other_action", "no_product", "unknown_product", "nobody", "no_time")
"""What became of a row, by the number in `events.reason`."""

_KINDS: Final = {".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".csv.gz": "csv", ".tsv.gz": "csv"}
_READERS: Final = {
    "parquet": "read_parquet($files, union_by_name = true, hive_partitioning = true, binary_as_string = true)",
    "csv": """read_csv($files, hive_partitioning = true, all_varchar = true, header = true,
              quote = '"', escape = '"', store_rejects = true, rejects_limit = 0)""",
}
_TEXT: Final = "VARCHAR"
_GATEWAY: Final = """(
    WITH done AS (SELECT DISTINCT ON (event_id) * FROM read_parquet($files, union_by_name = true)),
      shown AS (SELECT DISTINCT ON (request_id) request_id, query, product_id AS base
        FROM read_parquet($searches, union_by_name = true))
    SELECT user_id, session_id, coalesce(d.query, s.query) AS query, product_id, time, type
      FROM done d LEFT JOIN shown s USING (request_id)
    UNION ALL
    SELECT user_id, session_id, coalesce(d.query, s.query), base, time, type
      FROM done d JOIN shown s USING (request_id) WHERE base IS NOT NULL AND type <> 'impression')"""
"""What a gateway keeps, as one log. An event was found with the words of its answer; and who does something with a
product that was shown beside another one has chosen both."""


def find_files(path: Path) -> list[Path]:
    """The log itself, or what is in the directory, in the order of names.

    Raises InvalidInput where there is none, or of several kinds.
    """
    if path.is_dir():
        inside = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
        files = sorted(path / file for file in inside if not any(part[0] in "._" for part in file.parts))
        files = [file for file in files if _kind(file)]
        if not files:
            raise InvalidInput(f"{path}: holds no {', '.join(_KINDS)} file")
        if len({_kind(file) for file in files}) > 1:
            raise InvalidInput(f"{path}: holds CSV and Parquet files; keep a log in files of one kind")
        return files
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file or folder")
    if not _kind(path):
        raise InvalidInput(f"{path}: unknown kind of log; use {', '.join(_KINDS)}, or a folder of such files")
    return [path]


class Log:
    """A log whose columns are known."""

    def __init__(self, connection: "Connection", path: Path, options: Options) -> None:
        """Raises InvalidInput when it cannot be read or lacks a column that it must have.

        Raises EventsUnavailable when it is a gateway's and of a newer schema.
        """
        self.path, self.options = path, options
        self._connection = connection
        files = find_files(path)
        self._source = _READERS[_kind(files[0])]
        self._files = {"files": _literal(files)}
        events, searches = path / "events", path / "searches"
        if events.is_dir() and searches.is_dir():
            self._source = _GATEWAY
            self._files = {"files": _literal(find_files(events)), "searches": _literal(find_files(searches))}
            self._check_schemas()
        with reading(path):
            described = connection.execute(f"DESCRIBE SELECT * FROM {self._source}", self._files).fetchall()  # noqa: S608
        self.types = {str(name): str(kind) for name, kind, *_ in described}
        self.columns = self._columns()
        if options.time_format is not None:
            with reading(Path("--time-format")):
                connection.execute("SELECT try_strptime('', ?)", [options.time_format]).fetchall()

    def load(self) -> dict[str, int]:
        """Create `events`; returns how many rows there are for each of REASONS, and lines that are no rows.

        `events` has a row for each of the log's: reason, and where it is kept (reason 0) owner (64-bit hash of the
        session, user or query it is part of), by_user (whether it must be cut into sessions), moment (ms since 1970),
        query, product (a code) and weight.

        Raises InvalidInput where nothing is left, saying why.
        """
        self._wanted()
        with reading(self.path):
            self._connection.execute(self._sql(), self._parameters())
        found = self._connection.execute("SELECT reason, count(*) FROM events GROUP BY reason").fetchall()
        counts = {REASONS[int(reason)]: int(count) for reason, count in found}
        counts = {reason: counts.get(reason, 0) for reason in REASONS}
        counts["unreadable"] = self._unreadable()
        if not counts["kept"]:
            raise InvalidInput(f"{self.path}: {self._why_nothing(counts)}")
        first, last = one_row(self._connection, "SELECT min(owner), max(owner) FROM events WHERE reason = 0")
        if first == last:
            raise InvalidInput(
                f"{self.path}: all {counts['kept']:,} actions on known products are of one {self._owner_name()}. What "
                "one shopper does says little; give a log of several."
            )
        return counts

    def _check_schemas(self) -> None:
        told = "SELECT file_name, value FROM parquet_kv_metadata(?) WHERE key = ?"
        with reading(self.path):
            versions = [
                row
                for files in self._files.values()
                for row in self._connection.execute(told, [files, SCHEMA_KEY]).fetchall()
            ]
        for file, version in versions:
            check_schema(Path(file.decode() if isinstance(file, bytes) else file), version)

    def _columns(self) -> dict[str, str]:
        """The column of each role that the log has one for."""
        there = {name.casefold(): name for name in reversed(self.types)}
        chosen = {}
        for role, aliases in ALIASES.items():
            given = self.options.columns.get(role)
            if given is not None and given not in self.types:
                raise InvalidInput(f"{self.path}: has no column {given!r} for the {role}. {self._has()}")
            name = given or next((there[alias] for alias in aliases if alias in there), None)
            if name is not None:
                chosen[role] = name
        if "product" not in chosen:
            raise InvalidInput(f"{self.path}: has no column for the product. {self._has()} Name one with --product.")
        if not chosen.keys() & {"user", "session", "query"}:
            raise InvalidInput(
                f"{self.path}: has no column for user, session or query, one of which must tell what belongs together. "
                f"{self._has()} Name one with --user, --session or --query."
            )
        if "user" in chosen and not chosen.keys() & {"session", "time"}:
            raise InvalidInput(
                f"{self.path}: has no column for the time, by which a user's actions are cut into sessions. "
                f"{self._has()} Name one with --time, or sessions with --session."
            )
        if self.options.window == "query" and "query" not in chosen:
            raise InvalidInput(
                f"{self.path}: has no column for the query, as --window query takes. {self._has()} Name one with "
                "--query, or take --window session."
            )
        return chosen

    def _has(self) -> str:
        return f"It has {', '.join(self.types)[:500]}."

    def _wanted(self) -> None:
        """Create `wanted`: the weight of each action; of every row where the log has no actions."""
        actions = self.options.actions if "action" in self.columns else {"": 1}
        self._connection.execute("CREATE TABLE wanted (action VARCHAR, weight INTEGER)")
        for action, weight in {name.strip().lower(): weight for name, weight in actions.items()}.items():
            self._connection.execute("INSERT INTO wanted VALUES (?, ?)", [action, weight])

    def _parameters(self) -> dict[str, Any]:
        by_format = self.options.time_format is not None and "time" in self.columns
        return self._files | ({"format": self.options.time_format} if by_format else {})

    def _sql(self) -> str:
        at = self._time() if "time" in self.columns else "NULL::BIGINT"
        return f"""
            CREATE TABLE events AS
            WITH named AS (
              SELECT {self._text("user")} AS user_key, {self._text("session")} AS session_key,
                lower(regexp_replace({self._text("query")}, '\\s+', ' ', 'g')) AS query,
                {self._text("product")} AS product, {self._text("action")} AS action, {at} AS moment
              FROM {self._source}),
            judged AS (
              SELECT n.*, weight, code,
                CASE WHEN session_key IS NOT NULL THEN hash(0, user_key, session_key)
                     WHEN user_key IS NOT NULL THEN hash(1, user_key)
                     WHEN query IS NOT NULL THEN hash(2, query) END AS owner,
                session_key IS NULL AND user_key IS NOT NULL AS by_user,
                CASE WHEN weight IS NULL THEN 1 WHEN product IS NULL THEN 2 WHEN code IS NULL THEN 3
                     WHEN owner IS NULL THEN 4 WHEN by_user AND moment IS NULL THEN 5 ELSE 0 END AS reason
              FROM named n LEFT JOIN wanted w ON w.action = coalesce(lower(n.action), '')
                LEFT JOIN products p ON p.product_id = n.product)
            SELECT reason::UTINYINT AS reason, CASE reason WHEN 0 THEN owner END AS owner, by_user,
              CASE WHEN reason = 0 AND by_user THEN moment END AS moment,
              CASE reason WHEN 0 THEN query END AS query,
              CASE reason WHEN 0 THEN code END AS product, CASE reason WHEN 0 THEN weight END AS weight
            FROM judged"""  # noqa: S608  # names are quoted, values are parameters

    def _text(self, role: str) -> str:
        """A column as text, null where it is blank; whole numbers with gaps are kept as floats by some tools."""
        if role not in self.columns:
            return "NULL::VARCHAR"
        column = quoted(self.columns[role])
        if self.types[self.columns[role]] in {"DOUBLE", "FLOAT"}:
            whole = f"if({column} = trunc({column}), TRY_CAST({column} AS BIGINT), NULL)"
            column = f"coalesce({whole}::VARCHAR, {column}::VARCHAR)"
        return f"nullif(trim(CAST({column} AS {_TEXT})), '')"

    def _time(self) -> str:
        """A column as milliseconds since 1970, null where it is no time."""
        name = self.columns["time"]
        column, kind = quoted(name), self.types[name]
        text = f"trim(CAST({column} AS {_TEXT}))"
        if self.options.time_format is not None:
            return f"epoch_ms(try_strptime({text}, $format))"
        if kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_ms({column})"
        number = f"TRY_CAST({column if kind.endswith(('INT', 'INTEGER', 'DOUBLE', 'FLOAT')) else text} AS DOUBLE)"
        day = f"CASE WHEN {number} BETWEEN 19000101 AND 22001231 THEN epoch_ms(try_strptime({text}, '%Y%m%d')) END"
        return f"""CASE
            WHEN {number} IS NULL THEN epoch_ms(TRY_CAST({text} AS TIMESTAMPTZ))
            WHEN NOT isfinite({number}) THEN NULL
            WHEN abs({number}) < 1e8 THEN coalesce({day}, ({number} * 1e3)::BIGINT)
            WHEN abs({number}) < 1e11 THEN ({number} * 1e3)::BIGINT
            WHEN abs({number}) < 1e14 THEN {number}::BIGINT
            WHEN abs({number}) < 1e17 THEN ({number} / 1e3)::BIGINT
            ELSE TRY_CAST({number} / 1e6 AS BIGINT) END"""

    def _unreadable(self) -> int:
        """Lines of CSV files that are no rows."""
        if "read_csv" not in self._source:
            return 0
        (count,) = one_row(self._connection, "SELECT count(DISTINCT (file_id, line)) FROM reject_errors")
        return int(count)

    def _owner_name(self) -> str:
        return next(role for role in ("session", "user", "query") if role in self.columns)

    def _why_nothing(self, counts: Mapping[str, int]) -> str:
        """Which of the reasons took the last rows, and what to do about it."""
        left = sum(counts[reason] for reason in REASONS)
        if not left:
            lines = f", only {counts['unreadable']:,} lines that do not fit its header" if counts["unreadable"] else ""
            return f"holds no rows{lines}"
        for reason in REASONS[1:]:
            left -= counts[reason]
            if not left:
                break
        if reason == "other_action":
            return (
                f"has none of the actions {', '.join(self.options.actions)}. It has {self._examples('action', 12)}. "
                "Say which count with --action."
            )
        if reason == "no_product":
            return f"names no product in column {self.columns['product']!r}. Name another one with --product."
        if reason == "unknown_product":
            known = [row[0] for row in self._connection.execute("SELECT product_id FROM products LIMIT 3").fetchall()]
            return (
                f"none of its products is in the catalogue. It has products such as {self._examples('product')}, the "
                f"catalogue {', '.join(known)}. Give the catalogue that the log is of, or name the column of its ids "
                "with --product."
            )
        if reason == "nobody":
            roles = " and ".join(role for role in ("user", "session", "query") if role in self.columns)
            return f"says nowhere whose action it was: {roles} is empty. Name another column with --user or --session."
        return (
            f"has no time that can be read in column {self.columns['time']!r}, such as {self._examples('time')}. Times "
            "are ISO 8601, 20261126, or seconds since 1970; describe others with --time-format '%d/%m/%Y %H:%M'."
        )

    def _examples(self, role: str, count: int = 3) -> str:
        """Some of what stands in a column."""
        sql = f"SELECT DISTINCT {self._text(role)} AS value FROM {self._source} WHERE value IS NOT NULL ORDER BY value LIMIT {count}"  # noqa: S608, E501
        values: Sequence[Any] = self._connection.execute(sql, self._files).fetchall()
        return ", ".join(str(value)[:60] for (value,) in values) or "nothing there"


def _literal(files: Sequence[Path]) -> list[str]:
    """Their names, of which no character is a wildcard."""
    return [re.sub(r"([*?\[\]])", r"[\1]", str(file)) for file in files]


def _kind(file: Path) -> str:
    """The kind of a file by its name; empty for any other."""
    name = file.name.lower()
    return next((kind for ending, kind in _KINDS.items() if name.endswith(ending)), "")
