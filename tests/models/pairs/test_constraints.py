"""Each constraint, and what is known of the catalogue, one at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.pairs.report import Step, precision
from tests.models.pairs.logs import Row, event, mined, names, products

TWO = ("u1", "u2")


def together(*windows: str, users: int = 1) -> list[Row]:
    """Each window's products, by as many users of its own."""
    return [
        event(product, f"u{number}-{user}")
        for number, window in enumerate(windows)
        for user in range(users)
        for product in window
    ]


def step(steps: Any, name: str) -> Step:
    found: Step = next(step for step in steps if step.name == name)
    return found


def test_sessions_are_cut_where_nothing_happens_for_longer_than_the_minutes(tmp_path: Path) -> None:
    events = [event(product, "u1", time) for product, time in (("a", 0), ("b", 1_800), ("c", 3_601))]
    events += [event("c", "u2", 0), event("a", "u2", 9_000)]
    shop = products("a", "b", "c")
    assert names(mined(tmp_path, events, shop)[0]) == {"a-b"}
    assert names(mined(tmp_path, events, shop, minutes=31)[0]) == {"a-b", "b-c", "a-c"}


def test_a_session_id_is_a_session_however_long(tmp_path: Path) -> None:
    events = [
        event(product, user, time, session=f"s{user}") for user in TWO for product, time in (("a", 0), ("b", 10**8))
    ]
    events += [event("b", "u1", 0, session="other"), event("c", "u3", 0, session="other")]
    assert names(mined(tmp_path, events, products("a", "b", "c"))[0]) == {"a-b"}


def test_within_a_query_or_the_whole_session(tmp_path: Path) -> None:
    asked = {"a": "mug", "b": "mug", "c": "bolt", "d": None, "e": None}
    events = [event(product, user, query=query) for user in TWO for product, query in asked.items()]
    shop = products(*asked)
    assert len(mined(tmp_path, events, shop)[0]) == 10
    assert names(mined(tmp_path, events, shop, window="query")[0]) == {"a-b", "d-e"}


def test_a_window_counts_as_much_as_the_lesser_action(tmp_path: Path) -> None:
    done = {"u1": ("purchase", "purchase"), "u2": ("purchase", "click"), "u3": ("click", "view")}
    events = [
        event(product, user, action=action)
        for user, both in done.items()
        for product, action in zip("ab", both, strict=True)
    ]
    events += [event("a", "u1", action="click")]
    pairs, _ = mined(tmp_path, events, products("a", "b"), actions={"Purchase": 5, "click": 2})
    assert [row["weight"] for row in pairs] == [7]


def test_crowds_are_left_out_and_counted(tmp_path: Path) -> None:
    pairs, report = mined(tmp_path, together("ab", "abcd", "cd", "e"), products(*"abcde"), max_products=3)
    assert names(pairs) == {"a-b", "c-d"}
    assert (report.windows.used, report.windows.of_several, report.windows.crowded) == (3, 2, 1)


def test_the_category_at_every_level(tmp_path: Path) -> None:
    categories = {
        "a": "Home > Mugs > Big",
        "b": "Home > Mugs > Small",
        "c": "Home > Jars",
        "d": "Home > Mugs > Big",
        "e": "",
    }
    shop = [{"product_id": name, "title": name, "category": category} for name, category in categories.items()]
    events = together("abcde", users=2)
    for level, expected in ((None, {"a-d"}), (2, {"a-b", "a-d", "b-d"}), (3, {"a-d"}), (0, None)):
        pairs, report = mined(tmp_path, events, shop, category_level=level)
        assert names(pairs) == expected if expected else len(pairs) == 10
        assert step(report.steps, "category").removed == 10 - len(pairs)
        assert (step(report.steps, "category").setting == "off") == (level == 0)
    assert {row["category"] for row in mined(tmp_path, events, shop, category_level=2)[0]} == {"Home > Mugs"}


def test_what_the_catalogue_does_not_have_removes_nothing(tmp_path: Path) -> None:
    shop = [{"product_id": name, "images": [f"{name}.jpg"]} for name in "abc"]
    pairs, report = mined(tmp_path, together("abc", users=2), shop, category_level=None, min_title=0.9, min_query=0.9)
    assert len(pairs) == 3
    assert pairs[0]["title_relevance"] is pairs[0]["query_relevance"] is pairs[0]["category"] is None
    assert step(report.steps, "category").setting == "none: the catalogue has no categories"
    assert step(report.steps, "title").setting == "none: the catalogue has no titles"
    assert all(step.precision is None for step in report.steps)


def test_titles_are_compared_by_their_rare_words(tmp_path: Path) -> None:
    titles = {
        "a": "Mug FOX, 28x32 cm",
        "b": "the fox mug 28 x 32CM",
        "c": "the mug",
        "d": "mug",
        "e": "Größe 杯子",
        "f": "größe 杯 x",
    }
    shop = [{"product_id": name, "title": title} for name, title in titles.items()]
    pairs, _ = mined(tmp_path, together("abcdef", users=2), shop)
    relevance = {names([row]).pop(): row["title_relevance"] for row in pairs}
    assert relevance["a-b"] > 0.8
    assert relevance["a-b"] > relevance["c-d"] > relevance["a-d"] > 0
    assert relevance["e-f"] > 0.3
    assert relevance["a-e"] == 0
    kept, report = mined(tmp_path, together("abcdef", users=2), shop, min_title=0.8)
    assert names(kept) == {"a-b"}
    assert step(report.steps, "title").removed == 14


def test_the_query_must_fit_both(tmp_path: Path) -> None:
    shop = [
        {"product_id": name, "title": title} for name, title in {"a": "red mug", "b": "blue mug", "c": "bolt"}.items()
    ]
    events = [event(product, user, query="Red MUG!") for user in TWO for product in "abc"]
    events += [event(product, "u3") for product in "ac"]
    pairs, _ = mined(tmp_path, events, shop)
    relevance = {names([row]).pop(): row["query_relevance"] for row in pairs}
    assert 0 < relevance["a-b"] < 1
    assert relevance["a-c"] == relevance["b-c"] == 0
    assert names(mined(tmp_path, events, shop, min_query=0.1)[0]) == {"a-b"}


def test_best_sellers_do_not_pair_with_everything(tmp_path: Path) -> None:
    """s is in every window; a and b are in few, and together in them."""
    events = together("sab", "sab", *(f"s{other}" for other in "cdefghij"), "sk", "sk")
    pairs, _ = mined(tmp_path, events, products(*"sabcdefghijk"), min_association=0.5)
    assert names(pairs) == {"a-b"}


def test_a_product_has_at_most_so_many_partners_the_best_of_both(tmp_path: Path) -> None:
    events = together("ab", "ab", "ab", "ac", "ac", "ad", "cd", "de")
    pairs, report = mined(tmp_path, events, products(*"abcde"), max_partners=1)
    assert names(pairs) == {"a-b", "d-e"}
    partners = step(report.steps, "partners")
    assert (partners.removed, partners.removed_alone, partners.left) == (3, 3, 2)


def test_weight_is_the_number_of_windows(tmp_path: Path) -> None:
    events = [*together("ab", users=3), *together("ab", users=3), event("a", "u0-0"), event("b", "u0-0", 10**6)]
    pairs, _ = mined(tmp_path, [*events, event("a", "u0-0", 10**6)], products("a", "b"))
    assert [row["weight"] for row in pairs] == [4]
    assert not names(mined(tmp_path, [*events, *together("cd")], products(*"abcd"), min_weight=2)[0]) & {"c-d"}


class TestPrecision:
    def counts(self, known: list[int], same: list[int]) -> tuple[float, tuple[float, float]]:
        found = precision(np.array(known), np.array(same))
        assert found is not None
        return found.share, found.interval

    def test_nothing_known(self) -> None:
        assert precision(np.array([], dtype=np.int64), np.array([], dtype=np.int64)) is None

    def test_pairs_of_one_style_are_no_independent_witnesses(self) -> None:
        """The same share, from many styles and from few whose pairs all agree."""
        share, (low, high) = self.counts([1] * 100, [1] * 80 + [0] * 20)
        clumped, (wide_low, wide_high) = self.counts([20] * 5, [20] * 4 + [0])
        assert share == clumped == 0.8
        assert high - low == pytest.approx(0.155, abs=0.01)
        assert wide_high - wide_low > 3 * (high - low)

    @pytest.mark.parametrize("same", [0, 50])
    def test_all_or_none_are_never_certain(self, same: int) -> None:
        share, (low, high) = self.counts([50] * 4, [same] * 4)
        assert share == same / 50
        assert 0.3 < high - low < 0.7
