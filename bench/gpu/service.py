"""The gateway on a GPU: rising load, and snapshots exchanged under it."""

import asyncio
import time
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from typing import Final

from bench import swap
from bench.gateway.queries import Kind, Source
from bench.gpu.report import Report, Setting
from bench.load import Answer, Connection, Request, closed_loop, open_loop, open_loop_for, percentiles_ms, rate
from bench.process import Gateway, serving
from service.gpu_metrics import Nvml

PORT: Final = 18_437
_LOADS: Final = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Of what it answers when as much as possible is asked."""
_CLIENTS: Final = 32
_LOOK_S: Final = 0.05
_KINDS: Final[tuple[Kind, ...]] = ("text", "image")


def service(setting: Setting, report: Report) -> None:
    """A made-up catalogue of `rows` products, with the default bundle and the index on the device."""
    data = setting.work / f"swap-{setting.rows}"
    swap.prepare(data, setting.rows)
    on = setting.device
    with serving(data, PORT, DEVICE=on, INDEX__DEVICE=on, INDEX__GPUS=str(setting.gpus)) as gateway:
        source = Source()
        for kind in _KINDS:
            asyncio.run(_rising(kind, source.requests(kind), setting, report))
        both = (next(requests) for requests in cycle([source.requests(kind) for kind in _KINDS]))
        asyncio.run(_swaps(gateway, both, setting, report))


async def _rising(kind: Kind, requests: Iterator[Request], setting: Setting, report: Report) -> None:
    seconds = 1.0 if setting.tiny else 8.0
    await closed_loop(PORT, requests, clients=_CLIENTS, seconds=seconds)  # warm
    capacity = rate(await closed_loop(PORT, requests, clients=_CLIENTS, seconds=seconds))
    for load in _LOADS[:: 3 if setting.tiny else 1]:
        answers = await open_loop_for(PORT, requests, rate=load * capacity, seconds=seconds)
        p50, p99 = _of_those_answered(answers)
        report.row(
            "HTTP at rising load",
            query=kind,
            load=load,
            asked_per_s=load * capacity,
            goodput_per_s=rate(answers),
            p50_ms=p50,
            p99_ms=p99,
            refused=sum(answer.status == 429 for answer in answers),
            failed=_failed(answers),
        )


async def _swaps(gateway: Gateway, requests: Iterator[Request], setting: Setting, report: Report) -> None:
    calm_s, count = (1.0, 2) if setting.tiny else (10.0, 6)
    capacity = rate(await closed_loop(PORT, requests, clients=_CLIENTS, seconds=calm_s))
    stop = asyncio.Event()
    load = asyncio.create_task(open_loop(PORT, requests, rate=capacity / 2, stop=stop))
    await asyncio.sleep(calm_s)
    before, on_device, swapping_from = gateway.memory_mb()["private"], device_mb(), time.perf_counter()
    connection, took, swapped = Connection(PORT), [], asyncio.Event()
    most = asyncio.create_task(most_device_mb(swapped))
    for number in range(count):
        started = time.perf_counter()
        asked = {"snapshot": swap.NAMES[number % 2]}
        status, body = await connection.request("PUT", "/admin/v1/aliases/live?wait=600", asked)
        if status != 200:
            raise RuntimeError(f"the swap was answered {status}: {body.decode()}")
        took.append(time.perf_counter() - started)
    connection.close()
    swapped.set()
    until = time.perf_counter()
    await asyncio.sleep(calm_s)
    stop.set()
    answers = await load
    calm = _of_those_answered([answer for answer in answers if answer.due < swapping_from])
    during = _of_those_answered([answer for answer in answers if swapping_from <= answer.due <= until])
    report.row(
        "hot swaps at half load",
        swaps=count,
        longest_s=max(took),
        requests=len(answers),
        failed=_failed(answers) + sum(answer.status == 429 for answer in answers),
        steady_p99_ms=calm[1],
        swapping_p99_ms=during[1],
        private_MB_before=before,
        after=gateway.memory_mb()["private"],
        device_MB_before=on_device,
        most=await most,
        at_the_end=device_mb(),
    )


def device_mb() -> float:
    """What all programs take of the GPUs' memory; not a number where there is none."""
    states = nvml.states() if (nvml := _nvml()) is not None else []
    return sum(state.used for state in states) / 1e6 if states else float("nan")


async def most_device_mb(until: asyncio.Event) -> float:
    """The most of it that is seen until then: old and new are there in the middle of a swap."""
    most = device_mb()
    while not until.is_set():
        await asyncio.sleep(_LOOK_S)
        most = max(most, device_mb())
    return most


@cache
def _nvml() -> Nvml | None:
    """Asked from inside: a program started for it would keep the requests waiting that are timed meanwhile."""
    try:
        return Nvml()
    except OSError:
        return None


def _of_those_answered(answers: list[Answer]) -> list[float]:
    return percentiles_ms([answer.seconds for answer in answers if answer.status == 200], 50, 99)


def _failed(answers: list[Answer]) -> int:
    return sum(answer.status not in (200, 429) for answer in answers)
