"""A file that somebody edits while it is watched."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.watching import WatchedFile
from tests.waiting import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "number"


@pytest.fixture
def watched(file: Path) -> Iterator[WatchedFile[int]]:
    watched = WatchedFile(file, lambda: int(file.read_text()), 0, name="number", every_s=0.01)
    watched.start()
    yield watched
    watched.close()


def test_follows_the_file_and_keeps_what_it_held(file: Path, watched: WatchedFile[int]) -> None:
    wait_until(lambda: watched.complaints() != [])
    assert watched.content == 0
    file.write_text("1")
    wait_until(lambda: watched.content == 1)
    assert watched.complaints() == []
    file.write_text("one")
    told = ["invalid literal for int() with base 10: 'one' What it held before still counts."]
    wait_until(lambda: watched.complaints() == told)  # the file may be seen empty before
    assert watched.content == 1
    file.write_text("2")
    wait_until(lambda: watched.content == 2)
    assert watched.complaints() == []


def test_sees_another_file_of_the_same_size_and_time(file: Path, watched: WatchedFile[int]) -> None:
    file.write_text("1")
    wait_until(lambda: watched.content == 1)
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    other = file.with_name("other")
    other.write_text("2")
    os.utime(other, ns=times)
    other.replace(file)
    wait_until(lambda: watched.content == 2)


def test_says_once_what_is_wrong_and_when_something_new_is_there(file: Path) -> None:
    watched = WatchedFile(file, lambda: int(file.read_text()), 0, name="number", every_s=10)
    with capture_logs() as logs:
        file.write_text("x")
        watched.look()
        watched.look()
        file.write_text("1")
        watched.look()
        watched.look()
    assert [(line["event"], line["what"]) for line in logs] == [("file_not_read", "number"), ("file_read", "number")]


def test_what_could_not_be_read_is_read_again_though_it_has_not_changed(file: Path) -> None:
    answers: Iterator[OSError | int] = iter([OSError("a disk hiccup"), 7])

    def read() -> int:
        answer = next(answers, 7)
        if isinstance(answer, OSError):
            raise answer
        return answer

    file.write_text("7")
    watched = WatchedFile(file, read, 0, name="number", every_s=0.01)
    watched.look()
    assert watched.content == 0
    watched.start()
    wait_until(lambda: watched.content == 7)
    watched.close()
