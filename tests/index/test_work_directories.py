"""Work directories beside others who sweep what killed processes left."""

import threading
from pathlib import Path

from index.work_directories import remove_leftovers, work_directory


def test_a_sweep_takes_no_directory_that_was_just_made(tmp_path: Path) -> None:
    ended = threading.Event()

    def sweep() -> None:
        while not ended.is_set():
            remove_leftovers(tmp_path, "s")

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(300):
            with work_directory(tmp_path, "s") as work:
                (work / "vectors").mkdir()
    finally:
        ended.set()
        sweeper.join()
    assert not [*tmp_path.iterdir()]
