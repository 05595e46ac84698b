"""The training loop, to be read from top to bottom."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from accelerate import Accelerator
from tokenizers import Tokenizer
from torch import Tensor, nn

from catalogue.errors import TrainingFailed
from models.training import checkpoints
from models.training.batches import Batch, Batches
from models.training.config import TrainConfig
from models.training.data import Corpus
from models.training.losses import ContrastiveUnit, Sides
from models.training.measure import headline
from models.training.negatives import LastSeen, Sampler
from models.training.network import CrossEncoder, Inputs

Chunk: TypeAlias = tuple[int, Tensor, Inputs]
"""Its number in the batch, the products it holds, and the network's inputs for them."""


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

    def __init__(self, config: TrainConfig, corpus: Corpus, tokenizer: Tokenizer, out: Path) -> None:
        self.config, self.corpus, self.tokenizer, self.out = config, corpus, tokenizer, out
        self.accelerator = Accelerator(mixed_precision=config.precision)
        torch.manual_seed(config.seed)
        device = self.accelerator.device
        self.model = CrossEncoder(config.network).to(device)
        if config.start_from:
            self.model.load_state_dict(checkpoints.load_weights(config.start_from))
        self.model.photo.to(memory_format=torch.channels_last)
        self.unit = ContrastiveUnit(config.losses).to(device)
        self.averaged = copy.deepcopy(self.model).eval().requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.AdamW(_groups(self.model, self.unit, config), betas=(0.9, 0.98))
        self.seen = LastSeen(len(corpus.items), config.network.width)
        self.sampler = Sampler(corpus, config, self.seen)
        self.batches = Batches(corpus, config, tokenizer, device)
        self.step = 0
        self.best = -math.inf

    def run(self, report: Callable[[Step], None], until: int | None = None) -> None:
        """Train to the last step, or `until` there; raises TrainingFailed for a loss that is not a number."""
        while self.step < min(self.config.steps, until or self.config.steps):
            started = time.monotonic()
            loss, parts = self._one_step()
            self.step += 1
            is_last = self.step == self.config.steps
            scores = self._evaluate() if is_last or self.step % self.config.evaluate_every == 0 else None
            if is_last or scores or self.step % self.config.save_every == 0:
                self.save()
            report(Step(self.step, loss, parts, time.monotonic() - started, scores))

    def save(self) -> None:
        """Write the checkpoint."""
        if self.accelerator.is_main_process:
            state = {
                "model": self.model.state_dict(),
                "averaged": self.averaged.state_dict(),
                "unit": self.unit.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "seen": torch.from_numpy(self.seen.vectors),
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
        self.seen.vectors[:] = state["seen"].numpy()
        self.step, self.best = state["step"], state["best"]

    def _one_step(self) -> tuple[float, dict[str, float]]:
        """Draw a batch, encode it, learn from it.

        All randomness comes from the seed and the step's number, so a resumed run goes the same way. Every process
        draws the same batch, encodes some of its chunks, and has the vectors of all for the losses.
        """
        device = self.accelerator.device
        self.model.train()
        _set_rates(self.optimizer, self.step, self.config)
        random = np.random.default_rng((self.config.seed, self.step))
        batch = self.batches.batch(self.sampler.rows(random), random)
        chunks = [
            (number, torch.from_numpy(products).to(device), self.batches.inputs(batch, products, self._random(number)))
            for number, products in enumerate(batch.chunks(self.config.chunk))
            if number % self.accelerator.num_processes == self.accelerator.process_index
        ]
        outputs = [self._encode(number, inputs, keep=not self.config.cache_gradients) for number, _, inputs in chunks]
        sides = self._gather(batch, chunks, outputs)
        loss, parts = self.unit(sides)
        if not torch.isfinite(loss):
            raise TrainingFailed(
                f"The loss of step {self.step + 1} is {loss.item()}. {checkpoints.CHECKPOINT} is from before: go on "
                "from there with a lower lr (in another --out, by start_from), and look for broken photos or texts."
            )
        loss.backward()
        for (number, products, inputs), output in zip(chunks, outputs, strict=True):
            if self.config.cache_gradients:
                output = self._encode(number, inputs, keep=True)  # noqa: PLW2901  # the same again, now to learn from
            self._send_back(output, self._gradients(sides, products, inputs))
        self._learn()
        self.seen.keep(batch.items, torch.cat([sides.first[:, 2], sides.second[:, 2]]).detach().cpu().numpy())
        return loss.item(), {name: part.item() for name, part in parts.items()}

    def _random(self, chunk: int) -> np.random.Generator:
        return np.random.default_rng((self.config.seed, self.step, chunk))

    def _encode(self, chunk: int, inputs: Inputs, *, keep: bool) -> tuple[Tensor, Tensor]:
        """The chunk's vectors; `keep` what learning from them needs. Twice the same dropout gives twice the same."""
        torch.manual_seed(int(self._random(chunk).integers(2**62)))
        with torch.set_grad_enabled(keep), self.accelerator.autocast():
            vectors, composed = self.model(inputs)
        return vectors, composed

    def _gather(self, batch: Batch, chunks: Sequence[Chunk], outputs: Sequence[tuple[Tensor, Tensor]]) -> Sides:
        """The vectors of all chunks of all processes in the order of the batch; gradients arrive at them."""
        rows, width = len(batch.is_self), self.config.network.width
        vectors = torch.zeros((2 * rows, 3, width), device=self.accelerator.device)
        composed = torch.zeros((rows, width), device=self.accelerator.device)
        has = torch.zeros((2 * rows, 2), device=self.accelerator.device)
        for (_, products, inputs), (made, made_composed) in zip(chunks, outputs, strict=True):
            vectors[products] = made.detach().float()
            composed[products[inputs.other_rows]] = made_composed.detach().float()
            has[products] = inputs.has.float()
        vectors, composed, has = (self.accelerator.reduce(part, "sum") for part in (vectors, composed, has))
        modes = torch.cat([has, has.amax(dim=1, keepdim=True)], dim=1) > 0
        return Sides(
            vectors[:rows].requires_grad_(),
            vectors[rows:].requires_grad_(),
            modes[:rows],
            modes[rows:],
            torch.from_numpy(batch.is_self).to(vectors.device),
            composed.requires_grad_(),
            torch.tensor(sorted(batch.words), dtype=torch.long, device=vectors.device),
        )

    def _gradients(self, sides: Sides, products: Tensor, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """What the losses want of a chunk's vectors."""
        first, second, composed = (
            torch.zeros_like(part) if part.grad is None else part.grad
            for part in (sides.first, sides.second, sides.composed)
        )
        return torch.cat([first, second])[products], composed[products[inputs.other_rows]]

    def _send_back(self, output: tuple[Tensor, Tensor], gradients: tuple[Tensor, Tensor]) -> None:
        wanted = [
            (made, grad.to(made.dtype)) for made, grad in zip(output, gradients, strict=True) if made.requires_grad
        ]
        torch.autograd.backward([made for made, _ in wanted], [grad for _, grad in wanted])

    def _learn(self) -> None:
        """One step of the optimiser with the gradients of all processes, and of the averaged weights."""
        parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if self.accelerator.num_processes > 1:
            for parameter in parameters:
                grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = self.accelerator.reduce(grad, "sum")
        nn.utils.clip_grad_norm_(parameters, self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for average, now in zip(self.averaged.parameters(), self.model.parameters(), strict=True):
                average.lerp_(now, 1 - decay)

    def _evaluate(self) -> dict[str, float]:
        """Figures of what is kept to choose by; the averaged weights with the best so far are in best.pt."""
        scores: dict[str, float] = {}
        if self.accelerator.is_main_process:
            scores = headline(self.averaged, self.corpus, self.tokenizer, self.config)
            mean = float(np.mean(list(scores.values()))) if scores else 0.0
            if not scores or mean > self.best:
                self.best = mean
                state = {"averaged": self.averaged.state_dict(), "step": self.step}
                checkpoints.save(self.out / checkpoints.BEST, self.config, state)
        self.accelerator.wait_for_everyone()
        return scores


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
