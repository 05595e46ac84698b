"""Training from end to end with tiny networks: what it learns, and that it goes on as if it had never stopped."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from catalogue.errors import CatalogueInvalid, ConfigurationError, TrainingFailed
from tests.models.shops import write_pairs, write_shop

if TYPE_CHECKING:
    from torch import Tensor

    from models.training.loop import Step, Trainer

pytestmark = pytest.mark.heavy

Start = Callable[..., "Trainer"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """A run with tiny networks on a little shop."""
    from tokenizers import Tokenizer

    from models.training.config import parse_config
    from models.training.data import read_corpus
    from models.training.loop import Trainer
    from tests.models.bundles import SHIPPED

    def make(out: str = "run", shop: dict[str, Any] | None = None, **changes: Any) -> Trainer:
        catalogue = tmp_path / f"shop-{'-'.join(map(str, (shop or {}).values()))}.parquet"
        if not catalogue.exists():
            write_shop(catalogue, **(shop or {}))
        content: dict[str, Any] = {
            "data": {"catalogues": [{"path": str(catalogue)}], "cache_side": 64, "dev_share": 0.25},
            "network": {
                "photo": "tiny", "text": "tiny", "width": 32, "layers": 1, "heads": 2, "grid": 2, "max_text_tokens": 24,
                "frozen_photo_blocks": 0, "frozen_text_layers": 0,
            },
            "views": {"side": 32, "recolour": 0.3},
            "steps": 60, "rows": 10, "chunk": 8, "warmup": 5, "lr": 3e-3, "lr_photo": 3e-3, "lr_text": 1e-3,
            "evaluate_every": 1000, "save_every": 1000,
        }  # fmt: skip
        for name, value in changes.items():
            section, _, field = name.partition("__")
            if field:
                content.setdefault(section, {})[field] = value
            else:
                content[section] = value
        config = parse_config(content, "test")
        (tmp_path / out).mkdir(exist_ok=True)
        corpus = read_corpus(config.data, tmp_path / "work")
        return Trainer(config, corpus, Tokenizer.from_file(str(SHIPPED / "tokenizer.json")), tmp_path / out)

    return make


def run(trainer: "Trainer", until: int | None = None) -> list["Step"]:
    steps: list[Step] = []
    trainer.run(steps.append, until)
    return steps


def same_weights(one: "Trainer", other: "Trainer") -> bool:
    import torch

    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    averages = zip(one.averaged.state_dict().values(), other.averaged.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in [*pairs, *averages])


def test_the_loss_falls_and_the_figures_rise(start: Start) -> None:
    trainer = start(evaluate_every=30)
    before = trainer._evaluate()
    steps = run(trainer)
    assert np.mean([step.loss for step in steps[-10:]]) < 0.8 * np.mean([step.loss for step in steps[:10]])
    after = steps[-1].scores
    assert after is not None
    assert after["m-m@1"] > before["m-m@1"]
    assert {"i-i@1", "t-i@10", "composed@10"} <= after.keys()


def test_a_resumed_run_equals_an_uninterrupted_one(start: Start) -> None:
    whole = start("whole", steps=12, save_every=5, look_up_every=4)
    run(whole)
    first = start("parts", steps=12, save_every=5, look_up_every=4)
    run(first, until=7)  # the last checkpoint is from step 5: what came after is done again
    second = start("parts", steps=12, save_every=5, look_up_every=4)
    second.resume()
    assert second.step == 5
    run(second)
    assert same_weights(whole, second)


def test_cached_gradients_teach_the_same(start: Start) -> None:
    plain, cached = start("plain", steps=3), start("cached", steps=3, cache_gradients=True)
    losses = [[step.loss for step in run(trainer)] for trainer in (plain, cached)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_batches_prepared_by_other_processes_teach_the_same(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    here = start("here", steps=7, look_up_every=3)
    run(here)
    monkeypatch.setattr("models.training.loop._preparing", lambda device: 2)
    elsewhere = start("elsewhere", steps=7, look_up_every=3)
    run(elsewhere)
    assert same_weights(here, elsewhere)


def test_a_frozen_photo_encoder_encodes_each_photo_once(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen: dict[str, Any] = {"network__frozen_photo": True, "views__kept": 2, "steps": 12, "save_every": 5}
    whole = start("whole", **frozen, evaluate_every=12)
    before = {name: weights.clone() for name, weights in whole.model.photo.state_dict().items()}
    looks = sorted((tmp_path / "whole" / "tokens").iterdir())
    assert [np.load(look).shape for look in looks] == [(len(whole.corpus.photos), 5, 32)] * 3
    monkeypatch.setattr("models.training.network.PhotoEncoder.forward", lambda *_: pytest.fail("encoded once more"))
    run(start("whole", **frozen, evaluate_every=13), until=7)
    again = start("whole", **frozen, evaluate_every=13)
    again.resume()
    assert again.step == 5
    monkeypatch.undo()
    run(whole)
    run(again)
    assert same_weights(whole, again)
    assert all((weights == before[name]).all() for name, weights in again.model.photo.state_dict().items())


def test_who_is_near_whom_is_looked_up_among_those_seen() -> None:
    import torch

    from models.training.negatives import LastSeen

    seen = LastSeen(40, 8, torch.device("cpu"))
    vectors = torch.nn.functional.normalize(torch.randn(30, 8, generator=torch.Generator().manual_seed(1)), dim=1)
    seen.keep(list(range(30)), vectors)
    assert not seen(3, 5)  # not looked up yet
    seen.look_up(np.random.default_rng(0))
    scores = vectors @ vectors[3]
    scores[3] = -2
    assert seen(3, 5) == scores.argsort(descending=True)[:5].tolist()
    assert not seen(35, 5)


@pytest.mark.parametrize("off", ["info_nce", "hinge", "self_distinct", "locality", "composed", "words", "invented"])
def test_each_loss_can_be_switched_off(start: Start, off: str) -> None:
    weights = {"losses__words": 0.5, "losses__invented": 0.5, f"losses__{off}": 0}
    (step,) = run(start(steps=1, **weights))
    assert off not in step.parts
    assert len(step.parts) == 6
    assert np.isfinite(step.loss)


def test_every_product_may_have_a_view_of_its_own(start: Start) -> None:
    without, half, all_of_them = (start(f"third-{share}", steps=4, views__third=share) for share in (0, 0.5, 1))
    for step in range(3):
        plain, some, full = (trainer._loader.dataset[step] for trainer in (without, half, all_of_them))
        assert plain.items == some.items == full.items  # what else is drawn does not depend on it
        assert not len(plain.view_of)
        assert 0 < len(some.view_of) < len(full.view_of)
        assert full.view_of.tolist() == [at for at in range(20) if not full.is_self[at % 10]]
        rest = sum(len(chunk.products) for chunk in full.chunks)
        assert rest == len(full.items) + len(full.view_of)
    steps = run(all_of_them)
    assert all(np.isfinite(step.loss) for step in steps)
    cached = start("third-cached", steps=4, views__third=1, cache_gradients=True)
    assert [step.loss for step in run(cached)] == pytest.approx([step.loss for step in steps], rel=1e-4)


def test_self_distinctiveness_and_locality_of_pairs_and_views() -> None:
    import torch

    from models.training.losses import Sides, locality_consistency, self_distinctiveness

    chance = torch.Generator().manual_seed(0)
    first, second, views = (
        torch.nn.functional.normalize(torch.randn(count, 3, 8, generator=chance), dim=2) for count in (6, 6, 3)
    )
    has = torch.ones(6, 3, dtype=torch.bool)
    is_self = torch.tensor([False, True, False, False, False, True])
    composed, of = torch.zeros(6, 8), torch.tensor([0, 3, 8])
    sides = Sides(first, second, has, has, is_self, composed, torch.zeros(0).long(), views, of, *nothing_asked(6, 8))
    # (a product, its view, its row): two rows of one product each, and three products with views
    cases = [(first[row], second[row], row) for row in (1, 5)]
    cases += [(torch.cat([first, second])[at], views[number], at % 6) for number, at in enumerate((0, 3, 8))]
    distinct, local = [], []
    for ours, view, row in cases:
        others = [second[other, 2] for other in range(6) if other != row]
        short = [float(torch.relu(0.2 - ours[2] @ view[2] + ours[2] @ other)) for other in others]
        distinct.append(sum(short) / max(1, sum(value > 0 for value in short)))
        near = sorted(others, key=lambda other: -float(ours[2] @ other))[:3]
        local.append(np.mean([max(0, abs(float(ours[2] @ other - view[2] @ other)) - 0.05) for other in near]))
    assert float(self_distinctiveness(sides, 0.2)) == pytest.approx(np.mean(distinct), rel=1e-4)
    assert float(locality_consistency(sides, 3, 0.05)) == pytest.approx(np.mean(local), rel=1e-4)


@pytest.mark.parametrize("lacking", ["photos", "texts"])
def test_a_shop_without_photos_or_texts_trains_on_what_there_is(start: Start, lacking: str) -> None:
    shop = {lacking: False}
    steps = run(start(shop=shop, steps=8, evaluate_every=8))
    assert all(np.isfinite(step.loss) for step in steps)
    scores = steps[-1].scores
    assert scores is not None
    assert ("t-t@1" if lacking == "photos" else "i-i@1") in scores
    assert ("i-i@1" if lacking == "photos" else "t-t@1") not in scores


def test_pairs_take_the_place_of_styles(start: Start, tmp_path: Path) -> None:
    pairs = [(f"p{style}-{first}", f"p{style}-{first + 1}") for style in range(16) for first in range(2)]
    write_pairs(tmp_path / "pairs.parquet", pairs)
    trainer = start(shop={"style_ids": False}, data__pairs=str(tmp_path / "pairs.parquet"), steps=6, evaluate_every=6)
    steps = run(trainer)
    assert steps[-1].scores
    trained, kept = len(trainer.corpus.pairs.items), len(trainer.corpus.dev)
    assert 0 < trained < 32
    assert kept > 0


def test_what_is_said_not_to_be_alike_shares_a_batch(start: Start, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    triplets = [(f"p{style}-0", f"p{style}-1", f"p{style + 8}-2") for style in range(8)]
    columns = dict(
        zip(("anchor_id", "positive_id", "negative_id"), map(list, zip(*triplets, strict=True)), strict=True)
    )
    pq.write_table(pa.table(columns), tmp_path / "triplets.parquet")
    chosen: dict[str, Any] = {"rows": 4, "steps": 3, "hard": 0, "data__pair_share": 1, "data__dev_share": 0}
    trainer = start(data__pairs=str(tmp_path / "triplets.parquet"), **chosen)
    names = [item.product.product_id for item in trainer.corpus.items]
    wanted = {anchor: negative for anchor, _, negative in triplets}
    for seed in range(8):
        rows = trainer._loader.dataset._sampler.rows(np.random.default_rng(seed))
        firsts = [names[row.first] for row in rows]
        # every drawn anchor is followed by its negative
        assert [firsts[1], firsts[3]] == [wanted[firsts[0]], wanted[firsts[2]]]
        assert all(
            names[row.second] == name.replace("-0", "-1") for row, name in zip(rows[::2], firsts[::2], strict=True)
        )
    assert all(np.isfinite(step.loss) for step in run(trainer))


def test_a_loss_that_is_no_number_stops_the_run(start: Start) -> None:
    trainer = start(steps=40, lr=1e30, lr_photo=1e30, clip=1e30)
    with pytest.raises(TrainingFailed, match=r"The loss of step \d+ is nan"):
        run(trainer)


def test_a_checkpoint_of_another_configuration_is_refused(start: Start) -> None:
    run(start(steps=2))
    with pytest.raises(ConfigurationError, match=r"losses\.margin: 0\.3 here, 0\.2 there"):
        start(steps=2, losses__margin=0.3).resume()


def test_weights_of_another_network_are_no_start(start: Start, tmp_path: Path) -> None:
    run(start(steps=1))
    best = tmp_path / "run" / "best.pt"
    (step,) = run(start("next", steps=1, start_from=str(best)))
    assert np.isfinite(step.loss)
    with pytest.raises(ConfigurationError, match="are of another network"):
        start("wider", steps=1, start_from=str(best), network__width=64)
    (tmp_path / "photo.pt").write_bytes(b"no weights")
    with pytest.raises(ConfigurationError, match="not a checkpoint that samestyle train can read"):
        start("other", steps=1, start_from=str(tmp_path / "photo.pt"))


def test_there_must_be_something_to_train_on(start: Start, tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match="at least 2 are needed"):
        start(shop={"styles": 1}, data__dev_share=0)
    write_pairs(tmp_path / "others.parquet", [("x", "y")])
    with pytest.raises(CatalogueInvalid, match="Check the product ids"):
        start(data__pairs=str(tmp_path / "others.parquet"))


def nothing_asked(rows: int, width: int) -> "tuple[Tensor, Tensor, Tensor, Tensor]":
    """The last fields of `Sides` in a batch without few words."""
    import torch

    none = torch.zeros(0, 0, dtype=torch.bool)
    return torch.zeros(0, width), torch.zeros(0, 2 * rows, dtype=torch.bool), torch.zeros(2, 0, width), none


def test_few_words_find_what_they_fit(start: Start) -> None:
    asking = {"losses__words": 1.0, "losses__invented": 1.0}
    without, trainer = start("plain", steps=40), start("asking", steps=40, **asking)
    plain, batch = (each._loader.dataset[3] for each in (without, trainer))
    assert batch.items == plain.items  # what else is drawn does not depend on it
    assert not len(plain.fits)
    assert batch.fits.shape == (10, 20)
    assert all(batch.fits[row, row] for row in range(10))  # the words are made of the first sides
    assert batch.invented_fits.shape == (5, 5)
    assert all(batch.invented_fits[row, row] for row in range(5))
    rest = sum(len(chunk.products) for chunk in batch.chunks)
    assert rest == len(batch.items) + 10 + 2 * 5
    steps = run(trainer)
    first, last = (np.mean([step.parts["words"] for step in some]) for some in (steps[:5], steps[-5:]))
    assert last < 0.8 * first
    cached = start("asking-cached", steps=40, cache_gradients=True, **asking)
    assert [step.loss for step in run(cached, until=3)] == pytest.approx([step.loss for step in steps[:3]], rel=1e-4)
    assert 0 < (steps[-1].scores or {})["words@5"] <= 1


def test_invented_products_teach_words_that_the_catalogue_lacks(start: Start) -> None:
    import torch

    from models.training.invented import Inventor
    from models.training.measure import embed
    from models.training.texts import content_words, fitting

    vocabulary = ["owl", "fox", "bear", "lion", "mug", "cup", "plate", "bowl", "lamp", "chair", "table", "clock"]

    def found(weight: float) -> float:
        """Of the first five invented products that few words find, the share that they fit."""
        trainer = start(f"invented-{weight}", losses__words=1.0, losses__invented=weight)
        inventor = trainer._loader.dataset._inventor = Inventor(vocabulary, trainer.corpus)
        run(trainer)
        told, asked = inventor.products(100, np.random.default_rng(7))
        nothing = torch.zeros(100, 1, 32)
        queries, gallery = (embed(trainer.averaged, nothing, trainer.words(texts, 24))["t"] for texts in (asked, told))
        nearest = np.argsort(-(queries @ gallery.T), axis=1)[:, :5]
        fits = fitting(asked, [content_words(text) for text in told])
        return float(np.take_along_axis(fits, nearest, axis=1).mean())

    assert found(1.0) > found(0.0) + 0.03


def test_words_loss_spares_what_fits_too() -> None:
    import torch

    from models.training.losses import Sides, invented_nce, words_nce

    unit = torch.eye(4)
    first = unit[:2, None].expand(2, 3, 4)
    second = torch.stack([unit[0], unit[2]])[:, None].expand(2, 3, 4)  # the first side's likeness, and another
    has, is_self = torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    told, scale = torch.cat([first[:, 0], second[:, 0]]), torch.tensor(10.0)

    def losses(fits: list[bool]) -> tuple[float, float]:
        nothing, fitting = torch.zeros(0, dtype=torch.long), torch.tensor([fits])
        invented = torch.stack([unit[:1].expand(4, 4), told])
        sides = Sides(
            *(first, second, has, has, is_self, torch.zeros(2, 4), nothing, first[:0], nothing),
            *(unit[:1], fitting, invented, fitting.expand(4, 4)),
        )
        return float(words_nce(sides, scale)), float(invented_nce(sides, scale))

    for both in zip(
        losses([True, False, True, False]),
        losses([True, False, False, False]),
        losses([True, True, False, False]),
        strict=True,
    ):
        spared, likeness, far = both
        assert spared == pytest.approx(2 * np.exp(-10), rel=1e-2)  # both before both others
        assert likeness > 0.6  # its likeness is as near, and must not be
        assert far > 4  # what fits is far away
