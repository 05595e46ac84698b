"""A process that writes to a journal and says on its standard output what was acknowledged.

    python -m tests.index.journal_writer once PATH BATCHES
    python -m tests.index.journal_writer again PATH
    python -m tests.index.journal_writer full PATH LARGEST

It begins when it is told to by a line. A batch holds three changes of one name; its line names them and their
positions. `again` forks a process for each line, which says its id first and writes until it is killed; then `ended`
is said. `full` bounds every file in bytes, as a full disk would, until another line comes in.
"""

import os
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from catalogue.errors import JournalUnavailable
from index.journal import Journal
from index.journal_entries import Change
from tests.index.builders import item
from tests.index.changes import upsert

PER_BATCH = 3


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # one write: lines of threads do not mix
    sys.stdout.flush()


def write(journal: Journal, writer: int, batches: int) -> None:
    for batch in range(batches):
        name = f"{journal.head()}-{writer}-{batch}"
        positions = journal.append([upsert(f"{name}-{part}", part, title=name) for part in range(PER_BATCH)])
        say(f"{name} {' '.join(map(str, positions))}")


def write_for_ever(path: Path, threads: int = 4) -> None:
    with Journal.open(path) as journal, ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(write, journal, writer, 1_000_000) for writer in range(threads)]:
            done.result()


def write_again_and_again(path: Path) -> None:
    """A process takes a second to start and a millisecond to fork."""
    for _ in sys.stdin:
        if (pid := os.fork()) == 0:
            say(f"{os.getpid()}")
            write_for_ever(path)
        os.waitpid(pid, 0)
        say("ended")


def write_until_full(path: Path, largest: int) -> None:
    """Say what was acknowledged, `full`, and after a line and with room again, what is acknowledged then."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    large = [Change.upsert(item(f"p{part}", description="y" * 50_000), {}) for part in range(PER_BATCH)]
    with Journal.open(path) as journal:
        try:
            while True:
                say(" ".join(map(str, journal.append(large))))
        except JournalUnavailable as error:
            say(f"full {error}")
        sys.stdin.readline()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        say(" ".join(map(str, journal.append(large))))


def main() -> None:
    how, path = sys.argv[1], Path(sys.argv[2])
    say("ready")
    if how == "again":
        write_again_and_again(path)
        return
    sys.stdin.readline()
    if how == "full":
        write_until_full(path, int(sys.argv[3]))
    else:
        with Journal.open(path) as journal:
            write(journal, 0, int(sys.argv[3]))


if __name__ == "__main__":
    main()
