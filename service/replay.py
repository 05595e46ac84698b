"""Bringing an index up to the journal's head; what it lacks vectors for is embedded once, for all gateways."""

import dataclasses
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from catalogue.errors import InvalidInput, NotFound, Overloaded
from catalogue.photos import PhotoStore
from index import Entry, Journal, LiveIndex
from models import Prepared
from service.encoding import EncoderQueue
from service.models import field_inputs

log = structlog.get_logger(__name__)

_READ: Final = 1_000
_EMBEDDED_AT_ONCE: Final = 32
_EMBEDDED_TOGETHER: Final = 8
_ENCODER_WAIT_S: Final = 60.0
_QUEUE_POLL_S: Final = 0.02


def replay(journal: Journal, photos: PhotoStore, live: LiveIndex, encoder: EncoderQueue) -> None:
    """Apply all that the journal holds beyond `live`.

    An encoder runs only for entries written when nobody knew its model. Raises what the journal, the delta and the
    encoder raise; what was applied before that stays.
    """
    while step(journal, photos, live, encoder):
        pass


def step(journal: Journal, photos: PhotoStore, live: LiveIndex, encoder: EncoderQueue) -> bool:
    """Apply some of what the journal holds beyond `live`, fewer where they must be embedded; whether there is more."""
    if journal.head() == live.view.position:
        return False
    entries = journal.read_after(live.view.position, _READ)
    fields = live.snapshot.manifest.fields
    whole = next((at for at, entry in enumerate(entries) if _lacks(entry, fields, encoder)), len(entries))
    if whole < len(entries):
        some = entries[: whole + _EMBEDDED_AT_ONCE]
        _embed(some, journal, photos, fields, encoder)
        again = journal.read_after(live.view.position, len(some))
        entries = [_usable(entry, encoder.embedder.fingerprint) for entry in again]
    live.apply(entries)
    return True


def _lacks(entry: Entry, fields: Sequence[str], encoder: EncoderQueue) -> set[str]:
    """The fields whose vectors an entry should have and has not: who wrote it served a snapshot without them."""
    missing = set(fields) - entry.vectors.get(encoder.embedder.fingerprint, {}).keys()
    if entry.operation == "delete" or not missing:
        return set()
    item = entry.item
    if item is None or item.photo is None:
        missing.discard("image")
    if "text" in missing and (item is None or not encoder.embedder.product_text(item.product)):
        missing.discard("text")
    return missing


def _embed(
    entries: Sequence[Entry], journal: Journal, photos: PhotoStore, fields: Sequence[str], encoder: EncoderQueue
) -> None:
    """Add the vectors that entries lack for a model to the journal."""
    fingerprint = encoder.embedder.fingerprint
    lacking = [(entry, missing) for entry in entries if (missing := _lacks(entry, fields, encoder))]
    log.info("journal_embedding", entries=len(lacking), model=encoder.embedder.name)
    for start in range(0, len(lacking), _EMBEDDED_TOGETHER):
        waiting = {
            entry.position: [(name, _submit(encoder, item)) for name, item in _inputs(entry, photos, missing, encoder)]
            for entry, missing in lacking[start : start + _EMBEDDED_TOGETHER]
        }
        made = {
            position: {name: done.result(_ENCODER_WAIT_S) for name, done in by_field}
            for position, by_field in waiting.items()
        }
        journal.add_vectors(fingerprint, made)


def _inputs(
    entry: Entry, photos: PhotoStore, fields: Collection[str], encoder: EncoderQueue
) -> list[tuple[str, Prepared]]:
    """What each field is made from; nothing where neither photo nor text can be used, which is logged."""
    item = entry.item
    if item is None:
        return []
    photo = None
    try:
        photo = photos.get(item.photo) if item.photo is not None else None
    except NotFound as error:
        log.error("photo_lost", product_id=entry.product_id, reason=str(error))  # noqa: TRY400
    for used in (photo, None):  # a photo that cannot be decoded leaves the words
        try:
            inputs = field_inputs(encoder.embedder, item.product, used, fields)
            return [(name, encoder.embedder.prepare(given)) for name, given in inputs.items()]
        except InvalidInput as error:
            log.error("product_not_embedded", product_id=entry.product_id, reason=str(error))  # noqa: TRY400
    return []


def _submit(encoder: EncoderQueue, item: Prepared) -> Future[NDArray[np.float32]]:
    """As soon as the queue has room: searches come first, and they may fill it."""
    until = time.monotonic() + _ENCODER_WAIT_S
    while True:
        try:
            return encoder.submit(item)
        except Overloaded:
            if time.monotonic() > until:
                raise
            time.sleep(_QUEUE_POLL_S)


def _has_vectors(entry: Entry, fingerprint: str) -> bool:
    return entry.operation == "delete" or "fusion" in entry.vectors.get(fingerprint, {})


def _usable(entry: Entry, fingerprint: str) -> Entry:
    """A product that cannot be embedded cannot be found: to this model it is gone."""
    if _has_vectors(entry, fingerprint):
        return entry
    return dataclasses.replace(entry, operation="delete", document=None)
