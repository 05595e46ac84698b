"""The queue before an encoder: what holds for any jobs, and what a job may count on."""

import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from catalogue.errors import DeadlineExceeded, NotReady, Overloaded
from service.batching import Batcher
from service.deadlines import Deadline, under


class Slow:
    """Doubles numbers, once its gate is open; writes down what it was given."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.gate = threading.Event()
        self.batches: list[list[int]] = []
        self._writing = threading.Lock()
        if is_open:
            self.gate.set()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        with self._writing:
            self.batches.append(list(numbers))
        assert self.gate.wait(30)
        if 13 in numbers:
            raise RuntimeError("thirteen")
        return [2 * number for number in numbers]

    @property
    def done(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


@contextmanager
def batcher_of(
    work: Slow, *, max_batch: int = 4, max_waiting: int = 100, threads: int = 1, kinds: int = 1
) -> Iterator[Batcher[int, int]]:
    batcher = Batcher(
        "test", work, max_batch=max_batch, max_waiting=max_waiting, threads=threads, kind=lambda n: n % kinds
    )
    try:
        yield batcher
    finally:
        work.gate.set()
        batcher.close()


def taken(batcher: Batcher[int, int]) -> None:
    """Until a thread has taken what was waiting."""
    deadline = time.monotonic() + 30
    while batcher.waiting:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def first(batcher: Batcher[int, int], number: int = 0) -> Future[int]:
    """A job that keeps the thread busy at the gate."""
    done = batcher.submit(number)
    taken(batcher)
    return done


def test_an_idle_thread_begins_at_once_and_then_takes_what_has_gathered() -> None:
    work = Slow()
    with batcher_of(work) as batcher:
        jobs = [first(batcher)] + [batcher.submit(number) for number in range(1, 8)]
        work.gate.set()
        assert [job.result(30) for job in jobs] == [2 * number for number in range(8)]
    assert work.batches == [[0], [1, 2, 3, 4], [5, 6, 7]]


def test_a_batch_is_of_one_kind_and_the_oldest_comes_first() -> None:
    work = Slow()
    with batcher_of(work, kinds=2) as batcher:
        jobs = [first(batcher)] + [batcher.submit(number) for number in (1, 2, 3, 4, 5, 6, 8, 10, 12)]
        work.gate.set()
        wait(jobs, 30)
    assert work.batches == [[0], [1, 3, 5], [2, 4, 6, 8], [10, 12]]


def test_what_is_not_needed_yet_waits_for_company() -> None:
    work = Slow(is_open=True)
    with batcher_of(work, kinds=2) as batcher:
        patient = [batcher.submit(number, slack_s=60) for number in (2, 4, 1)]
        assert batcher.submit(6).result(30) == 12  # it takes along what fits it
        assert [job.result(30) for job in patient[:2]] == [4, 8]
        assert not patient[2].done()
        others = [batcher.submit(number, slack_s=60) for number in (3, 5, 7)]
        assert [job.result(30) for job in (patient[2], *others)] == [2, 6, 10, 14]  # company enough
        assert batcher.submit(9, slack_s=0.02).result(30) == 18
        last = batcher.submit(11, slack_s=60)
    assert last.result(0) == 22  # closing waits for nothing
    assert work.batches == [[6, 2, 4], [1, 3, 5, 7], [9], [11]]


def test_one_more_than_there_is_room_for_is_refused() -> None:
    work = Slow()
    with batcher_of(work, max_waiting=2) as batcher:
        jobs = [first(batcher)] + [batcher.submit(number) for number in (1, 2)]
        assert batcher.fullness == 1
        with pytest.raises(Overloaded) as refusal:
            batcher.submit(3)
        assert refusal.value.retry_after >= 1
        work.gate.set()
        assert [job.result(30) for job in jobs] == [0, 2, 4]


def test_who_leaves_makes_room_and_is_never_worked_for() -> None:
    work = Slow()
    with batcher_of(work, max_waiting=2) as batcher:
        stays = first(batcher)
        gone = [batcher.submit(number) for number in (1, 2)]
        assert all(job.cancel() for job in gone)
        assert batcher.waiting == 0
        late = batcher.submit(3)
        work.gate.set()
        assert (stays.result(30), late.result(30)) == (0, 6)
    assert work.done == [0, 3]


@pytest.mark.parametrize("number", [12, 13])
def test_what_it_took_is_known_before_the_outcome_is(number: int) -> None:
    """Who has the answer finds it in the metrics: also an answer that is an error."""

    def counted() -> float:
        return REGISTRY.get_sample_value("samestyle_stage_seconds_count", {"stage": "test"}) or 0.0

    work, told = Slow(), list[float]()
    with batcher_of(work) as batcher:
        before = counted()
        first(batcher, number).add_done_callback(lambda _: told.append(counted()))
        work.gate.set()
    assert told == [before + 1]


def test_what_would_come_too_late_is_refused_and_what_is_late_is_not_done() -> None:
    work = Slow()
    with batcher_of(work) as batcher:
        busy = first(batcher)
        with under(Deadline.after(0.01)):
            late = batcher.submit(1)
        time.sleep(0.02)
        with under(Deadline.after(-1)), pytest.raises(DeadlineExceeded):
            batcher.submit(2)
        work.gate.set()
        with pytest.raises(DeadlineExceeded):
            late.result(30)
        assert busy.result(30) == 0
    assert work.done == [0]


def test_the_wait_it_foretells_is_what_jobs_took() -> None:
    work = Slow()
    with batcher_of(work, max_batch=1) as batcher:
        assert batcher.wait_s == 0  # nothing is known yet, and nothing is ahead
        busy = first(batcher)
        time.sleep(0.05)
        work.gate.set()
        busy.result(30)
        work.gate.clear()
        jobs = [first(batcher)] + [batcher.submit(number) for number in range(1, 5)]
        assert batcher.wait_s >= 5 * 0.05
        with under(Deadline.after(0.1)), pytest.raises(Overloaded) as refusal:
            batcher.submit(6)
        assert refusal.value.retry_after >= 1
        work.gate.set()
        wait(jobs, 30)
        for number in range(14, 114):  # many quick ones make up for it
            batcher.submit(number).result(30)
        assert batcher.wait_s < 0.05


def test_a_fault_belongs_to_its_batch_and_the_thread_lives_on() -> None:
    work = Slow(is_open=True)
    with batcher_of(work) as batcher:
        with pytest.raises(RuntimeError, match="thirteen"):
            batcher.submit(13).result(30)
        assert batcher.submit(2).result(30) == 4


def test_closing_finishes_what_waits_and_takes_nothing_more() -> None:
    work = Slow()
    with batcher_of(work) as batcher, ThreadPoolExecutor(1) as pool:
        jobs = [first(batcher)] + [batcher.submit(number) for number in range(1, 4)]
        closing = pool.submit(batcher.close)
        deadline = time.monotonic() + 30
        while not batcher._closed:
            assert time.monotonic() < deadline
        with pytest.raises(NotReady):
            batcher.submit(4)
        work.gate.set()
        assert [job.result(30) for job in jobs] == [0, 2, 4, 6]
        closing.result(30)


@settings(max_examples=30, deadline=None)
@given(
    jobs=st.lists(st.sampled_from(["stays", "goes", "late", "fault"]), max_size=60),
    max_batch=st.integers(1, 8),
    threads=st.integers(1, 3),
    kinds=st.integers(1, 3),
    seed=st.integers(0, 1_000),
)
def test_every_job_has_one_answer_its_own(jobs: list[str], max_batch: int, threads: int, kinds: int, seed: int) -> None:
    """Whoever goes, is late or meets a fault: the others get what they would get alone, and nobody two answers."""
    chance = random.Random(seed)
    work = Slow(is_open=chance.random() < 0.5)
    with batcher_of(work, max_batch=max_batch, threads=threads, kinds=kinds) as batcher:
        answers: list[tuple[str, int, Future[int]]] = []
        for number, fate in enumerate(jobs, start=14):
            with under(Deadline.after(1e-4 if fate == "late" else 60)):
                try:
                    answers.append((fate, number, batcher.submit(13 if fate == "fault" else number)))
                except (Overloaded, DeadlineExceeded):
                    assert fate == "late"
        going = [job for fate, _, job in answers if fate == "goes"]
        chance.shuffle(going)
        for job in going:
            job.cancel()
        work.gate.set()
        wait([job for _, _, job in answers], 30)
        for fate, number, job in answers:
            assert job.done()
            try:
                assert job.result() == 2 * number
            except RuntimeError:
                assert "fault" in jobs
            except CancelledError:
                assert fate == "goes"
            except DeadlineExceeded:
                assert fate == "late"
    done = [number for number in work.done if number != 13]
    assert len(done) == len(set(done))
    assert all(len(batch) <= max_batch and len({number % kinds for number in batch}) == 1 for batch in work.batches)
    assert not batcher.waiting
    assert batcher.wait_s == 0
