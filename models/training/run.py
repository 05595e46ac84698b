"""A training run and its directory: configuration, checkpoints, log and curves."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch.utils.tensorboard import SummaryWriter

from catalogue.errors import ConfigurationError
from catalogue.files import write_atomic
from models.training.base import Base
from models.training.checkpoints import BEST, CHECKPOINT
from models.training.config import TrainConfig, read_config
from models.training.data import Corpus, read_corpus
from models.training.kept import TOKENS
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
        """Raises ConfigurationError where `out` holds a run that must not be written over, or none to resume.

        BundleInvalid too, for a base that cannot be used.
        """
        self.config, self.out, self._resume = config, out, resume
        if resume and not (out / CHECKPOINT).is_file():
            raise ConfigurationError(f"There is no {out / CHECKPOINT} to go on from. Leave --resume out to start anew.")
        if not resume and (out / CHECKPOINT).exists():  # without one there is nothing to lose
            raise ConfigurationError(
                f"{out} holds a run already. Add --resume to go on with it, or give another --out."
            )
        torch.set_num_threads(threads)
        self._base = None if config.network.base is None else Base(config.network.base, threads)
        if self._base is not None:
            self.config = based(config, self._base)

    @property
    def is_main(self) -> bool:
        """Whether this process tells people, of several that train together."""
        return is_main()

    @property
    def weights(self) -> Path:
        """The averaged weights with the best figures; the last ones where nothing is kept to choose by."""
        return self.out / BEST

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to go on from."""
        return (self.out / CHECKPOINT).is_file()

    def read(self, progress: Progress = lambda _: None, photos: Path | None = None) -> Corpus:
        """The catalogues; their photos are decoded once, into `photos` or the run's own directory."""
        with processes().main_process_first():  # the others find the photos decoded
            pictures = self._base.pictures if self._base else None
            return read_corpus(self.config.data, photos or self.out / "photos", progress, pictures)

    def train(
        self, corpus: Corpus, report: Callable[[Mapping[str, Any]], None], progress: Progress = lambda _: None
    ) -> None:
        """Train to the last step; `report` gets each line of the log: step, loss, parts, seconds, at times scores.

        With a base, the first line is of step 0 and has the scores of its own late fusion.
        `progress` is told of photos that are encoded before, where the photo encoder is frozen.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        if is_main():
            self._begin()
        trainer = Trainer(self.config, corpus, Tokenizer.from_file(str(TOKENIZER)), self.out, progress, self._base)
        if self._resume:
            trainer.resume()
        if not is_main():
            trainer.run(lambda _: None)
        else:
            self._run_and_log(trainer, report)
        processes().destroy_process_group()

    def _begin(self) -> None:
        """Write down what is run; what another one left behind before its first checkpoint goes."""
        config = (self.config.model_dump_json(indent=2) + "\n").encode()
        before = self.out / CONFIG
        if not self._resume:
            (self.out / LOG).unlink(missing_ok=True)
            if not before.exists() or before.read_bytes() != config:
                shutil.rmtree(self.out / TOKENS, ignore_errors=True)  # maybe of other photos
        write_atomic(before, config)

    def _run_and_log(self, trainer: Trainer, report: Callable[[Mapping[str, Any]], None]) -> None:
        with (self.out / LOG).open("a") as log, SummaryWriter(str(self.out / "tensorboard")) as curves:

            def told(line: Mapping[str, Any]) -> None:
                log.write(json.dumps(line) + "\n")
                log.flush()
                for name, value in line.items():
                    if isinstance(value, dict):
                        curves.add_scalars(name, value, line["step"])
                    elif name != "step":
                        curves.add_scalar(name, value, line["step"])
                report(line)

            if not trainer.step and (scores := trainer.late_fusion()):
                told({"step": 0, "late_fusion": _rounded(scores)})
            trainer.run(lambda step: told(_line(step)))


def configuration(path: Path | None, changes: tuple[str, ...], out: Path, *, resume: bool) -> TrainConfig:
    """What a file and changes on top of it say; a resumed run keeps its own where neither is given.

    Raises ConfigurationError with the field at fault, or where there is no run to go on with.
    """
    if resume and path is None:
        path = out / CONFIG
        if not path.exists():
            raise ConfigurationError(f"There is no run in {out} to go on with. Leave --resume out to start anew.")
    return read_config(path, changes)


def based(config: TrainConfig, base: Base) -> TrainConfig:
    """The configuration of a run over this base; raises ConfigurationError where it does not go with it."""
    network = config.network
    if network.base_fingerprint not in (None, base.fingerprint):
        raise ConfigurationError(
            f"{network.base} is not the bundle that the run began with: its fingerprint is {base.fingerprint[:12]} and "
            f"was {str(network.base_fingerprint)[:12]}. Put that one in its place, or start anew with another --out."
        )
    if network.width > base.width:
        raise ConfigurationError(
            f"network.width is {network.width}, and {network.base} has {base.width} dimensions. Give --set "
            f"network.width={base.width}, or less for a narrower space."
        )
    fixed = {"base": network.base and network.base.resolve(), "base_fingerprint": base.fingerprint}
    return config.model_copy(update={"network": network.model_copy(update=fixed)})


def _line(step: Step) -> dict[str, Any]:
    line: dict[str, Any] = {"step": step.number, "loss": round(step.loss, 5), "seconds": round(step.seconds, 3)}
    line["parts"] = _rounded(step.parts)
    if step.scores:
        line["scores"] = _rounded(step.scores)
    return line


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}
