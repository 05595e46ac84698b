"""The simulated shoppers: what is said of them must hold for their log."""

from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalogue.demo import is_held_out
from catalogue.demo.behaviour import ACTIONS, SCHEMA, SHOWN, Behaviour, Shop, read_shop, simulate, write
from catalogue.errors import CatalogueInvalid

SHOP = read_shop("all")
STYLE = {product.product_id: product.style_id for product in SHOP}
LEAF = {product.product_id: product.category for product in SHOP}


def log(**habits: Any) -> pa.Table:
    return pa.Table.from_batches(simulate(SHOP, Behaviour(**{"sessions": 6_000, **habits})))


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return log()


@pytest.fixture(scope="module")
def events(table: pa.Table) -> list[dict[str, Any]]:
    return list(table.to_pylist())


def test_the_same_seed_gives_the_same_log_and_another_seed_another() -> None:
    first = log(sessions=50)
    assert first.equals(log(sessions=50))
    assert not first.equals(log(sessions=50, seed=2))


def test_it_says_that_it_is_simulated_wherever_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    count = write(path, simulate(SHOP, Behaviour(sessions=20)))
    back = pq.read_table(path)
    assert back.schema.equals(SCHEMA, check_metadata=False)
    assert back.schema.metadata[b"simulated"] == b"true"
    assert back.num_rows == count > 0
    assert all(user.startswith("simulated-") for user in back["user_id"].to_pylist())
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.parquet"]


def test_a_write_that_fails_leaves_the_old_log(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(b"old")

    def broken() -> Any:
        yield next(simulate(SHOP, Behaviour(sessions=20)))
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(path, broken())
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.parquet"]


def test_an_answer_is_complete_and_never_holds_the_product_it_was_asked_for(events: list[dict[str, Any]]) -> None:
    answers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["action"] == "impression":
            answers[event["request_id"]].append(event)
    for shown in answers.values():
        assert sorted(event["position"] for event in shown) == list(range(1, SHOWN + 1))
        assert len({event["product_id"] for event in shown}) == SHOWN
        assert all((event["query"] is None) != (event["trigger_id"] is None) for event in shown)
        assert shown[0]["trigger_id"] not in {event["product_id"] for event in shown}


def test_every_action_follows_the_one_it_needs_and_event_ids_are_unique(events: list[dict[str, Any]]) -> None:
    when = {(event["request_id"], event["product_id"], event["action"]): event["time"] for event in events}
    assert len(when) == len(events) == len({event["event_id"] for event in events})
    for (request, product, action), time in when.items():
        if action != "impression":
            assert when[request, product, ACTIONS[ACTIONS.index(action) - 1]] < time


def test_a_batch_is_in_the_order_of_time() -> None:
    for batch in simulate(SHOP, Behaviour(sessions=500)):
        times = batch["time"].to_pylist()
        assert times == sorted(times)


def test_of_equally_fitting_listings_those_further_up_are_clicked_more(events: list[dict[str, Any]]) -> None:
    """Within one relation to what was asked for, by the place alone: the ranking's quality is left out."""
    shown, clicked = Counter[int](), Counter[int]()
    for event in events:
        if event["trigger_id"] and STYLE[event["product_id"]] == STYLE[event["trigger_id"]]:
            shown[event["position"]] += event["action"] == "impression"
            clicked[event["position"]] += event["action"] == "click"
    first, later = ((clicked[place], shown[place]) for place in (1, 4))
    ratio = (first[0] / first[1]) / (later[0] / later[1])
    print(f"clicked at place 1 against place 4: {ratio:.2f} times as often, 4 ** 0.8 = {4**0.8:.2f}")
    assert 2.2 < ratio < 4.2


def test_some_styles_are_far_more_popular(events: list[dict[str, Any]]) -> None:
    clicks = [event for event in events if event["action"] == "click"]
    styles = [count for _, count in Counter(STYLE[event["product_id"]] for event in clicks).most_common()]
    assert sum(styles[: len(styles) // 5]) > 0.4 * sum(styles)


def test_the_cheaper_offer_of_a_style_is_the_more_attractive() -> None:
    shop = Shop(SHOP, Behaviour())
    cheap = [product.supplier_id == "bluepeak" for product in SHOP]  # the lowest margin of all
    dear = [product.supplier_id == "mistral" for product in SHOP]
    attraction = np.log(shop.charm) - shop.popularity
    assert attraction[cheap].mean() > 0.05
    assert attraction[dear].mean() < -0.05


def precision_of_co_clicks(events: list[dict[str, Any]], same_leaf: bool) -> float:
    """Share of pairs clicked in one session that are one style."""
    sessions: dict[str, set[str]] = defaultdict(set)
    for event in events:
        if event["action"] == "click":
            sessions[event["session_id"]].add(event["product_id"])
    pairs = [pair for clicked in sessions.values() if len(clicked) < 9 for pair in combinations(sorted(clicked), 2)]
    pairs = [pair for pair in pairs if not same_leaf or LEAF[pair[0]] == LEAF[pair[1]]]
    return sum(STYLE[one] == STYLE[other] for one, other in pairs) / len(pairs)


def test_what_is_clicked_together_is_often_not_the_same_and_the_category_tells(events: list[dict[str, Any]]) -> None:
    everything, same_leaf = (precision_of_co_clicks(events, constraint) for constraint in (False, True))
    print(f"co-clicks of one style: {everything:.2f}, within a leaf category {same_leaf:.2f}")
    assert 0.2 < everything < same_leaf - 0.05 < 0.85


def test_an_arm_with_more_appeal_is_clicked_more_and_users_stay_in_theirs() -> None:
    events = log(arms={"control": 1.0, "treatment": 1.5}, crawlers=0.0).to_pylist()
    rate = {}
    for arm in ("control", "treatment"):
        actions = Counter(event["action"] for event in events if event["arm"] == arm)
        rate[arm] = actions["click"] / actions["impression"]
    assert rate["treatment"] > 1.25 * rate["control"]
    arms = defaultdict(set)
    for event in events:
        arms[event["user_id"]].add(event["arm"])
    assert all(len(seen) == 1 for seen in arms.values())


def test_by_default_no_held_out_style_is_in_it() -> None:
    tuning, held_out = read_shop("tuning"), read_shop("held-out")
    assert not any(is_held_out(str(product.style_id)) for product in tuning)
    assert len(tuning) + len(held_out) == len(SHOP)
    ids = {product.product_id for product in held_out}
    [batch] = simulate(tuning, Behaviour(sessions=200))
    assert not ids & set(batch["product_id"].to_pylist())
    assert not ids & set(batch["trigger_id"].to_pylist())


def test_a_shop_without_styles_is_refused() -> None:
    bare = [product.model_copy(update={"style_id": None}) for product in SHOP]
    with pytest.raises(CatalogueInvalid, match="style_id"):
        next(simulate(bare, Behaviour(sessions=1)))
    with pytest.raises(CatalogueInvalid, match="more than 12"):
        next(simulate(SHOP[:12], Behaviour(sessions=1)))
