"""A training run and its directory: configuration, checkpoints, log and curves."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch.utils.tensorboard import SummaryWriter

from catalogue.errors import ConfigurationError
from catalogue.files import write_atomic
from models.training.checkpoints import BEST, CHECKPOINT
from models.training.config import TrainConfig, read_config
from models.training.data import Corpus, read_corpus
from models.training.loop import Step, Trainer
from models.training.photos import Progress
from models.training.processes import is_main, processes

CONFIG: Final = "config.json"
LOG: Final = "log.jsonl"
TOKENIZER: Final = Path(__file__).parents[1] / "default" / "tokenizer.json"
"""MiniLM's, which comes along with the default bundle."""


class Run:
    """One run in its directory."""

    def __init__(self, config: TrainConfig, out: Path, *, resume: bool, threads: int) -> None:
        """Raises ConfigurationError where `out` holds a run that must not be written over, or none to resume."""
        self.config, self.out, self._resume = config, out, resume
        if resume and not (out / CHECKPOINT).is_file():
            raise ConfigurationError(f"There is no {out / CHECKPOINT} to go on from. Leave --resume out to start anew.")
        if not resume and (out / CONFIG).exists():
            raise ConfigurationError(
                f"{out} holds a run already. Add --resume to go on with it, or give another --out."
            )
        torch.set_num_threads(threads)

    @property
    def is_main(self) -> bool:
        """Whether this process tells people, of several that train together."""
        return is_main()

    @property
    def weights(self) -> Path:
        """The averaged weights with the best figures; the last ones where nothing is kept to choose by."""
        return self.out / BEST

    def read(self, progress: Progress = lambda _: None, photos: Path | None = None) -> Corpus:
        """The catalogues; their photos are decoded once, into `photos` or the run's own directory."""
        with processes().main_process_first():  # the others find the photos decoded
            return read_corpus(self.config.data, photos or self.out / "photos", progress)

    def train(
        self, corpus: Corpus, report: Callable[[Mapping[str, Any]], None], progress: Progress = lambda _: None
    ) -> None:
        """Train to the last step; `report` gets each line of the log: step, loss, parts, seconds, at times scores.

        `progress` is told of photos that are encoded before, where the photo encoder is frozen.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        if is_main():
            write_atomic(self.out / CONFIG, (self.config.model_dump_json(indent=2) + "\n").encode())
        trainer = Trainer(self.config, corpus, Tokenizer.from_file(str(TOKENIZER)), self.out, progress)
        if self._resume:
            trainer.resume()
        if not is_main():
            trainer.run(lambda _: None)
        else:
            self._run_and_log(trainer, report)
        processes().destroy_process_group()

    def _run_and_log(self, trainer: Trainer, report: Callable[[Mapping[str, Any]], None]) -> None:
        with (self.out / LOG).open("a") as log, SummaryWriter(str(self.out / "tensorboard")) as curves:

            def told(step: Step) -> None:
                line = _line(step)
                log.write(json.dumps(line) + "\n")
                log.flush()
                for name, value in line.items():
                    if isinstance(value, dict):
                        curves.add_scalars(name, value, step.number)
                    elif name != "step":
                        curves.add_scalar(name, value, step.number)
                report(line)

            trainer.run(told)


def configuration(path: Path | None, changes: tuple[str, ...], out: Path, *, resume: bool) -> TrainConfig:
    """What a file and changes on top of it say; a resumed run keeps its own where neither is given."""
    return read_config(out / CONFIG if resume and path is None else path, changes)


def _line(step: Step) -> dict[str, Any]:
    line: dict[str, Any] = {"step": step.number, "loss": round(step.loss, 5), "seconds": round(step.seconds, 3)}
    line |= {"parts": {name: round(value, 5) for name, value in step.parts.items()}}
    if step.scores:
        line["scores"] = {name: round(value, 5) for name, value in step.scores.items()}
    return line
