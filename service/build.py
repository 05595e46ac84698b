"""`samestyle build`: a catalogue becomes a snapshot.

Photos are read, stored and decoded in a pool while the encoder works on what is ready. Vectors are kept on disk as
they come, under a hash of what they were made from, so that a build that was interrupted goes on where it was.
"""

import hashlib
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
import orjson
from numpy.typing import NDArray

from catalogue.errors import CatalogueInvalid, InvalidInput
from catalogue.files import try_lock, write_atomic
from catalogue.photos import PhotoStore
from catalogue.readers import CatalogueRow, RowProblem, check_catalogue, read_catalogue
from index import IndexedProduct, write_snapshot
from index.checksums import remember
from index.manifest import read_manifest, snapshot_path
from index.plan import Choice, check_choice
from index.products import to_table
from index.work_directories import remove_leftovers
from models import Embedder, Prepared, ProductInput
from service.build_notes import notes
from service.models import same_from

BATCH: Final = 32
IN_FLIGHT: Final = 4 * BATCH
"""Rows read and decoded ahead of the encoder: bounds memory to about 20 MB of pixels."""
CHECKPOINT_S: Final = 10.0
DEFAULT_CHOICE: Final = Choice()


Progress = Callable[[int], None]
"""Called with how many more rows of the catalogue are done, well or badly."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build made; `problems` are written to `report` as JSON Lines."""

    snapshot: Path
    report: Path
    products: int
    errors: int
    warnings: int
    notes: list[str]
    """What to look at first, for people."""
    reused: int
    seconds: float
    index_type: str
    recall_at_10: float


@dataclass(frozen=True, slots=True)
class _Ready:
    """A row whose photo is stored and decoded; `prepared` is None where the vector is known already."""

    line: int
    item: IndexedProduct
    key: bytes
    prepared: Prepared | None
    problem: RowProblem | None = None


class _VectorFiles:
    """Vectors of an unfinished build by content key, appended as one small file every few seconds."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder / fingerprint[:16]
        self._known: dict[bytes, NDArray[np.float32]] = {}
        self._new: list[bytes] = []
        self._saved_at = time.monotonic()
        self._files = 0
        for path in sorted(self._folder.glob("*.npz")):
            self._known |= _read_vectors(path)
            self._files = int(path.stem) + 1
        self.reused = len(self._known)

    def __contains__(self, key: bytes) -> bool:
        return key in self._known

    def __getitem__(self, key: bytes) -> NDArray[np.float32]:
        return self._known[key]

    def add(self, key: bytes, vector: NDArray[np.float32]) -> None:
        """Remember a vector, and from time to time write the new ones down."""
        self._known[key] = vector
        self._new.append(key)
        if time.monotonic() - self._saved_at > CHECKPOINT_S:
            self.save()

    def save(self) -> None:
        """Write down what is new."""
        if self._new:
            part = BytesIO()
            keys = np.frombuffer(b"".join(self._new), np.uint8).reshape(len(self._new), -1)
            np.savez(part, keys=keys, vectors=np.stack([self._known[key] for key in self._new]))
            write_atomic(self._folder / f"{self._files:06d}.npz", part.getvalue())
            self._files += 1
        self._new = []
        self._saved_at = time.monotonic()

    def discard(self) -> None:
        """The build is finished; its vectors are in the snapshot."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)


def _read_vectors(path: Path) -> dict[bytes, NDArray[np.float32]]:
    """Vectors by content key; none from a file that is damaged: they are cheaper made again than explained."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as part:
            return {key.tobytes(): vector for key, vector in zip(part["keys"], part["vectors"], strict=True)}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        path.unlink(missing_ok=True)
        return {}


@dataclass
class _Build:
    embedder: Embedder
    photos: PhotoStore
    folder: Path
    vectors: _VectorFiles
    items: list[IndexedProduct] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def run(self, rows: Iterator[CatalogueRow | RowProblem], threads: int, progress: Progress) -> None:
        """Rows to vectors: at most `IN_FLIGHT` rows are between the reader and the encoder."""
        waiting: deque[Future[_Ready | RowProblem]] = deque()
        with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
            try:
                while True:
                    for row in islice(self._usable(rows, progress), IN_FLIGHT - len(waiting)):
                        waiting.append(pool.submit(self._prepare, row))
                    if not waiting:
                        break
                    batch = [waiting.popleft().result() for _ in range(min(BATCH, len(waiting)))]
                    self._encode([ready for ready in batch if isinstance(ready, _Ready)])
                    self.problems += [ready for ready in batch if isinstance(ready, RowProblem)]
                    progress(len(batch))
            finally:
                pool.shutdown(cancel_futures=True)
                self.vectors.save()

    def _usable(self, rows: Iterator[CatalogueRow | RowProblem], progress: Progress) -> Iterator[CatalogueRow]:
        for row in rows:
            if isinstance(row, RowProblem):
                self.problems.append(row)
                progress(1 if row.severity == "error" else 0)
            elif row.product.product_id in self.seen:
                reason = "this product_id stands in an earlier row, which was kept"
                self.problems.append(RowProblem(row.line, row.product.product_id, "error", reason))
                progress(1)
            else:
                self.seen.add(row.product.product_id)
                yield row

    def _prepare(self, row: CatalogueRow) -> _Ready | RowProblem:
        """On a pool thread: read, check, store and decode."""
        text = self.embedder.product_text(row.product) or None
        try:
            return self._ready(row, row.main_photo(self.folder), text)
        except InvalidInput as error:
            reason = str(error)
        if text is None or not row.product.images:
            return RowProblem(row.line, row.product.product_id, "error", reason)
        try:
            problem = RowProblem(row.line, row.product.product_id, "warning", f"photo left out: {reason}")
            return self._ready(row, None, text, problem)
        except InvalidInput as error:
            return RowProblem(row.line, row.product.product_id, "error", str(error))

    def _ready(
        self, row: CatalogueRow, photo: bytes | None, text: str | None, problem: RowProblem | None = None
    ) -> _Ready:
        key = hashlib.sha256((text or "").encode() + b"\0" + hashlib.sha256(photo or b"").digest()).digest()
        prepared = None if key in self.vectors else self.embedder.prepare(ProductInput(photo, text))
        digest = self.photos.put(photo) if photo is not None else None
        return _Ready(row.line, IndexedProduct(product=row.product, photo=digest), key, prepared, problem)

    def _encode(self, batch: list[_Ready]) -> None:
        new = [(ready.key, ready.prepared) for ready in batch if ready.prepared is not None]
        for (key, _), vector in zip(new, self.embedder.encode([item for _, item in new]), strict=True):
            self.vectors.add(key, vector)
        for ready in batch:
            self.items.append(ready.item)
            self.keys.append(ready.key)
            if ready.problem is not None:
                self.problems.append(ready.problem)


def check(catalogue: Path, data: Path, name: str, choice: Choice = DEFAULT_CHOICE) -> None:
    """Raise what `build` would raise about its arguments, before anything is loaded for it."""
    check_choice(choice)
    target = snapshot_path(data / "snapshots", name)
    check_catalogue(catalogue)
    if target.exists():
        raise InvalidInput(f"A snapshot named {name} is in {data} already. Choose another --name.")


def build(
    catalogue: Path,
    data: Path,
    name: str,
    embedder: Embedder,
    *,
    decode_threads: int,
    choice: Choice = DEFAULT_CHOICE,
    journal: str | None = None,
    journal_position: int = 0,
    progress: Progress = lambda rows: None,
) -> BuildReport:
    """Build `<data>/snapshots/<name>` from a catalogue.

    It holds the changes of a `journal` (its id) up to `journal_position` already.

    A row that cannot be used is reported and left out; a photo that cannot be used is left out of its row where the
    row has a title. `choice` says which index is built, or lets size and recall decide. Raises CatalogueInvalid when
    no row can be used, InvalidInput when the snapshot exists or the index does not fit the products.
    """
    started = time.perf_counter()
    check(catalogue, data, name, choice)
    report = data / "reports" / f"{name}.jsonl"
    with try_lock(data / "builds" / f"{name}.lock") as lock:
        if lock is None:
            raise InvalidInput(f"Another build of {name} is running. Wait for it, or choose another --name.")
        remove_leftovers(data / "snapshots", name)
        vectors = _VectorFiles(data / "builds" / name, embedder.fingerprint)
        work = _Build(embedder, PhotoStore(data / "photos"), catalogue.parent, vectors)
        work.run(read_catalogue(catalogue), decode_threads, progress)
        problems = sorted(work.problems, key=lambda problem: problem.line)
        write_atomic(report, b"".join(orjson.dumps(problem, option=orjson.OPT_APPEND_NEWLINE) for problem in problems))
        if not work.items:
            first = f" The first: line {problems[0].line}: {problems[0].reason}." if problems else " It has no rows."
            raise CatalogueInvalid(f"{catalogue}: no row could be used.{first} All reasons are in {report}.")
        snapshot = write_snapshot(
            data / "snapshots",
            name,
            to_table(work.items),
            {"fusion": np.stack([vectors[key] for key in work.keys])},
            model=embedder.name,
            fingerprint=embedder.fingerprint,
            variant=embedder.variant,
            choice=choice,
            journal=journal,
            journal_position=journal_position,
            same=same_from(embedder),
        )
        remember(snapshot, data / "verified")  # the manifest's checksums were read back from the disk
        vectors.discard()
    manifest = read_manifest(snapshot)
    errors = sum(problem.severity == "error" for problem in problems)
    return BuildReport(
        snapshot=snapshot,
        report=report,
        products=len(work.items),
        errors=errors,
        warnings=len(problems) - errors,
        notes=notes(problems, (item.product for item in work.items)),
        reused=vectors.reused,
        seconds=time.perf_counter() - started,
        index_type=manifest.index_type,
        recall_at_10=manifest.recall_at_10,
    )
