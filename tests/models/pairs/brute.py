"""Pairs mined the slow way: what the SQL must agree with, row by row."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from models.pairs import Options
from models.pairs.options import SCALE

Row = dict[str, Any]


@dataclass(frozen=True)
class Mined:
    """`pairs` as in the file; `removed` by each constraint in its order, `alone` by itself."""

    pairs: list[Row]
    candidates: int
    removed: dict[str, int]
    alone: dict[str, int]
    crowded: int


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+|\d+", text.lower())[:64])


class Titles:
    """How much the words of titles weigh, and what they have in common."""

    def __init__(self, products: Sequence[Row]) -> None:
        self.words = {row["product_id"]: words(row.get("title") or "") for row in products}
        self.count = sum(1 for found in self.words.values() if found)
        self.frequency = Counter(word for found in self.words.values() for word in found)

    def worth(self, found: set[str]) -> int:
        return sum(max(1, round(1000 * math.log((self.count + 1) / self.frequency.get(word, 1)))) for word in found)

    def of_two(self, one: str, other: str) -> int | None:
        a, b = self.words[one], self.words[other]
        return SCALE * self.worth(a & b) // self.worth(a | b) if a and b else None

    def of_query(self, query: str | None, product: str) -> int | None:
        asked = words(query or "")
        if not asked or not self.words[product]:
            return None
        return SCALE * self.worth(asked & self.words[product]) // self.worth(asked)


def windows_of(events: Sequence[Row], known: set[str], options: Options) -> dict[Any, list[Row]]:
    """The actions of each window that count."""
    visits: dict[Any, list[Row]] = defaultdict(list)
    of_users: dict[str, list[Row]] = defaultdict(list)
    for event in events:
        if event["product"] not in known or event["action"] not in options.actions:
            continue
        query = event["query"] if options.window == "query" else None
        if event["session"]:
            visits["session", event["user"], event["session"], query].append(event)
        elif event["user"]:
            if event["time"] is not None:
                of_users[event["user"]].append(event)
        elif event["query"]:
            visits["query", event["query"]].append(event)
    for user, theirs in of_users.items():
        number, last = 0, None
        for event in sorted(theirs, key=lambda event: event["time"]):
            number += last is not None and event["time"] - last > options.minutes * 60
            last = event["time"]
            visits["user", user, number, event["query"] if options.window == "query" else None].append(event)
    return visits


def mine(events: Sequence[Row], products: Sequence[Row], options: Options) -> Mined:
    titles = Titles(products)
    category = {row["product_id"]: levels(row.get("category"), options.category_level) for row in products}
    presence: Counter[str] = Counter()
    weight: Counter[tuple[str, str]] = Counter()
    asked: dict[tuple[str, str], list[int]] = defaultdict(list)
    crowded = 0
    for theirs in windows_of(events, set(category), options).values():
        strength: dict[str, int] = {}
        relevance: dict[str, int] = {}
        for event in theirs:
            product, found = event["product"], titles.of_query(event["query"], event["product"])
            strength[product] = max(strength.get(product, 0), options.actions[event["action"]])
            if found is not None:
                relevance[product] = max(relevance.get(product, 0), found)
        if len(strength) > options.max_products:
            crowded += 1
            continue
        presence.update(strength)
        for pair in combinations(sorted(strength), 2):
            weight[pair] += min(strength[product] for product in pair)
            if all(product in relevance for product in pair):
                asked[pair].append(min(relevance[product] for product in pair))
    rows = []
    for (one, other), together in weight.items():
        queries = asked[one, other]
        rows.append(
            {
                "one": one,
                "other": other,
                "weight": together,
                "title": titles.of_two(one, other),
                "query": sum(queries) // len(queries) if queries else None,
                "category": category[one] if category[one] == category[other] else None,
                "association": together / math.sqrt(float(presence[one]) * presence[other]),
            }
        )
    return constrained(rows, sorted(category), bool(titles.count), any(category.values()), options, crowded)


def constrained(
    rows: list[Row], ids: Sequence[str], has_titles: bool, has_categories: bool, options: Options, crowded: int
) -> Mined:
    min_title, min_query = round(options.min_title * SCALE), round(options.min_query * SCALE)
    tests: dict[str, Callable[[Row], bool]] = {
        "category": lambda row: not has_categories or row["category"] is not None,
        "title": lambda row: not has_titles or row["title"] is None or row["title"] >= min_title,
        "query": lambda row: row["query"] is None or row["query"] >= min_query,
        "weight": lambda row: row["weight"] >= options.min_weight,
        "association": lambda row: row["association"] >= options.min_association,
    }
    alone, removed, left = {}, {}, rows
    for name, passes in tests.items():
        alone[name] = sum(not passes(row) for row in rows)
        passing = [row for row in left if passes(row)]
        removed[name], left = len(left) - len(passing), passing
    alone["partners"] = len(rows) - len(capped(rows, options.max_partners))
    kept = capped(left, options.max_partners)
    removed["partners"] = len(left) - len(kept)
    code = {product: number for number, product in enumerate(ids)}
    pairs = []
    for row in kept:
        trigger, recall = row["one"], row["other"]
        if (code[trigger] + code[recall]) % 2:
            trigger, recall = recall, trigger
        pairs.append(
            {
                "trigger_id": trigger,
                "recall_id": recall,
                "weight": row["weight"],
                "title_relevance": None if row["title"] is None else row["title"] / SCALE,
                "query_relevance": None if row["query"] is None else row["query"] / SCALE,
                "category": row["category"],
            }
        )
    return Mined(
        sorted(pairs, key=lambda row: (row["trigger_id"], row["recall_id"])), len(rows), removed, alone, crowded
    )


def capped(rows: Sequence[Row], most: int) -> list[Row]:
    """Those that are among the best of both their products."""
    if not most:
        return list(rows)
    partners: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for product, partner in ((row["one"], row["other"]), (row["other"], row["one"])):
            partners[product].append((-row["association"], -row["weight"], partner))
    best = {(product, entry[2]) for product, theirs in partners.items() for entry in sorted(theirs)[:most]}
    return [row for row in rows if {(row["one"], row["other"]), (row["other"], row["one"])} <= best]


def levels(category: str | None, level: int | None) -> str | None:
    return " > ".join([part for part in (category or "").split(" > ") if part][:level]) or None
