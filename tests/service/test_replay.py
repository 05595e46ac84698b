"""What an index lacks vectors for is embedded once, and what cannot be embedded stops nothing."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import update
from structlog.testing import capture_logs

from catalogue.errors import DeltaFull, JournalUnavailable, NotFound, NotReady
from catalogue.photos import PhotoStore
from catalogue.settings import Settings
from index import Change, Filters, IndexedProduct, Journal, LiveIndex, LiveView, Snapshot, write_snapshot
from index.journal_store import entries, vectors
from index.manifest import FieldName
from index.products import to_table
from models import ProductInput, StandInEncoders
from service.encoding import EncoderQueues, WorkPool
from service.feed import Feed
from service.replay import replay, step
from tests.index.builders import item
from tests.service.conftest import photo, style_colour
from tests.service.test_api_writes import Counting
from tests.waiting import wait_until

FIELDS: tuple[FieldName, ...] = ("fusion", "image", "text")
GONE = "0" * 64
"""A photo that is in no store."""


class Gateway:
    """What a gateway replays with, and a journal that others write to."""

    def __init__(self, data: Path) -> None:
        self.snapshot = data / "snapshots" / "shop-1"
        self.photos = PhotoStore(data / "photos")
        self.journal = Journal.open(data / "journal.sqlite3")
        self.embedder = Counting()
        self._pool = WorkPool("decode", 1, max_waiting=128)
        self.encoder = EncoderQueues(self.embedder, max_batch=4, max_queue=128, decode=self._pool)

    def live(self) -> LiveIndex:
        return LiveIndex(Snapshot.open(self.snapshot, fingerprint=self.embedder.fingerprint))

    def replay(self, live: LiveIndex) -> LiveView:
        """All there is, shown."""
        replay(self.journal, self.photos, live, self.encoder)
        assert live.view.position == self.journal.head()
        return live.view

    def close(self) -> None:
        self.encoder.close()
        self.journal.close()
        self._pool.close()


@pytest.fixture
def gateway(own_shop: Settings) -> Iterator[Gateway]:
    gateway = Gateway(own_shop.data)
    yield gateway
    gateway.close()


def unembedded(product_id: str, title: str, digest: str | None = None) -> Change:
    """As somebody writes it who has other models."""
    images = ("image",) if digest else ()
    vectors = {StandInEncoders(name="other").fingerprint: {"fusion": np.eye(1, 8, dtype=np.float32)[0]}}
    return Change.upsert(
        IndexedProduct(product=item(product_id, title=title, images=images).product, photo=digest), vectors
    )


def score(view: LiveView, field: str, product_id: str, given: ProductInput) -> float:
    """How near a product is to what it should have been made from."""
    (query,) = StandInEncoders().embed([given])
    found = view.search(field, query, 1, view.select(Filters(ids=(product_id,))))
    return float(found.scores[0])


def test_what_lacks_vectors_is_embedded_once_for_all(gateway: Gateway) -> None:
    pictures = [photo(style_colour(100 + n)) for n in range(20)]
    (vector,) = StandInEncoders().embed([ProductInput(text="known")])
    known = Change.upsert(item("known", title="known"), {gateway.embedder.fingerprint: {"fusion": vector}})
    gateway.journal.append([known, Change.delete("acme-03")])
    gateway.journal.append([unembedded(f"n{n}", f"thing{n}", gateway.photos.put(pictures[n])) for n in range(20)])
    gateway.journal.append([Change.delete("n7"), unembedded("acme-05", "red mug")])

    view = gateway.replay(gateway.live())
    assert gateway.embedder.encoded == 21
    assert len(view) == 36 - 1 + 1 + 19
    for n in range(20):
        if n != 7:
            assert score(view, "fusion", f"n{n}", ProductInput(pictures[n], f"thing{n}")) > 0.999
    again = gateway.replay(gateway.live())
    assert (len(again), gateway.embedder.encoded) == (len(view), 21)
    lacking = [
        entry.position
        for entry in gateway.journal.read_after(0)
        if entry.operation == "upsert" and gateway.embedder.fingerprint not in entry.vectors
    ]
    assert lacking == []


def test_however_much_is_read_at_once(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.replay._READ", 3)
    for start in range(0, 20, 4):
        gateway.journal.append([unembedded(f"n{n % 9}", f"thing{n}") for n in range(start, start + 4)])
    view = gateway.replay(gateway.live())
    assert len(view) == 36 + 9
    assert view.get(view.row_of("n1")).product.title == "thing19"
    assert gateway.embedder.encoded == 20


def serve_every_field(gateway: Gateway, vector: NDArray[np.float32]) -> None:
    """A snapshot of one product, `old`, with the same vector of each field."""
    gateway.snapshot = write_snapshot(
        gateway.snapshot.parent,
        "fields",
        to_table([item("old", title="red mug")]),
        dict.fromkeys(FIELDS, vector[np.newaxis]),
        model="standin",
        fingerprint=gateway.embedder.fingerprint,
        variant="standin",
    )


def test_every_field_of_the_snapshot_is_embedded(gateway: Gateway) -> None:
    """Each from what it is made of; a product without a photo, or without words, lacks that field."""
    picture = photo(style_colour(3))
    (vector,) = StandInEncoders().embed([ProductInput(picture, "red mug")])
    serve_every_field(gateway, vector)
    digest = gateway.photos.put(picture)
    gateway.journal.append(
        [unembedded("both", "red mug", digest), unembedded("words", "mug"), unembedded("seen", "", digest)]
    )
    view = gateway.replay(gateway.live())
    everything = view.select(Filters())
    for field, names in (
        ("fusion", {"both", "words", "seen"}),
        ("image", {"both", "seen"}),
        ("text", {"both", "words"}),
    ):
        found = view.search(field, vector, 10, everything)
        assert {view.id_of(row) for row in found.rows.tolist()} == names | {"old"}
    assert score(view, "image", "both", ProductInput(picture)) > 0.999
    assert score(view, "text", "both", ProductInput(text="red mug")) > 0.999


def test_fields_that_the_writer_had_no_use_for_are_embedded_once(gateway: Gateway) -> None:
    """It served a snapshot with `fusion` alone; a vector that is there stays as it is."""
    picture = photo(style_colour(3))
    (vector,) = StandInEncoders().embed([ProductInput(picture, "red mug")])
    serve_every_field(gateway, vector)
    digest = gateway.photos.put(picture)
    known = {gateway.embedder.fingerprint: {"fusion": vector}}
    for product_id, title, photo_digest in (
        ("both", "red mug", digest),
        ("words", "mug", None),
        ("seen", "", digest),
        ("lost", "", GONE),
    ):
        entry = IndexedProduct(product=item(product_id, title=title, images=("image",)).product, photo=photo_digest)
        gateway.journal.append([Change.upsert(entry, known)])
    gateway.journal.append([Change.delete("old")])

    view = gateway.replay(gateway.live())
    everything = view.select(Filters())
    for field, names in (
        ("fusion", {"both", "words", "seen", "lost"}),
        ("image", {"both", "seen"}),
        ("text", {"both", "words"}),
    ):
        found = view.search(field, vector, 10, everything)
        assert {view.id_of(row) for row in found.rows.tolist()} == names, field
    assert score(view, "image", "both", ProductInput(picture)) > 0.999
    assert score(view, "text", "words", ProductInput(text="mug")) > 0.999
    assert gateway.embedder.encoded == 4
    gateway.replay(gateway.live())
    assert gateway.embedder.encoded == 4


def test_a_photo_that_is_gone_leaves_the_words(gateway: Gateway) -> None:
    gateway.journal.append([unembedded("faded", "red mug", GONE), unembedded("next", "blue mug")])
    with capture_logs() as logs:
        view = gateway.replay(gateway.live())
    assert score(view, "fusion", "faded", ProductInput(text="red mug")) > 0.999
    assert view.get(view.row_of("faded")).photo == GONE
    assert [(entry["event"], entry["product_id"]) for entry in logs if entry["log_level"] == "error"] == [
        ("photo_lost", "faded")
    ]


@pytest.mark.parametrize("name", ["acme-03", "new"])
@pytest.mark.parametrize("left", ["nothing", "no picture"])
def test_what_cannot_be_embedded_is_hidden_and_stops_nothing(gateway: Gateway, name: str, left: str) -> None:
    """A product of the snapshot is not shown as it was before, either."""
    digest = GONE if left == "nothing" else gateway.photos.put(b"no photo at all")
    gateway.journal.append([unembedded("before", "mug"), unembedded(name, "", digest), unembedded("after", "mug")])
    with capture_logs() as logs:
        view = gateway.replay(gateway.live())
    assert len(view) == 38 - (name == "acme-03")
    everything = view.select(Filters())
    found = view.search("fusion", StandInEncoders().embed([ProductInput(text="mug")])[0], 100, everything)
    names = [view.id_of(row) for row in found.rows.tolist()]
    assert len(names) == len(view)
    assert {"before", "after"} <= set(names)
    assert name not in names
    assert [entry["product_id"] for entry in logs if entry["log_level"] == "error"] == [name]
    gateway.journal.append([unembedded(name, "a mug again")])
    assert gateway.replay(gateway.live()).row_of(name) >= 0


@pytest.mark.parametrize(
    "document",
    [b"", b"\xff", b"[]", b'{"product_id":"acme-03","titel":"mug"}', b'{"product_id":"acme-04","title":"mug"}'],
)
@pytest.mark.parametrize("is_embedded", [True, False])
def test_what_cannot_be_read_is_hidden_and_stops_nothing(gateway: Gateway, document: bytes, is_embedded: bool) -> None:
    gateway.journal.append([unembedded("before", "mug"), unembedded("acme-03", "mug"), unembedded("after", "mug")])
    if is_embedded:
        gateway.replay(gateway.live())
    rewrite(gateway, 2, document)
    with capture_logs() as logs:
        view = gateway.replay(gateway.live())
    assert {name: len(view.rows_of([name])) for name in ("before", "after")} == {"before": 1, "after": 1}
    assert len(view) == 37
    with pytest.raises(NotFound):
        view.row_of("acme-03")
    assert [(entry["event"], entry["position"], entry["product_id"]) for entry in logs if "position" in entry] == [
        ("journal_entry_unreadable", 2, "acme-03")
    ]


@pytest.mark.parametrize("field", ["fusion", "image"])
@pytest.mark.parametrize(
    "vector",
    [b"", bytes(63), bytes(64), b"\xff" * 2 * StandInEncoders().dim],
    ids=["empty", "cut within a number", "short", "no numbers"],
)
def test_a_vector_that_is_none_of_this_space_hides_its_product_and_stops_nothing(
    gateway: Gateway, field: str, vector: bytes
) -> None:
    (good,) = StandInEncoders().embed([ProductInput(text="mug")])
    both = {gateway.embedder.fingerprint: {"fusion": good, "image": good}}
    gateway.journal.append([Change.upsert(item(name, title="mug"), both) for name in ("before", "acme-03", "after")])
    wrong = (vectors.c.position == 2) & (vectors.c.field == field)
    with gateway.journal._engine.begin() as connection:
        connection.execute(update(vectors).where(wrong).values(vector=vector))
    gateway.snapshot = write_snapshot(
        gateway.snapshot.parent,
        "fields",
        to_table([item("acme-03", title="red mug")]),
        {"fusion": good[np.newaxis], "image": good[np.newaxis]},
        model="standin",
        fingerprint=gateway.embedder.fingerprint,
        variant="standin",
    )
    with capture_logs() as logs:
        view = gateway.replay(gateway.live())
    assert view.rows_of(["before", "after"]) == {1, 3}
    with pytest.raises(NotFound):
        view.row_of("acme-03")
    assert [(entry["event"], entry["position"], entry["product_id"]) for entry in logs if "position" in entry] == [
        ("journal_entry_unreadable", 2, "acme-03")
    ]


def test_fields_that_a_newer_gateway_writes_are_passed_over(gateway: Gateway) -> None:
    gateway.journal.append([unembedded("new", "mug")])
    rewrite(gateway, 1, b'{"product_id":"new","title":"mug","rating":4}')
    view = gateway.replay(gateway.live())
    row = view.row_of("new")
    assert view.get(row).product == item("new", title="mug").product
    assert view.listing(row).fields == {"product_id": "new", "title": "mug"}


def rewrite(gateway: Gateway, position: int, document: bytes) -> None:
    with gateway.journal._engine.begin() as connection:
        connection.execute(update(entries).where(entries.c.position == position).values(document=document))


def test_more_changes_than_are_kept_stop_it_and_what_was_applied_stays(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.delta.MAX_ROWS", 3)
    monkeypatch.setattr("service.replay._READ", 2)
    live = gateway.live()
    gateway.journal.append([unembedded(f"n{n}", "mug") for n in range(9)])
    for _ in range(2):
        with pytest.raises(DeltaFull, match="--from-live"):
            replay(gateway.journal, gateway.photos, live, gateway.encoder)
        assert (live.view.position, len(live.view)) == (6, 42)
    assert live.view.row_of("n5") >= 0


def test_without_its_encoder_nothing_is_applied_or_lost(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    live = gateway.live()
    gateway.journal.append([Change.delete("acme-03"), unembedded("new", "mug")])
    for queue in gateway.encoder.queues("text"):
        monkeypatch.setattr(queue, "_closed", True)
    with pytest.raises(NotReady):
        replay(gateway.journal, gateway.photos, live, gateway.encoder)
    assert (live.view.position, len(live.view)) == (0, 36)
    monkeypatch.undo()
    assert len(gateway.replay(live)) == 36


def test_an_index_that_joins_shows_all_that_was_acknowledged(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change may become visible in the others, and so be acknowledged, when the new one has just been replayed."""
    feed = Feed(gateway.journal, gateway.photos, poll_s=60)
    first, second = gateway.live(), gateway.live()

    written: list[int] = []

    def step_and_be_overtaken(journal: Journal, photos: PhotoStore, live: LiveIndex, encoder: EncoderQueues) -> bool:
        is_behind = step(journal, photos, live, encoder)
        if live is second and not is_behind and not written:
            written.extend(journal.append([unembedded("written", "mug")]))
            feed.reached(written[0]).result(10)
        return is_behind

    monkeypatch.setattr("service.replay.step", step_and_be_overtaken)
    try:
        feed.add(first, gateway.encoder)
        feed.add(second, gateway.encoder)
        assert first.view.row_of("written") >= 0
        assert second.view.row_of("written") >= 0
    finally:
        feed.close()


def test_a_journal_that_comes_and_goes_is_said_once_a_minute(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter(range(1_000_000))
    looked: list[int] = []

    def come_and_go(*_: object) -> bool:
        looked.append(next(looks))
        if looked[-1] % 2:
            raise JournalUnavailable("too many clients" if looked[-1] % 4 == 1 else "gone")
        return False

    with capture_logs() as logs:
        feed = Feed(gateway.journal, gateway.photos, poll_s=0.001)
        try:
            feed.add(gateway.live(), gateway.encoder)
            monkeypatch.setattr("service.feed.step", come_and_go)
            wait_until(lambda: len(looked) > 20)
        finally:
            feed.close()
    assert [line["reason"] for line in logs] == ["too many clients", "gone"]
