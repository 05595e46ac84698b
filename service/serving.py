"""What the gateway serves: for each alias a snapshot with the model of its space, exchanged while requests go on."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import structlog

from catalogue.errors import Gone, NotFound, NotReady
from catalogue.fetch import Fetcher
from catalogue.files import read_ahead
from catalogue.photos import PhotoStore
from catalogue.settings import Settings
from index import Journal, LiveIndex, Manifest, Snapshot
from index.aliases import LIVE
from index.gpu import Device, device_bytes, making_bytes
from index.manifest import check_files, mapped_files, read_manifest, snapshot_path
from service.batching import Batcher
from service.cache import EmbeddingCache
from service.encoding import EncoderQueues, Modality
from service.feed import Feed
from service.memory import check_device_memory, check_memory, give_back, snapshot_bytes
from service.models import LoadedModels, ModelSource
from service.pools import Pools
from service.remote import RemotePhotos
from service.retrieval import Retrieval
from service.thumbnails import Thumbnails

log = structlog.get_logger(__name__)
_NO_WORDS: Final = "It was written by another version. Build it anew, or cut one from what is live."
_SHARED_POLL_S: Final = 0.02
_OWN_POLL_S: Final = 1.0
_DRAIN_SLACK_S: Final = 5.0
_DRAIN_POLL_S: Final = 0.005
_DOOR_FULLNESS: Final = 0.75
"""The rest of each queue is for requests that are past the door and not yet in it."""
_DOOR_SHARE: Final = 0.7
"""How much of the deadline may go by in queues; what comes after them takes time too."""


class Generation:
    """A loaded snapshot, kept up with the journal, and how many requests are using it."""

    def __init__(self, retrieval: Retrieval, encoder: EncoderQueues) -> None:
        self.name = retrieval.snapshot_name
        self.encoder = encoder
        self.requests = 0
        self._retrieval: Retrieval | None = retrieval

    @property
    def retrieval(self) -> Retrieval:
        """What answers from it; raises NotReady once it is let go of."""
        if self._retrieval is None:
            raise NotReady(f"Snapshot {self.name} is served no more. Ask again.")
        return self._retrieval

    @property
    def live(self) -> LiveIndex:
        """Its index."""
        return self.retrieval.live

    def let_go(self) -> None:
        """Give up all it holds, whoever still holds it."""
        self.live.snapshot.release()
        self._retrieval = None


class Serving:
    """Generations by alias, and the threads, cache and journal they share.

    `lease` is for requests. `load`, `flip` and `retire` are the steps of a swap, called from one thread at a time.
    """

    def __init__(self, settings: Settings, source: ModelSource, fetcher: Fetcher | None = None) -> None:
        """Open the journal; raises JournalLocked, JournalInvalid or JournalUnavailable. Nothing is served yet.

        Photos by URL come from `fetcher`, by default one as in the settings.
        """
        self.settings = settings
        self.journal = Journal.open(settings.journal_address)
        self.pools = Pools(settings.threads, settings.deadline_s, max_decoding=settings.encoder.max_queue)
        self.photos = PhotoStore(settings.data / "photos")
        self.thumbnails = Thumbnails(self.photos, self.pools)
        self.remote = RemotePhotos(settings.fetch, fetcher)
        self.models = LoadedModels(source, settings.encoder, self.pools.decode)
        self.feed = Feed(self.journal, self.photos, poll_s=_SHARED_POLL_S if settings.journal else _OWN_POLL_S)
        self.kept_model: str | None = None
        """The fingerprint of what was live before: writes are embedded for it too, so that a rollback is quick."""
        self.kept_fields: tuple[str, ...] = ()
        gpus = settings.index.gpus if settings.index.device == "cuda" else 0
        self._devices = tuple(Device(number) for number in range(gpus))
        self._cache = EmbeddingCache(settings.cache)
        self._served: dict[str, Generation] = {}
        self._lock = threading.Lock()

    @property
    def served(self) -> dict[str, Generation]:
        """What each alias points at now."""
        with self._lock:
            return dict(self._served)

    @contextmanager
    def lease(self, alias: str = LIVE) -> Iterator[Retrieval]:
        """What `alias` points at, kept in place for as long as this is held; raises NotFound, NotReady."""
        with self._lock:
            generation = self._served.get(alias)
            if generation is None and alias != LIVE:
                raise NotFound(f"There is no alias {alias[:64]!r}.")
            if generation is None:
                raise NotReady("The service is starting or shutting down. Ask again, or ask another instance.")
            generation.requests += 1
        with self._leased(generation) as retrieval:
            yield retrieval

    @contextmanager
    def lease_snapshot(self, name: str) -> Iterator[Retrieval]:
        """A snapshot that some alias points at, kept in place for as long as this is held; raises Gone."""
        with self._lock:
            generation = next((served for served in self._served.values() if served.name == name), None)
            if generation is None:
                raise Gone(f"Snapshot {name} is served no more. Start again without a cursor.")
            generation.requests += 1
        with self._leased(generation) as retrieval:
            yield retrieval

    @contextmanager
    def _leased(self, generation: Generation) -> Iterator[Retrieval]:
        """Give back a request that was counted already."""
        try:
            yield generation.retrieval
        finally:
            with self._lock:
                generation.requests -= 1

    def retry_after(self, modality: Modality, under_way: int) -> float | None:
        """See `service.admission.Door`."""
        before = [self.pools.decode.queue] if modality == "image" else []
        ways = [[*before, *encoder.queues(modality)] for encoder in self.models.loaded.values()]
        wait_s = max((_wait_s(way, under_way) for way in ways), default=0.0)
        # What waits at one queue comes to the next: what is on the way must find room in the last of them too.
        is_full = under_way > _DOOR_FULLNESS * self.settings.encoder.max_queue or any(
            sum(queue.fullness for queue in way) >= _DOOR_FULLNESS for way in ways
        )
        return wait_s if is_full or wait_s > _DOOR_SHARE * self.settings.deadline_s else None

    @property
    def damage(self) -> list[str]:
        """Of which snapshots some products were found to be unreadable; none where all is well."""
        damaged = {generation.name: generation.live.view.unreadable for generation in self.served.values()}
        return [
            f"Products of snapshot {name} that cannot be read, and that no list shows: {count}. Roll back to the "
            "snapshot before, or activate another."
            for name, count in damaged.items()
            if count
        ]

    def waiting(self) -> Counter[str]:
        """How many jobs wait for each stage that has a queue."""
        queues = [queue for encoder in self.models.loaded.values() for queue in encoder.all_queues]
        waiting = Counter({queue.name: 0 for queue in queues})
        for queue in (self.pools.work.queue, self.pools.decode.queue, self.pools.thumbnail.queue, *queues):
            waiting[queue.name] += queue.waiting
        return waiting

    def path_of(self, name: str) -> Path:
        """Where a snapshot is; raises NotFound."""
        path = snapshot_path(self.settings.data / "snapshots", name)
        if not path.is_dir():
            raise NotFound(
                f"There is no snapshot {name} in {self.settings.data}. `samestyle snapshot list` shows them."
            )
        return path

    def fields_of(self, fingerprint: str) -> set[str]:
        """The fields that some snapshot in a vector space has, of those served and the one kept for a rollback."""
        fields = {"fusion"} | (set(self.kept_fields) if fingerprint == self.kept_model else set())
        for generation in self.served.values():
            if generation.encoder.embedder.fingerprint == fingerprint:
                fields |= set(generation.live.snapshot.manifest.fields)
        return fields

    def keep_model(self, fingerprint: str, fields: Collection[str]) -> None:
        """Keep a model although nothing served needs it, in place of the one kept before; raises as `load`.

        `fields` are those of the snapshot that a rollback would go to.
        """
        self.kept_model, self.kept_fields = fingerprint, tuple(fields)
        if needed := self.models.needs(fingerprint):
            check_memory(needed, limit=self.settings.index.memory_bytes)
            self._check_device(None, fingerprint)
        self.models.get(fingerprint)

    def _check_device(self, manifest: Manifest | None, fingerprint: str) -> None:
        """Raise NotEnoughMemory unless each GPU has room for what would go there, beside all that is there."""
        needed = Counter[int]()
        if self.settings.device == "cuda":
            needed[0] = self.models.needs(fingerprint)  # models are on the first
        if manifest is not None:
            for device in self._devices:
                of_a_field = device_bytes(manifest.index_type, manifest.products, manifest.dim, len(self._devices))
                needed[device.number] += device.scratch_bytes + of_a_field * len(manifest.fields)
        for number, amount in needed.items():
            if amount:
                check_device_memory(amount, number)

    def load(self, name: str, *, stage: Callable[[str], None] = lambda _: None) -> Generation:
        """A snapshot, its model and the journal's changes, ready to be flipped to; one that is served is shared.

        `stage` hears what is being done. Raises SnapshotInvalid, BundleInvalid, NotEnoughMemory or NotFound, and what
        the journal raises; whatever had been loaded is let go of then.
        """
        for generation in self.served.values():
            if generation.name == name:
                return generation
        path = self.path_of(name)
        stage("loading")
        manifest = read_manifest(path)
        check_files(path, manifest)
        needed = snapshot_bytes(manifest) + self.models.needs(manifest.fingerprint)
        if self._devices:
            needed += making_bytes(manifest.index_type, manifest.products, manifest.dim, len(self._devices))
        check_memory(needed, limit=self.settings.index.memory_bytes)
        self._check_device(manifest, manifest.fingerprint)
        if not self.served:  # a start; before a swap all has been read just now, to verify it
            read_ahead(mapped_files(path, manifest))
        try:
            encoder = self.models.get(manifest.fingerprint)
            snapshot = Snapshot.open(path, fingerprint=manifest.fingerprint, devices=self._devices)
            if snapshot.products.words is None:
                log.warning("words_not_looked_for", snapshot=name, reason=_NO_WORDS)
            try:
                live = LiveIndex(snapshot, self.journal.id)
                stage("replaying the journal")
                self.feed.add(live, encoder)
            except BaseException:
                snapshot.release()
                raise
        except BaseException:
            self._tidy()
            raise
        give_back()  # what reading took beside what is kept
        retrieval = Retrieval(live, encoder, self.photos, cache=self._cache, pools=self.pools, remote=self.remote)
        return Generation(retrieval, encoder)

    def flip(self, alias: str, generation: Generation | None) -> Generation | None:
        """Point `alias` at a generation (None: at nothing) for all requests from now on; returns the one before."""
        with self._lock:
            before = self._served.pop(alias, None)
            if generation is not None:
                self._served[alias] = generation
        return before

    def retire(self, generation: Generation) -> None:
        """Let go of a generation no alias points at once its requests are answered, and give its memory back."""
        if generation in self.served.values():
            return
        patience = time.monotonic() + self.settings.deadline_s + _DRAIN_SLACK_S
        while generation.requests and time.monotonic() < patience:
            time.sleep(_DRAIN_POLL_S)
        self.feed.remove(generation.live)
        generation.let_go()
        self._tidy()

    async def close(self) -> None:
        """Finish what is under way and let go of everything."""
        with self._lock:
            self._served.clear()
        await asyncio.to_thread(self._stop)
        await self._cache.close()

    def _stop(self) -> None:
        self.feed.close()
        self.journal.close()
        self.models.keep(())
        self.pools.close()
        self.remote.close()
        self.close_devices()

    def close_devices(self) -> None:
        """Search on GPUs no more; whoever waits for an index to be made there waits no longer."""
        for device in self._devices:
            device.close()

    def _tidy(self) -> None:
        """Close the models nothing needs, and give memory back."""
        used = {generation.encoder.embedder.fingerprint for generation in self.served.values()}
        self.models.keep(used | {self.kept_model or ""})
        give_back()


def _wait_s(way: Sequence[Batcher[Any, Any]], under_way: int) -> float:
    """How long one more would be on its way through queues: as long as all before it take at the slowest of them."""
    ahead, longest = 0, 0.0
    for queue in way:
        ahead += queue.jobs
        longest = max(longest, max(ahead, under_way) * queue.pace_s)
    return longest
