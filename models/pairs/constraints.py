"""Which of the products that came together make a pair: each constraint judged for every candidate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from models.pairs.database import one_row
from models.pairs.options import SCALE, Options
from models.pairs.shop import shared_worth

if TYPE_CHECKING:
    from models.pairs.database import Connection

PARTNERS: Final = "partners"
"""The constraint that depends on the other pairs, and so comes last."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """`fails` is SQL over a candidate, with `parameters`; a constraint that is off removes nothing."""

    name: str
    setting: str
    fails: str
    parameters: dict[str, Any]
    is_on: bool


def constraints(connection: "Connection", options: Options) -> list[Constraint]:
    """Those judged pair by pair, in the order in which they are applied."""
    has_categories, has_titles = _what_there_is(connection)
    level = "the whole path" if options.category_level is None else f"{options.category_level} levels"
    title, query = round(options.min_title * SCALE), round(options.min_query * SCALE)
    return [
        Constraint(
            "category",
            level if has_categories or options.category_level == 0 else "none: the catalogue has no categories",
            "one_category IS DISTINCT FROM other_category OR one_category IS NULL",
            {},
            has_categories and options.category_level != 0,
        ),
        Constraint(
            "title",
            f"relevance at least {options.min_title:g}" if has_titles else "none: the catalogue has no titles",
            "coalesce(title_relevance < $title, false)",
            {"title": title},
            has_titles and title > 0,
        ),
        Constraint(
            "query",
            f"relevance at least {options.min_query:g}",
            "coalesce(query_relevance < $query, false)",
            {"query": query},
            query > 0,
        ),
        Constraint(
            "weight",
            f"at least {options.min_weight}",
            "weight < $weight",
            {"weight": options.min_weight},
            options.min_weight > 1,
        ),
        Constraint(
            "association",
            f"at least {options.min_association:g}",
            "association < $association",
            {"association": options.min_association},
            options.min_association > 0,
        ),
    ]


def judge(connection: "Connection", chosen: list[Constraint]) -> None:
    """Create `candidates` from `visits`: every two products that came together, once, and what is said of them.

    one < other (codes); weight: in how many windows; title_relevance: weight of the words that both titles have over
    that of the words either has, query_relevance: the mean over windows of the lesser of the two, both in 1/SCALE and
    null where there is none; association: the weight over the root of both presences (a best-seller comes together with
    everything, but with little of it often); same_style where both styles are known; fails: bit i for `chosen[i]`.
    """
    bits = " + ".join(f"CASE WHEN {one.fails} THEN {1 << i} ELSE 0 END" for i, one in enumerate(chosen) if one.is_on)
    parameters: dict[str, Any] = {}
    for one in chosen:
        parameters |= one.parameters if one.is_on else {}
    shared = shared_worth("a.keys", "b.keys")
    connection.execute(
        f"""
        CREATE TABLE candidates AS
        WITH together AS (
          SELECT one.product AS one, other.product AS other, sum(least(one.weight, other.weight))::BIGINT AS weight,
            (sum(least(one.relevance, other.relevance)) FILTER (both_asked)
              // count(*) FILTER (both_asked))::SMALLINT AS query_relevance
          FROM visits one JOIN visits other
            ON one."window" = other."window" AND one.product < other.product,
            LATERAL (SELECT one.relevance IS NOT NULL AND other.relevance IS NOT NULL AS both_asked)
          GROUP BY one.product, other.product),
        known AS (SELECT code, category, style, keys, worth, presence FROM products JOIN presence USING (code)),
        described AS (
          SELECT t.*, a.category AS one_category, b.category AS other_category,
            a.presence AS one_presence, b.presence AS other_presence,
            {shared} AS shared, a.worth + b.worth AS worths, a.style = b.style AS same_style, a.style AS style
          FROM together t JOIN known a ON a.code = one JOIN known b ON b.code = other),
        measured AS (
          SELECT *, (({SCALE} * shared) // (worths - shared))::SMALLINT AS title_relevance,
            weight / sqrt(one_presence::DOUBLE * other_presence) AS association FROM described)
        SELECT one, other, weight, title_relevance, query_relevance, association, same_style,
          ({bits or 0})::UTINYINT AS fails
        FROM measured""",  # noqa: S608  # no names or values from outside
        parameters,
    )


def best_of_both(connection: "Connection", table: str, most: int) -> None:
    """Create `mutual`: the pairs of `table` that are among the `most` best of both their products.

    Better is the higher association, then the higher weight, then the other product that comes first.
    """
    connection.execute("DROP TABLE IF EXISTS mutual")
    connection.execute(
        f"""
        CREATE TABLE mutual AS
        SELECT one, other FROM (
          SELECT one, other FROM (
            SELECT one, other, one AS product, other AS partner, association, weight FROM {table}
            UNION ALL SELECT one, other, other, one, association, weight FROM {table})
          QUALIFY row_number() OVER (PARTITION BY product ORDER BY association DESC, weight DESC, partner) <= $most)
        GROUP BY one, other HAVING count(*) = 2""",  # noqa: S608  # a table of ours
        {"most": most},
    )


def with_roles(pairs: str) -> str:
    """SQL for `pairs` with trigger_code and recall_code: either of the two is the trigger about as often."""
    trigger_is_one = "(one + other) % 2 = 0"
    return (
        f"SELECT *, if({trigger_is_one}, one, other) AS trigger_code, "  # noqa: S608  # a query of ours
        f"if({trigger_is_one}, other, one) AS recall_code FROM ({pairs})"
    )


def _what_there_is(connection: "Connection") -> tuple[bool, bool]:
    categories, titles = one_row(connection, "SELECT count(category) > 0, count(worth) > 0 FROM products")
    return bool(categories), bool(titles)
