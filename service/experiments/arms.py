"""Experiments: which aliases are shown against each other, to which share of the users.

`<data>/experiments.json` is what should run. Gateways look at it once a second, so nothing is restarted; a file that
cannot be read changes nothing. One experiment runs at a time. Who sees which arm is a hash of the user and the
experiment: the same on every gateway, for as long as it runs, and unrelated to the one before.
"""

import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from catalogue.errors import Conflict, ExperimentsInvalid, InvalidInput, NotFound
from catalogue.files import lock_file, write_atomic
from catalogue.versioned import first_reason, parse
from index.aliases import AliasName
from service.watching import WatchedFile

FILE: Final = "experiments.json"
SCHEMA_VERSION: Final = 1
MAX_KEPT: Final = 15
"""As many as the four bits of a request id can tell apart; 0 is none."""
MAX_ARMS: Final = 8
_MAX_BYTES: Final = 100_000
_GRACE_MS: Final = 120_000
"""Gateways may see a start or a stop a little later, and clocks differ."""
_NAME: Final = "[A-Za-z0-9_.-]{1,64}"
Weight = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of an experiment: an alias; `code` stands for it in request ids."""

    experiment: str
    name: str
    code: int


class Experiment(BaseModel):
    """Aliases with weights; the first one is what the others are compared with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
    number: int = Field(ge=1, le=MAX_KEPT)
    salt: str = Field(min_length=8, max_length=64)
    arms: dict[AliasName, Weight] = Field(min_length=2, max_length=MAX_ARMS)
    started_at: AwareDatetime
    stopped_at: AwareDatetime | None = None

    @property
    def control(self) -> str:
        """What the others are compared with."""
        return next(iter(self.arms))

    @property
    def shares(self) -> Mapping[str, float]:
        """The share of the users that each arm should have."""
        total = sum(self.arms.values())
        return {name: weight / total for name, weight in self.arms.items()}

    def arm_of(self, user_id: str) -> Arm:
        """What a user sees."""
        digest = hashlib.blake2b(f"{self.salt}\0{user_id}".encode(), digest_size=8).digest()
        at = int.from_bytes(digest, "big") / 2**64
        name = self.control
        for name, share in self.shares.items():  # noqa: B007  # the last one takes what rounding leaves
            at -= share
            if at < 0:
                break
        return self.arm(name)

    def arm(self, name: str) -> Arm:
        """An arm by its alias."""
        return Arm(self.name, name, self.number << 4 | list(self.arms).index(name) + 1)

    def ran_at(self, at_ms: int) -> bool:
        """Whether it ran then, or so nearly that a gateway may have thought so."""
        begun = self.started_at.timestamp() * 1000 - _GRACE_MS <= at_ms
        return begun and (self.stopped_at is None or at_ms <= self.stopped_at.timestamp() * 1000 + _GRACE_MS)


class ExperimentTable(BaseModel):
    """`experiments.json`: the newest last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(default=SCHEMA_VERSION, ge=1, le=SCHEMA_VERSION)
    experiments: tuple[Experiment, ...] = Field(default=(), max_length=MAX_KEPT)

    @property
    def running(self) -> Experiment | None:
        """The one that runs."""
        last = self.experiments[-1] if self.experiments else None
        return last if last is not None and last.stopped_at is None else None

    def get(self, name: str | None) -> Experiment:
        """An experiment by name, or the last one; raises NotFound."""
        for experiment in reversed(self.experiments):
            if name in {None, experiment.name}:
                return experiment
        known = ", ".join(experiment.name for experiment in self.experiments)
        raise NotFound(
            f"There is no experiment {name}. There are: {known}."
            if known
            else "There is no experiment. `samestyle experiment start NAME --arm live=1 --arm next=1` begins one."
        )

    def arm_of(self, code: int, at_ms: int) -> Arm | None:
        """The arm that a request id of some moment names; None where it names none that is known."""
        for experiment in self.experiments:
            if experiment.number == code >> 4 and experiment.ran_at(at_ms) and 0 < code & 15 <= len(experiment.arms):
                return experiment.arm(list(experiment.arms)[(code & 15) - 1])
        return None


def read_experiments(data: Path) -> ExperimentTable:
    """The experiments of a data directory, none where there is no file; raises ExperimentsInvalid."""
    path = data / FILE
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return ExperimentTable()
    except OSError as error:
        raise ExperimentsInvalid(f"{path} cannot be read: {error.strerror}.") from None
    if len(text) > _MAX_BYTES:
        raise ExperimentsInvalid(f"{path} is over {_MAX_BYTES:,} bytes.")
    return parse(ExperimentTable, text, SCHEMA_VERSION, path, ExperimentsInvalid, "Correct it, or remove it.")


def start(data: Path, name: str, arms: Mapping[str, float]) -> Experiment:
    """Begin one; raises Conflict while one runs or for a name that was taken, InvalidInput, ExperimentsInvalid."""
    if not re.fullmatch(_NAME, name):
        raise InvalidInput(f"{name[:100]!r} cannot name an experiment: use up to 64 letters, digits, dots, dashes.")
    if len(arms) < 2:
        raise InvalidInput("An experiment compares at least two arms, as in `--arm live=1 --arm next=1`.")
    with _locked(data) as table:
        if table.running is not None:
            raise Conflict(f"Experiment {table.running.name} runs. Stop it first: `samestyle experiment stop`.")
        if any(name == experiment.name for experiment in table.experiments):
            raise Conflict(
                f"There was an experiment {name} before. Choose another name, so that their users do not mix."
            )
        number = table.experiments[-1].number % MAX_KEPT + 1 if table.experiments else 1
        try:
            begun = Experiment(
                name=name, number=number, salt=secrets.token_hex(8), arms=dict(arms), started_at=datetime.now(UTC)
            )
        except ValidationError as error:
            raise InvalidInput(f"{first_reason(error)}.") from None
        _write(data, (*table.experiments, begun)[-MAX_KEPT:])
    return begun


def stop(data: Path) -> Experiment:
    """End the one that runs; raises NotFound, ExperimentsInvalid."""
    with _locked(data) as table:
        running = table.running
        if running is None:
            raise NotFound("No experiment runs.")
        ended = running.model_copy(update={"stopped_at": datetime.now(UTC)})
        _write(data, (*table.experiments[:-1], ended))
    return ended


@contextmanager
def _locked(data: Path) -> Iterator[ExperimentTable]:
    """The experiments, which nobody else on this host changes meanwhile."""
    with lock_file(data / f".{FILE}.lock"):  # held for the time of a small write
        yield read_experiments(data)


def _write(data: Path, experiments: tuple[Experiment, ...]) -> None:
    table = ExperimentTable(experiments=experiments)
    write_atomic(data / FILE, table.model_dump_json(indent=2).encode() + b"\n")


class Experiments(WatchedFile[ExperimentTable]):
    """The experiments that count now: those of the file when it was last readable."""

    def __init__(self, data: Path, *, watch_s: float) -> None:
        read = partial(read_experiments, data)
        super().__init__(data / FILE, read, ExperimentTable(), name="experiments", every_s=watch_s)
        self.look()

    def arm_for(self, user_id: str | None) -> Arm | None:
        """What a user sees; None where no experiment runs, and for a request that does not say whose it is."""
        running = self.content.running
        return running.arm_of(user_id) if running is not None and user_id is not None else None
