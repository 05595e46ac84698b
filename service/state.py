"""Putting the gateway together: from settings to something that answers."""

import os
from pathlib import Path
from typing import Final

import structlog

from catalogue.errors import NotReady
from catalogue.photos import PhotoStore
from catalogue.settings import Settings
from index import Snapshot, newest_valid
from models import Embedder, Encoders
from service import metrics
from service.cache import make_cache
from service.encoding import EncoderQueue
from service.retrieval import Pools, Retrieval

log = structlog.get_logger(__name__)

DEFAULT_BUNDLE: Final = Path(__file__).parent.parent / "models" / "default"


def load_embedder(settings: Settings) -> Embedder:
    """The model the settings name; raises BundleInvalid or ConfigurationError."""
    return Encoders.load(settings.bundle or DEFAULT_BUNDLE, device=settings.device, threads=settings.threads.onnx)


def load_retrieval(settings: Settings, embedder: Embedder) -> Retrieval:
    """The newest snapshot of the data directory that this model may serve.

    Raises NotReady, with the reason of each snapshot refused, when there is none.
    """
    root = settings.data / "snapshots"
    snapshot, refused = newest_valid(root, fingerprint=embedder.fingerprint)
    for error in refused:
        log.warning("snapshot_refused", reason=str(error))
    if snapshot is None:
        reasons = "; ".join(str(error) for error in refused) or f"there is none in {root}"
        raise NotReady(
            f"No snapshot can be served: {reasons}. Run `samestyle build CATALOGUE --name NAME --data {settings.data}`."
        )
    return make_retrieval(settings, embedder, snapshot)


def make_retrieval(settings: Settings, embedder: Embedder, snapshot: Snapshot) -> Retrieval:
    """Queue, cache and threads around a model and a snapshot."""
    pools = Pools(settings.threads)
    encoder = EncoderQueue(
        embedder, max_batch=settings.encoder.max_batch, max_queue=settings.encoder.max_queue, decode_pool=pools.decode
    )
    metrics.PRODUCTS.set(len(snapshot.products))
    metrics.SNAPSHOT.info(
        {"name": snapshot.manifest.name, "model": embedder.name, "fingerprint": embedder.fingerprint[:12]}
    )
    return Retrieval(
        snapshot,
        embedder,
        PhotoStore(settings.data / "photos"),
        encoder=encoder,
        cache=make_cache(settings.cache, embedder.dim),
        pools=pools,
        deadline_s=settings.deadline_s,
    )


def cursor_secret(settings: Settings) -> bytes:
    """What signs cursors: as set, or new for this process."""
    if settings.cursor_secret is not None:
        return settings.cursor_secret.get_secret_value().encode()
    return os.urandom(32)
