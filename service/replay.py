"""Bringing an index up to the journal's head; what it lacks vectors for is embedded once, for all gateways."""

import asyncio
import dataclasses
from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from catalogue.errors import InvalidInput, NotFound, Overloaded
from catalogue.photos import PhotoStore
from index import Entry, IndexedProduct, Journal, LiveIndex, Manifest
from models import ProductInput
from service.deadlines import Deadline, current, under
from service.encoding import EncoderQueues, Vector
from service.flights import together
from service.models import field_inputs

log = structlog.get_logger(__name__)

_READ: Final = 1_000
_EMBEDDED_AT_ONCE: Final = 32
_EMBEDDED_TOGETHER: Final = 8
_ENCODER_WAIT_S: Final = 60.0
_QUEUE_POLL_S: Final = 0.02
_NORM_TOLERANCE: Final = 0.01
"""Of what was of length 1 before it was rounded to float16."""


def replay(journal: Journal, photos: PhotoStore, live: LiveIndex, encoder: EncoderQueues) -> None:
    """Apply all that the journal holds beyond `live`.

    An encoder runs only for entries written when nobody knew its model. Raises what the journal, the delta and the
    encoder raise; what was applied before that stays.
    """
    while step(journal, photos, live, encoder):
        pass


def step(journal: Journal, photos: PhotoStore, live: LiveIndex, encoder: EncoderQueues) -> bool:
    """Apply some of what the journal holds beyond `live`, fewer where they must be embedded; whether there is more."""
    if journal.head() == live.view.position:
        return False
    entries = journal.read_after(live.view.position, _READ)
    fields = live.snapshot.manifest.fields
    whole = next((at for at, entry in enumerate(entries) if _lacks(entry, fields, encoder)), len(entries))
    if whole < len(entries):
        some = entries[: whole + _EMBEDDED_AT_ONCE]
        _embed(some, journal, photos, fields, encoder)
        entries = journal.read_after(live.view.position, len(some))
    live.apply([_usable(entry, live.snapshot.manifest) for entry in entries])
    return True


def _lacks(entry: Entry, fields: Sequence[str], encoder: EncoderQueues) -> set[str]:
    """The fields whose vectors an entry should have and has not: who wrote it served a snapshot without them."""
    missing = set(fields) - entry.vectors.get(encoder.embedder.fingerprint, {}).keys()
    if not missing or (item := _item(entry)) is None:
        return set()
    if item.photo is None:
        missing.discard("image")
    if "text" in missing and not encoder.embedder.product_text(item.product):
        missing.discard("text")
    return missing


def _embed(
    entries: Sequence[Entry], journal: Journal, photos: PhotoStore, fields: Sequence[str], encoder: EncoderQueues
) -> None:
    """Add the vectors that entries lack for a model to the journal."""
    fingerprint = encoder.embedder.fingerprint
    lacking = [(entry, missing) for entry in entries if (missing := _lacks(entry, fields, encoder))]
    log.info("journal_embedding", entries=len(lacking), model=encoder.embedder.name)
    for start in range(0, len(lacking), _EMBEDDED_TOGETHER):
        some = lacking[start : start + _EMBEDDED_TOGETHER]
        made = asyncio.run(_vectors_of(some, photos, encoder))
        positions = [entry.position for entry, _ in some]
        journal.add_vectors(fingerprint, dict(zip(positions, made, strict=True)))


async def _vectors_of(
    lacking: Sequence[tuple[Entry, set[str]]], photos: PhotoStore, encoder: EncoderQueues
) -> list[dict[str, Vector]]:
    with under(Deadline.after(_ENCODER_WAIT_S)):
        work = [_vectors(entry, photos, missing, encoder) for entry, missing in lacking]
        made: list[dict[str, Vector]] = await together(*work)
    return made


async def _vectors(
    entry: Entry, photos: PhotoStore, fields: Collection[str], encoder: EncoderQueues
) -> dict[str, Vector]:
    """A vector for each field; none where neither photo nor text can be used, which is logged."""
    item = _item(entry)
    if item is None:
        return {}
    photo = None
    try:
        photo = await asyncio.to_thread(photos.get, item.photo) if item.photo is not None else None
    except NotFound as error:
        log.error("photo_lost", product_id=entry.product_id, reason=str(error))  # noqa: TRY400
    for used in (photo, None):  # a photo that cannot be decoded leaves the words
        inputs = field_inputs(encoder.embedder, item.product, used, fields)
        try:
            made = await together(*(_patiently(encoder, given) for given in inputs.values()))
            return dict(zip(inputs, made, strict=True))
        except InvalidInput as error:
            log.error("product_not_embedded", product_id=entry.product_id, reason=str(error))  # noqa: TRY400
    return {}


async def _patiently(encoder: EncoderQueues, item: ProductInput) -> Vector:
    """As soon as the queues have room: searches come first, and they may fill them."""
    while True:
        try:
            return await encoder.embed(item)
        except Overloaded:
            if current().has_passed:
                raise
            await asyncio.sleep(_QUEUE_POLL_S)


def _item(entry: Entry) -> IndexedProduct | None:
    """The product an entry puts; None for a delete, and where its document cannot be read."""
    try:
        return entry.item
    except ValueError:
        return None


def _usable(entry: Entry, manifest: Manifest) -> Entry:
    """A product that cannot be read or embedded cannot be found: to this model it is gone."""
    if entry.operation == "delete":
        return entry
    given = entry.vectors.get(manifest.fingerprint, {})
    is_whole = all(_is_unit(given[field], manifest.dim) for field in manifest.fields if field in given)
    if not is_whole or _item(entry) is None:
        log.error("journal_entry_unreadable", position=entry.position, product_id=entry.product_id)
    elif "fusion" in given:
        return entry
    return dataclasses.replace(entry, operation="delete", document=None)


def _is_unit(vector: NDArray[np.float16], dim: int) -> bool:
    """Whether a stored vector can be one of `dim` dimensions: a damaged one need not have its length, nor numbers."""
    return vector.shape == (dim,) and abs(float(np.linalg.norm(vector.astype(np.float32))) - 1.0) <= _NORM_TOLERANCE
