"""Do the paper's claims hold: each loss off, each pair constraint off, measured on products never trained on.

`python -m bench.ablations TRAIN VALIDATION --base V0 [--pairs FOLDER] --out FOLDER [--seeds N]`: short runs of a fusion
encoder over a `dual` bundle whose encoders stay as they are, all else the same. What is done already is not run again.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
import torch
from rich.console import Console
from tokenizers import Tokenizer

from models.training.base import Base
from models.training.checkpoints import BEST, load_weights
from models.training.config import TrainConfig, parse_config
from models.training.data import read_corpus
from models.training.loop import Trainer
from models.training.measure import headline
from models.training.network import CrossEncoder
from models.training.run import TOKENIZER, based

COMMON: Final[dict[str, Any]] = {
    "steps": 120, "rows": 128, "chunk": 128, "warmup": 15, "lr": 1e-3, "ema": 0.98, "look_up_every": 25,
    "evaluate_every": 40, "views": {"third": 0.5}, "losses": {"composed": 0.2},
}  # fmt: skip
LOSSES: Final[dict[str, dict[str, Any]]] = {
    "all losses": {},
    "info_nce=0": {"info_nce": 0},
    "hinge=0": {"hinge": 0},
    "self_distinct=0": {"self_distinct": 0},
    "locality=0": {"locality": 0},
    "composed=0": {"composed": 0},
    "composed=0.05": {"composed": 0.05},
    "the paper's three": {"info_nce": 0, "composed": 0},
    "hinge alone": {"info_nce": 0, "composed": 0, "self_distinct": 0, "locality": 0},
    "info_nce alone": {"hinge": 0, "composed": 0, "self_distinct": 0, "locality": 0},
}
SHOWN: Final = ("i-i@1", "t-t@10", "i-t@10", "t-i@10", "m-m@1", "m-m@10", "composed@10")


def main() -> None:
    """Run what is asked for and not there yet, then print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.ablations", description=__doc__)
    parser.add_argument("train", type=Path)
    parser.add_argument("validation", type=Path)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, help="a folder of files by `samestyle pairs mine`, a run for each")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.out.mkdir(parents=True, exist_ok=True)
    # each remembers what it was asked for, by numbers of its own catalogue
    trained, judging = (Base(arguments.base, arguments.threads) for _ in range(2))
    for seed in range(arguments.seeds):
        for name, changes in _runs(arguments.train, arguments.pairs, arguments.out):
            file = arguments.out / f"{name}-{seed}.json"
            if not file.exists():
                weights, config = _train({**changes, "seed": seed}, trained, arguments.out)
                scores = _measure(weights, config, judging, arguments.validation, arguments.out)
                file.write_text(json.dumps(scores))
    _print(arguments.out)


def _runs(train: Path, pairs: Path | None, out: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each run, and its configuration where it is not the common one."""
    for name, losses in LOSSES.items():
        yield name, {"losses": {**COMMON["losses"], **losses}, "data": _data(train)}
    if pairs is None:
        return
    unnamed = out / "without_styles.parquet"
    if not unnamed.exists():
        pq.write_table(pq.read_table(train).drop_columns(["style_id"]), unnamed)
    for file in sorted(pairs.glob("*.parquet")):
        yield f"pairs {file.stem}", {"data": {**_data(unnamed), "pairs": str(file), "pair_share": 0.8}}


def _data(catalogue: Path) -> dict[str, Any]:
    return {"catalogues": [{"path": str(catalogue)}], "drop_attributes": ["department"]}


def _train(changes: Mapping[str, Any], base: Base, out: Path) -> tuple[Path, TrainConfig]:
    """Train one; where its best weights are."""
    content = {
        **COMMON,
        **changes,
        "network": {"layers": 1, "base": str(base.encoders.bundle.path), "width": base.encoders.dim},
    }
    config = based(parse_config(content, "bench.ablations"), base)
    corpus = read_corpus(config.data, out / "photos", pictures=base.pictures)
    run = out / "run"
    run.mkdir(exist_ok=True)
    Trainer(config, corpus, Tokenizer.from_file(str(TOKENIZER)), run, base=base).run(lambda _: None)
    return run / BEST, config


def _measure(weights: Path, config: TrainConfig, base: Base, validation: Path, out: Path) -> dict[str, float]:
    """Figures of these weights on the validation products, each of them to be found."""
    source = config.data.catalogues[0].model_copy(update={"path": validation})
    data = config.data.model_copy(update={"catalogues": (source,), "pairs": None, "dev_share": 0.0})
    corpus = read_corpus(data, out / "photos", pictures=base.pictures)
    corpus = replace(corpus, dev=[(number, item.style) for number, item in enumerate(corpus.items)])
    model = CrossEncoder(config.network, base)
    model.load_state_dict(load_weights(weights))
    return headline(model.eval(), corpus, base.words, config)


def _print(out: Path) -> None:
    """Means over the seeds; in brackets the standard deviation, where there are several."""
    scores: dict[str, list[dict[str, float]]] = {}
    for file in sorted(out.glob("*.json")):
        scores.setdefault(file.stem.rpartition("-")[0], []).append(json.loads(file.read_text()))
    lines = [f"| run | {' | '.join(SHOWN)} |", f"| --- |{' --- |' * len(SHOWN)}"]
    for name, runs in scores.items():
        found = [[run[shown] for run in runs] for shown in SHOWN]
        told = [f"{np.mean(one):.3f}" + (f" ({np.std(one, ddof=1):.3f})" if len(one) > 1 else "") for one in found]
        lines.append(f"| {name}, {len(runs)} runs | {' | '.join(told)} |")
    Console(width=200).print("\n".join(lines), highlight=False)


if __name__ == "__main__":
    main()
