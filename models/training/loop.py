"""The training loop, to be read from top to bottom."""

import copy
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from catalogue.errors import TrainingFailed
from models.preprocessing import product_text
from models.training import checkpoints
from models.training.base import Base, start_narrow
from models.training.batches import Batch, Batches
from models.training.config import TrainConfig
from models.training.data import Corpus
from models.training.invented import Inventor
from models.training.kept import TOKENS, Frozen, Look, keep_tokens
from models.training.losses import ContrastiveUnit, Sides
from models.training.measure import headline, late_fusion
from models.training.negatives import LastSeen, Sampler
from models.training.network import CrossEncoder, Inputs
from models.training.photos import Progress
from models.training.processes import add_up, processes
from models.training.texts import tokenise

Ready: TypeAlias = tuple[int, Tensor, Inputs]
"""A chunk on the device: its number in the batch, the products it holds, and the network's inputs for them."""

_MOST_PREPARING: Final = 12


@dataclass(frozen=True, slots=True)
class Step:
    """What a step was like."""

    number: int
    loss: float
    parts: Mapping[str, float]
    seconds: float
    scores: Mapping[str, float] | None = None
    """The figures of the styles kept to choose by, where they were taken."""


class Trainer:
    """A run: what it has learned so far, and how it goes on."""

    def __init__(
        self,
        config: TrainConfig,
        corpus: Corpus,
        tokenizer: Tokenizer,
        out: Path,
        progress: Progress = lambda _: None,
        base: Base | None = None,
    ) -> None:
        self.config, self.corpus, self.out, self.base = config, corpus, out, base
        self.words = partial(tokenise, tokenizer) if base is None else base.words
        everyone = processes()
        self.accelerator = Accelerator(mixed_precision=config.precision)
        # cuDNN's attention plans anew for every length of text, which takes longer than the step
        torch.backends.cuda.enable_cudnn_sdp(False)
        torch.manual_seed(config.seed)
        device = self.accelerator.device
        self.model = CrossEncoder(config.network, base).to(device)
        if config.start_from:
            checkpoints.start(self.model, config.start_from)
        self.model.photo.to(memory_format=torch.channels_last)
        self.unit = ContrastiveUnit(config.losses).to(device)
        kept = self._keep(everyone, progress)
        self.averaged = copy.deepcopy(self.model).eval().requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.AdamW(_groups(self.model, self.unit, config), betas=(0.9, 0.98))
        self.seen = LastSeen(len(corpus.items), config.network.width, device)
        part = (everyone.process_index, everyone.num_processes)
        inventor = Inventor(tokenizer.get_vocab(), corpus)
        batches = Batches(corpus, config, self.words, Sampler(corpus, config, self.seen), inventor, part, kept)
        self._coming: list[int] = []
        # the base's texts are encoded and remembered in this process
        self._loader = _loader(batches, self._coming, 0 if base else _preparing(device))
        self.step = 0
        self.best = -math.inf

    def _keep(self, everyone: PartialState, progress: Progress) -> list[Look]:
        """The tokens of all photos, where they do not change; a narrower space than the base's is fitted on them."""
        config, network = self.config, self.config.network
        if self.base is None and not network.frozen_photo:
            return []
        with everyone.main_process_first():  # the others find the files
            encoder = self.base or Frozen(self.model.photo, config.views.side)
            kept = keep_tokens(encoder, self.corpus.photos, config.views, config.seed, self.out / TOKENS, progress)
        if self.base is not None and network.width < self.base.width and config.start_from is None:
            told = [product_text(item.product, config.views.template) for item in self.corpus.items]
            start_narrow(self.model.photo, self.model.text, kept[0], told)
        return kept

    def run(self, report: Callable[[Step], None], until: int | None = None) -> None:
        """Train to the last step, or `until` there; raises TrainingFailed for a loss that is not a number."""
        started = time.monotonic()
        for batch in self._batches(min(self.config.steps, until or self.config.steps)):
            loss, parts = self._one_step(batch)
            self.step += 1
            is_last = self.step == self.config.steps
            scores = self._evaluate() if is_last or self.step % self.config.evaluate_every == 0 else None
            if is_last or scores or self.step % self.config.save_every == 0:
                self.save()
            now = time.monotonic()
            report(Step(self.step, loss, parts, now - started, scores))
            started = now

    def save(self) -> None:
        """Write the checkpoint."""
        if self.accelerator.is_main_process:
            state = {
                "model": self.model.state_dict(),
                "averaged": self.averaged.state_dict(),
                "unit": self.unit.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "seen": self.seen.vectors,
                "nearest": self.seen.nearest,
                "step": self.step,
                "best": self.best,
            }
            checkpoints.save(self.out / checkpoints.CHECKPOINT, self.config, state)

    def resume(self) -> None:
        """Go on from the checkpoint; raises ConfigurationError for none, or that of another configuration."""
        state = checkpoints.load(self.out / checkpoints.CHECKPOINT, self.config)
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.unit.load_state_dict(state["unit"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.seen.vectors.copy_(state["seen"])
        self.seen.nearest.copy_(state["nearest"])
        self.step, self.best = state["step"], state["best"]

    def _batches(self, end: int) -> Iterator[Batch]:
        """The batches up to step `end`.

        Who is near whom is looked up in between, so what comes before the next look-up can be prepared ahead.
        """
        every = self.config.look_up_every
        while self.step < end:
            if self.step % every == 0:
                self.seen.look_up(np.random.default_rng((self.config.seed, self.step)))
            self._coming[:] = range(self.step, min(end, (self.step // every + 1) * every))
            yield from self._loader

    def _one_step(self, batch: Batch) -> tuple[float, dict[str, float]]:
        """Encode a batch and learn from it.

        Every process draws the same batch, encodes some of its chunks, and has the vectors of all for the losses.
        """
        device, side = self.accelerator.device, self.config.views.side
        self.model.train()
        _set_rates(self.optimizer, self.step, self.config)
        chunks = [(chunk.number, chunk.products.to(device), chunk.inputs(side, device)) for chunk in batch.chunks]
        outputs = [self._encode(number, inputs, keep=not self.config.cache_gradients) for number, _, inputs in chunks]
        sides = self._gather(batch, chunks, outputs)
        loss, parts = self.unit(sides)
        if not torch.isfinite(loss):
            raise TrainingFailed(self._no_number(loss.item()))
        loss.backward()
        for (number, products, inputs), output in zip(chunks, outputs, strict=True):
            if self.config.cache_gradients:
                output = self._encode(number, inputs, keep=True)  # noqa: PLW2901  # the same again, now to learn from
            self._send_back(output, self._gradients(sides, products, inputs))
        self._learn()
        self.seen.keep(batch.items, torch.cat([sides.first[:, 2], sides.second[:, 2]]).detach())
        return loss.item(), {name: part.item() for name, part in parts.items()}

    def _no_number(self, loss: float) -> str:
        """What is wrong and what to do; `step` is the number of those done."""
        what = f"The loss of step {self.step + 1} is {loss}. "
        if (self.out / checkpoints.CHECKPOINT).is_file():
            what += f"{checkpoints.CHECKPOINT} is from before: go on from there with a lower lr (in another --out, by "
            what += "start_from)"
        else:
            what += "There is no checkpoint from before: start anew with a lower lr"
        return f"{what}, and look for broken photos or texts."

    def _encode(self, chunk: int, inputs: Inputs, *, keep: bool) -> tuple[Tensor, Tensor]:
        """The chunk's vectors; `keep` what learning from them needs. Twice the same dropout gives twice the same."""
        torch.manual_seed(int(np.random.default_rng((self.config.seed, self.step, chunk)).integers(2**62)))
        with torch.set_grad_enabled(keep), self.accelerator.autocast():
            vectors, composed = self.model(inputs)
        return vectors, composed

    def _gather(self, batch: Batch, chunks: Sequence[Ready], outputs: Sequence[tuple[Tensor, Tensor]]) -> Sides:
        """The vectors of all chunks of all processes in the order of the batch; gradients arrive at them."""
        rows, width = len(batch.is_self), self.config.network.width
        views = 2 * rows + len(batch.view_of)
        asked = views + len(batch.fits)
        count = asked + 2 * len(batch.invented_fits)
        vectors = torch.zeros((count, 3, width), device=self.accelerator.device)
        composed = torch.zeros((rows, width), device=self.accelerator.device)
        has = torch.zeros((count, 2), device=self.accelerator.device)
        for (_, products, inputs), (made, made_composed) in zip(chunks, outputs, strict=True):
            vectors[products] = made.detach().float()
            composed[products[inputs.other_rows]] = made_composed.detach().float()
            has[products] = inputs.has.float()
        vectors, composed, has = add_up((vectors, composed, has))
        modes = torch.cat([has, has.amax(dim=1, keepdim=True)], dim=1) > 0
        return Sides(
            vectors[:rows].requires_grad_(),
            vectors[rows : 2 * rows].requires_grad_(),
            modes[:rows],
            modes[rows : 2 * rows],
            batch.is_self.to(vectors.device),
            composed.requires_grad_(),
            batch.with_words.to(vectors.device),
            vectors[2 * rows : views].requires_grad_(),
            batch.view_of.to(vectors.device),
            vectors[views:asked, 1].requires_grad_(),
            batch.fits.to(vectors.device),
            vectors[asked:, 1].reshape(2, -1, width).requires_grad_(),
            batch.invented_fits.to(vectors.device),
        )

    def _gradients(self, sides: Sides, products: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """What the losses want of a chunk's vectors."""
        first, second, views, composed, asked, invented = (
            torch.zeros_like(part) if part.grad is None else part.grad
            for part in (sides.first, sides.second, sides.views, sides.composed, sides.asked, sides.invented)
        )
        by_text = torch.cat([asked, *invented])
        texts = torch.stack([torch.zeros_like(by_text), by_text, torch.zeros_like(by_text)], dim=1)
        return torch.cat([first, second, views, texts])[products], composed[products[inputs.other_rows]]

    def _send_back(self, output: tuple[Tensor, Tensor], gradients: tuple[Tensor, Tensor]) -> None:
        wanted = [
            (made, grad.to(made.dtype)) for made, grad in zip(output, gradients, strict=True) if made.requires_grad
        ]
        torch.autograd.backward([made for made, _ in wanted], [grad for _, grad in wanted])

    def _learn(self) -> None:
        """One step of the optimiser with the gradients of all processes, and of the averaged weights."""
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if self.accelerator.num_processes > 1:
            grads = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
            for parameter, grad in zip(parameters, add_up(grads), strict=True):
                parameter.grad = grad
        nn.utils.clip_grad_norm_(parameters, self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.model.parameters()), 1 - decay)

    def late_fusion(self) -> dict[str, float]:
        """The figures of the base by itself, of what is kept to choose by; empty without a base."""
        return {} if self.base is None else late_fusion(self.base, self.corpus, self.config)

    def _evaluate(self) -> dict[str, float]:
        """Figures of what is kept to choose by; the averaged weights with the best so far are in best.pt."""
        scores: dict[str, float] = {}
        if self.accelerator.is_main_process:
            scores = headline(self.averaged, self.corpus, self.words, self.config)
            mean = float(np.mean(list(scores.values()))) if scores else 0.0
            if not scores or mean > self.best:
                self.best = mean
                state = {"averaged": self.averaged.state_dict(), "step": self.step}
                checkpoints.save(self.out / checkpoints.BEST, self.config, state)
        self.accelerator.wait_for_everyone()
        return scores


def _loader(batches: Batches, steps: list[int], workers: int) -> DataLoader[Batch]:
    """Batches of `steps` (filled in before each pass), prepared ahead by `workers` processes (0: this one)."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork
    return DataLoader(batches, batch_size=None, sampler=steps, num_workers=workers, persistent_workers=workers > 0)


def _preparing(device: torch.device) -> int:
    """How many processes prepare batches; on a CPU they would only take its time from the training."""
    return 0 if device.type == "cpu" else max(1, min(_MOST_PREPARING, (os.cpu_count() or 1) - 2))


def _groups(model: CrossEncoder, unit: ContrastiveUnit, config: TrainConfig) -> list[dict[str, Any]]:
    """Parameters by their rate; biases, norms and scales do not decay."""
    rates = {"photo.tower": config.lr_photo, "text.tower": config.lr_text}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in [*model.named_parameters(), *unit.named_parameters()]:
        if parameter.requires_grad:
            rate = next((rate for start, rate in rates.items() if name.startswith(start)), config.lr)
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "base": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def _set_rates(optimizer: torch.optim.Optimizer, step: int, config: TrainConfig) -> None:
    """Up in a line, then down along a cosine to a hundredth."""
    if step < config.warmup:
        share = (step + 1) / config.warmup
    else:
        done = (step - config.warmup) / max(1, config.steps - config.warmup)
        share = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done))
    for group in optimizer.param_groups:
        group["lr"] = share * group["base"]
