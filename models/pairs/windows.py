"""Who looked at what together: sessions cut by inactivity, and the products of each window."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.pairs.database import one_row
from models.pairs.options import SCALE, Options
from models.pairs.shop import MAX_WORDS, RARITY, SHIFT, WORDS, shared_worth

if TYPE_CHECKING:
    from models.pairs.database import Connection


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Windows of one product say how popular it is; those of too many products are left out altogether."""

    used: int
    of_several: int
    crowded: int


def load_windows(connection: "Connection", options: Options) -> WindowCounts:
    """Create `visits` from `events`: window, product, weight, relevance, each product once a window.

    `weight` is that of the strongest action; `relevance` (in 1/SCALE) how much of the query it was found with stands
    in its title, null where there was no query. Also creates `presence`: the weight of all windows of each product.
    """
    _load_queries(connection)
    connection.execute(_visits_sql(options), {"gap": options.minutes * 60_000})
    connection.execute(
        'CREATE TABLE crowded AS SELECT "window" FROM visits GROUP BY "window" HAVING count(*) > ?',
        [options.max_products],
    )
    (crowded,) = one_row(connection, "SELECT count(*) FROM crowded")
    if crowded:
        connection.execute('CREATE TABLE fitting AS SELECT v.* FROM visits v ANTI JOIN crowded USING ("window")')
        connection.execute("DROP TABLE visits; ALTER TABLE fitting RENAME TO visits")
    used, several = one_row(
        connection,
        """SELECT count(*), count(*) FILTER (products > 1)
           FROM (SELECT count(*) AS products FROM visits GROUP BY "window")""",
    )
    connection.execute(
        "CREATE TABLE presence AS SELECT product AS code, sum(weight)::BIGINT AS presence FROM visits GROUP BY product"
    )
    connection.execute("DROP TABLE events; DROP TABLE queries")
    return WindowCounts(int(used), int(several), int(crowded))


def _load_queries(connection: "Connection") -> None:
    """Create `queries`: the keys of each query's words that titles have, and what all its words are worth."""
    connection.execute(
        """CREATE TABLE queries AS
           WITH said AS (
             SELECT DISTINCT query, unnest(regexp_extract_all(query, $words)[:$most]) AS word
             FROM (SELECT DISTINCT query FROM events WHERE query IS NOT NULL)),
           unknown AS (
             SELECT greatest(1, round($rarity * ln(count(worth) + 1)))::BIGINT AS worth FROM products)
           SELECT hash(query) AS query, coalesce(list(key ORDER BY key) FILTER (key IS NOT NULL), []) AS keys,
             sum(coalesce(key // $shift, worth))::BIGINT AS worth
           FROM said LEFT JOIN vocabulary USING (word), unknown GROUP BY query""",
        {"words": WORDS, "most": MAX_WORDS, "rarity": RARITY, "shift": SHIFT},
    )


def _visits_sql(options: Options) -> str:
    query = "query" if options.window == "query" else "NULL"
    relevance = f"({SCALE} * ({shared_worth('q.keys', 'p.keys')})) // q.worth"
    return f"""
        CREATE TABLE visits AS
        WITH cut AS (
          SELECT owner, query, product, weight,
            sum(is_new) OVER (PARTITION BY owner ORDER BY moment RANGE UNBOUNDED PRECEDING) AS number
          FROM (
            SELECT owner, moment, hash(query) AS query, product, weight,
              (moment - lag(moment, 1, moment) OVER (PARTITION BY owner ORDER BY moment) > $gap)::INTEGER AS is_new
            FROM events WHERE reason = 0 AND by_user)
          UNION ALL
          SELECT owner, hash(query), product, weight, 0 FROM events WHERE reason = 0 AND NOT by_user)
        SELECT hash(owner, number, {query}) AS "window", product, max(weight) AS weight,
          max(CASE WHEN p.keys IS NOT NULL THEN {relevance} END)::SMALLINT AS relevance
        FROM cut LEFT JOIN queries q USING (query) LEFT JOIN products p ON p.code = product
        GROUP BY "window", product"""  # noqa: S608  # no names or values from outside
