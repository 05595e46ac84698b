"""Which index for how many products, and how hard it has to search for the recall asked for.

The rule: up to 50,000 products a scan answers in a millisecond or two, always right. Up to 20 million a graph (HNSW)
is fastest. Beyond, its links cost more memory than coarse codes in lists (IVF-PQ), re-scored from the stored vectors.
A recall of 1 is a scan, whatever the size.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from catalogue.errors import InvalidInput
from index.exact import FlatIndex
from index.search import ShardedIndex

IndexType = Literal["flat", "hnsw", "ivf-flat", "ivf-sq8", "ivf-pq"]

FLAT_UP_TO: Final = 50_000
GRAPH_UP_TO: Final = 20_000_000
DEFAULT_RECALL: Final = 0.99
K: Final = 10

_QUERIES: Final = 1_000
"""Half of them to tune on, half to measure what came of it."""
_HARDEST: Final = 0.999
"""The curve ends where next to nothing is left to gain."""
_LEAST_PQ_ROWS: Final = 1_000
_EFFORT: Final[Mapping[IndexType, str]] = {
    "hnsw": "ef_search", "ivf-flat": "nprobe", "ivf-sq8": "nprobe", "ivf-pq": "nprobe",
}  # fmt: skip
_RANGES: Final[Mapping[IndexType, Mapping[str, tuple[int, int]]]] = {
    "flat": {},
    "hnsw": {"m": (4, 128), "ef_construction": (8, 2_000), "ef_search": (1, 10_000)},
    "ivf-flat": {"nlist": (1, 1_000_000), "nprobe": (1, 1_000_000)},
    "ivf-sq8": {"nlist": (1, 1_000_000), "nprobe": (1, 1_000_000)},
    "ivf-pq": {"nlist": (1, 1_000_000), "nprobe": (1, 1_000_000), "pq_m": (1, 1_024), "refine": (1, 100)},
}


class CurvePoint(BaseModel):
    """One effort: the recall it gives, and its time as a share of a scan's."""

    model_config = ConfigDict(frozen=True)

    value: int = Field(ge=1)
    recall_at_10: float = Field(ge=0, le=1)
    relative_cost: float = Field(ge=0)


class Tuning(BaseModel):
    """How hard a field is searched, and why: `parameter` was set to the first value that reaches `target`.

    `recall_at_10` was measured on queries that had no part in choosing it. `target` is None for a value set by hand.
    """

    model_config = ConfigDict(frozen=True)

    parameter: str
    value: int = Field(ge=1)
    target: float | None = Field(default=None, gt=0, le=1)
    recall_at_10: float = Field(ge=0, le=1)
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What is asked for; what is left out is chosen."""

    recall: float = DEFAULT_RECALL
    index_type: str | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be built: `effort` is None where it is to be tuned for `recall`."""

    index_type: IndexType
    parameters: Mapping[str, int]
    effort: int | None
    recall: float


def check_choice(choice: Choice) -> None:
    """Raise InvalidInput for what no catalogue could be built with."""
    if not 0 < choice.recall <= 1:
        raise InvalidInput(f"A recall of {choice.recall:g} cannot be had. Give one above 0 and at most 1, as 0.99.")
    if choice.index_type is None:
        if choice.parameters:
            raise InvalidInput("Index parameters belong to an index type. Give --index-type with them.")
        return
    if choice.index_type not in _RANGES:
        raise InvalidInput(
            f"There is no index type {choice.index_type[:50]!r}; there are {', '.join(get_args(IndexType))}."
        )
    _check_ranges(choice.index_type, choice.parameters)  # type: ignore[arg-type]  # just checked


def check_parameters(kind: IndexType, parameters: Mapping[str, int]) -> None:
    """Raise InvalidInput unless `parameters` are all that an index of this type was built with."""
    _check_ranges(kind, parameters)
    if missing := _RANGES[kind].keys() - parameters.keys() - {_EFFORT.get(kind)}:
        raise InvalidInput(f"Index type {kind} lacks the parameter {', '.join(sorted(missing))}.")


def make_plan(rows: int, dim: int, shards: int, choice: Choice) -> Plan:
    """Type and parameters for so many products; raises InvalidInput for a choice that does not fit them."""
    check_choice(choice)
    if rows == 0:
        return Plan("flat", {}, None, choice.recall)
    kind = _type_for(rows, choice)
    parameters = {**_defaults(kind, max(1, rows // shards), dim), **choice.parameters}
    effort = parameters.pop(_EFFORT[kind], None) if kind in _EFFORT else None
    if kind.startswith("ivf"):
        _check_lists(kind, parameters, effort, rows, dim)
    return Plan(kind, parameters, effort, choice.recall)


def choice_behind(
    rows: int, dim: int, shards: int, kind: IndexType, parameters: Mapping[str, int], tuning: Tuning | None
) -> Choice:
    """What an index was asked to be: of its type and parameters what the rule would not have chosen for its size.

    What it would have, it may choose anew for another size.
    """
    asked = tuning.target if tuning is not None and tuning.target is not None else DEFAULT_RECALL
    usual = _defaults(kind, max(1, rows // shards), dim)
    own = {name: value for name, value in parameters.items() if usual.get(name) != value}
    if tuning is not None and tuning.target is None:
        own[tuning.parameter] = tuning.value
    return Choice(asked, kind if own or kind != _type_for(rows, Choice(asked)) else None, own)


def tune(index: ShardedIndex, flat: FlatIndex, plan: Plan) -> Tuning:
    """The least effort that reaches the plan's recall, on one half of held-out queries; its recall on the other.

    Where none reaches it, the greatest.
    """
    if not len(index.vectors):
        return Tuning(parameter=_EFFORT[plan.index_type], value=1, recall_at_10=1.0)
    queries = held_out(index.vectors, _QUERIES)
    truth, scan = _timed(lambda query: flat.search(query, K).scores, queries)
    half = len(queries) // 2

    def point(value: int) -> tuple[CurvePoint, float]:
        harder = index.with_effort(value)
        found, seconds = _timed(lambda query: harder.search(query, K).scores, queries)
        hits = [recall(*pair) for pair in zip(found, truth, strict=True)]
        tuning, held = float(np.mean(hits[:half])), float(np.mean(hits[half:]))
        return CurvePoint(value=value, recall_at_10=tuning, relative_cost=round(seconds / scan, 4)), held

    name = _EFFORT[plan.index_type]
    if plan.effort is not None:
        only, held = point(plan.effort)
        return Tuning(parameter=name, value=plan.effort, recall_at_10=held, curve=(only,))
    curve: list[tuple[CurvePoint, float]] = []
    for value in _ladder(max(shard.hardest for shard in index.shards)):
        curve.append(point(value))
        if curve[-1][0].recall_at_10 >= max(_HARDEST, plan.recall):
            break
    reaching = [reached for reached in curve if reached[0].recall_at_10 >= plan.recall]
    chosen, held = (reaching or curve[-1:])[0]
    return Tuning(
        parameter=name,
        value=chosen.value,
        target=plan.recall,
        recall_at_10=held,
        curve=tuple(measured for measured, _ in curve),
    )


def held_out(vectors: NDArray[np.float16], count: int) -> NDArray[np.float32]:
    """Queries such as new products are, none of them stored: unit float32 [count, dim].

    Each lies midway between one of `count` stored vectors and the one of them nearest to it: between two things that a
    small shop would call alike. With photos of other products, a graph of a million needs the effort that it needs for
    these; mixes of any two vectors need a quarter of it, and so do stored vectors with noise.
    """
    random = np.random.default_rng(7)
    rows = np.sort(random.permutation(len(vectors))[:count])
    sample = vectors[rows].astype(np.float32)
    scores = sample @ sample.T
    np.fill_diagonal(scores, -np.inf)
    middles = sample + sample[scores.argmax(axis=1)]
    unit: NDArray[np.float32] = middles / np.linalg.norm(middles, axis=1, keepdims=True).clip(1e-12)
    return unit.take(random.permutation(np.arange(count) % len(unit)), axis=0)  # where there are fewer, some come again


def recall(found: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """The share of the true neighbours that were found, by score: of equal ones any will do."""
    if not len(truth):
        return 1.0
    return min(1.0, float(np.count_nonzero(found >= truth[-1] - 1e-6)) / len(truth))


def _check_ranges(kind: IndexType, parameters: Mapping[str, int]) -> None:
    known = _RANGES[kind]
    for name, value in parameters.items():
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise InvalidInput(f"Index type {kind} has no parameter {name[:50]!r}; {has}.")
        least, most = known[name]
        if not least <= value <= most:
            raise InvalidInput(f"Index parameter {name} is {value}; it must be between {least} and {most}.")


def _type_for(rows: int, choice: Choice) -> IndexType:
    if choice.index_type is not None:
        return choice.index_type  # type: ignore[return-value]  # checked by check_choice
    if rows <= FLAT_UP_TO or choice.recall == 1:
        return "flat"
    return "hnsw" if rows <= GRAPH_UP_TO else "ivf-pq"


def _defaults(kind: IndexType, rows: int, dim: int) -> dict[str, int]:
    """`rows` is those of one shard."""
    if kind == "flat":
        return {}
    if kind == "hnsw":
        return {"m": 32, "ef_construction": 200}
    lists = {"nlist": max(1, min(int(4 * rows**0.5), rows // 40))}  # fewer rows a list make poor centroids
    if kind == "ivf-pq":
        lists |= {"pq_m": max(size for size in range(1, max(1, dim // 2) + 1) if dim % size == 0), "refine": 10}
    return lists


def _check_lists(kind: IndexType, parameters: Mapping[str, int], effort: int | None, rows: int, dim: int) -> None:
    nlist = parameters["nlist"]
    if nlist > rows:
        raise InvalidInput(f"Index parameter nlist is {nlist}, but there are only {rows} products. Give a smaller one.")
    if effort is not None and effort > nlist:
        raise InvalidInput(f"Index parameter nprobe is {effort}, but there are only {nlist} lists (nlist).")
    if kind == "ivf-pq" and dim % parameters["pq_m"]:
        raise InvalidInput(f"Index parameter pq_m is {parameters['pq_m']}; it must divide the {dim} dimensions.")
    if kind == "ivf-pq" and rows < _LEAST_PQ_ROWS:
        raise InvalidInput(
            f"Index type ivf-pq needs at least {_LEAST_PQ_ROWS:,} products, there are {rows:,}. Use --index-type flat."
        )


def _ladder(most: int) -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 12, ... and the last one."""
    value = 1
    while value < most:
        yield value
        step = 1 << (value.bit_length() - 1)
        value = value + max(1, step // 2)
    yield most


def _timed(
    search: Callable[[NDArray[np.float32]], NDArray[np.float32]], queries: NDArray[np.float32]
) -> tuple[list[NDArray[np.float32]], float]:
    """The scores of each query's answer, and the seconds for all."""
    started = time.perf_counter()
    found = [search(query) for query in queries]
    return found, max(time.perf_counter() - started, 1e-9)
