import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from catalogue.errors import Conflict, DeadlineExceeded, JournalUnavailable, Overloaded
from index import group_commit as module
from index.group_commit import GroupCommit


class Disk:
    """Commits into a list, one group at a time, while its gate is open."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.fails = False

    def commit(self, rows: Sequence[str]) -> int:
        self.entered.set()
        assert self.gate.wait(10)
        if self.fails:
            raise JournalUnavailable("the disk is full")
        if "stale" in rows:
            raise Conflict("somebody was faster")
        first = 1 + sum(map(len, self.groups))
        self.groups.append(list(rows))
        return first


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def queue(disk: Disk) -> Iterator[GroupCommit[str]]:
    queue = GroupCommit(disk.commit, deadline_s=10)
    yield queue
    disk.gate.set()
    queue.close()


def busy(queue: GroupCommit[str], disk: Disk) -> None:
    """The writer is in the middle of a commit, so that what comes next waits."""
    queue.submit(["first"], 1)
    assert disk.entered.wait(10)


def test_what_gathers_during_a_commit_goes_into_the_next_together(queue: GroupCommit[str], disk: Disk) -> None:
    busy(queue, disk)
    done = [queue.submit([f"{name}1", f"{name}2"], 2) for name in "abc"]
    disk.gate.set()
    assert [future.result(10) for future in done] == [[2, 3], [4, 5], [6, 7]]
    assert disk.groups == [["first"], ["a1", "a2", "b1", "b2", "c1", "c2"]]


@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_BYTES"])
def test_a_commit_is_bounded(queue: GroupCommit[str], disk: Disk, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(module, limit, 4)
    busy(queue, disk)
    done = [queue.submit([name] * size, size) for name, size in (("a", 2), ("b", 2), ("c", 1), ("d", 9), ("e", 3))]
    disk.gate.set()
    for future in done:
        future.result(10)
    assert [len(group) for group in disk.groups] == [1, 4, 1, 9, 3]  # one that is too large goes alone


def test_too_many_waiting_are_refused(queue: GroupCommit[str], disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 2)
    busy(queue, disk)
    done = [queue.submit(["a"], 1), queue.submit(["b"], 1)]
    with pytest.raises(Overloaded):
        queue.submit(["c"], 1)
    disk.gate.set()
    assert [future.result(10) for future in done] == [[2], [3]]
    assert queue.submit(["c"], 1).result(10) == [4]


def test_too_many_bytes_waiting_are_refused(
    queue: GroupCommit[str], disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 10)
    busy(queue, disk)
    done = queue.submit(["a"], 8)
    with pytest.raises(Overloaded):
        queue.submit(["b"], 3)
    disk.gate.set()
    assert done.result(10) == [2]
    assert queue.submit(["b"], 10).result(10) == [3]


def test_what_waited_too_long_is_not_written(disk: Disk) -> None:
    queue = GroupCommit(disk.commit, deadline_s=0)
    late = queue.submit(["a"], 1)
    disk.gate.set()
    with pytest.raises(DeadlineExceeded, match="nothing of it was"):
        late.result(10)
    queue.close()
    assert disk.groups == []


def test_what_was_cancelled_is_not_written(queue: GroupCommit[str], disk: Disk) -> None:
    busy(queue, disk)
    gone, stays = queue.submit(["gone"], 1), queue.submit(["stays"], 1)
    assert gone.cancel()
    disk.gate.set()
    assert stays.result(10) == [2]
    assert disk.groups == [["first"], ["stays"]]
    with pytest.raises(CancelledError):
        gone.result(10)


def test_a_failed_commit_fails_its_callers_and_no_others(queue: GroupCommit[str], disk: Disk) -> None:
    disk.fails = True
    disk.gate.set()
    with pytest.raises(JournalUnavailable, match="the disk is full"):
        queue.submit(["a"], 1).result(10)
    disk.fails = False
    assert queue.submit(["b"], 1).result(10) == [1]


def test_closing_commits_what_waits_and_takes_no_more(queue: GroupCommit[str], disk: Disk) -> None:
    busy(queue, disk)
    done = queue.submit(["a"], 1)
    closing = threading.Thread(target=queue.close)
    closing.start()
    disk.gate.set()
    closing.join(10)
    assert done.result(0) == [2]
    with pytest.raises(JournalUnavailable, match="shutting down"):
        queue.submit(["b"], 1)


def test_one_that_must_not_be_written_stops_no_others(queue: GroupCommit[str], disk: Disk) -> None:
    busy(queue, disk)
    done = [queue.submit(rows, 1) for rows in (["a1", "a2"], ["b", "stale"], ["c"])]
    disk.gate.set()
    assert (done[0].result(10), done[2].result(10)) == ([2, 3], [4])
    with pytest.raises(Conflict, match="faster"):
        done[1].result(10)
    assert disk.groups == [["first"], ["a1", "a2"], ["c"]]


# On the caller's own thread.


def test_an_idle_queue_lets_a_caller_commit_by_itself(queue: GroupCommit[str], disk: Disk) -> None:
    disk.gate.set()
    assert queue.try_now(["a", "b"]) == [1, 2]
    disk.fails = True
    with pytest.raises(JournalUnavailable, match="the disk is full"):
        queue.try_now(["c"])
    disk.fails = False
    assert queue.try_now(["d"]) == [3]
    assert queue.submit(["e"], 1).result(10) == [4]


def test_a_busy_or_closed_one_does_not(queue: GroupCommit[str], disk: Disk) -> None:
    busy(queue, disk)
    assert queue.try_now(["a"]) is None
    disk.gate.set()
    queue.close()
    assert queue.try_now(["a"]) is None
    assert disk.groups == [["first"]]


def test_what_gathers_meanwhile_is_committed_by_the_thread(queue: GroupCommit[str], disk: Disk) -> None:
    with ThreadPoolExecutor(1) as pool:
        own = pool.submit(queue.try_now, ["own"])
        assert disk.entered.wait(10)
        done = [queue.submit([name], 1) for name in "ab"]
        assert queue.try_now(["c"]) is None
        disk.gate.set()
        assert own.result(10) == [1]
    assert [future.result(10) for future in done] == [[2], [3]]
    assert disk.groups == [["own"], ["a", "b"]]


def test_closing_waits_for_it(queue: GroupCommit[str], disk: Disk) -> None:
    with ThreadPoolExecutor(2) as pool:
        own = pool.submit(queue.try_now, ["own"])
        assert disk.entered.wait(10)
        closing = pool.submit(queue.close)
        with pytest.raises(TimeoutError):
            closing.result(0.05)
        disk.gate.set()
        closing.result(10)
        assert own.done()
