"""Which model belongs to a vector space, and the encoders that are loaded."""

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Literal, Protocol

from catalogue.errors import BundleInvalid
from catalogue.product import Product
from catalogue.settings import EncoderSettings, Settings
from catalogue.variants import SameFrom
from models import Embedder, Encoders, ProductInput
from models.bundle import Bundle, ModePair
from service.encoding import EncoderQueues, WorkPool

DEFAULT_BUNDLE: Final = Path(__file__).parent.parent / "models" / "default"
_MEMORY_FACTOR: Final = 3
"""The weights, packed once more for the kernels, and what a batch takes."""


class ModelSource(Protocol):
    """Where the model of a vector space comes from."""

    def needs(self, fingerprint: str) -> int:
        """The bytes of memory it takes, roughly and at most; raises BundleInvalid where there is no such model."""
        ...

    def load(self, fingerprint: str) -> Embedder:
        """The model; raises BundleInvalid where there is none or it must not be served, or ConfigurationError."""
        ...


class Bundles:
    """Models from bundles: the one the settings name (or the default), and those in the data directory."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def needs(self, fingerprint: str) -> int:
        """See `ModelSource.needs`."""
        bundle = Bundle.load(find_bundle(self._settings, fingerprint))
        files = bundle.weights(bundle.variant_for(self._settings.device))
        return _MEMORY_FACTOR * sum(bundle.file(place).stat().st_size for place in files)

    def load(self, fingerprint: str) -> Embedder:
        """See `ModelSource.load`; on the device of the settings."""
        return _load(self._settings, find_bundle(self._settings, fingerprint))


def find_bundle(settings: Settings, fingerprint: str) -> Path:
    """The bundle of a vector space: the one the settings name (or the default), or one in the data directory.

    Raises BundleInvalid, naming what was looked at.
    """
    looked_at = []
    for path in (settings.bundle or DEFAULT_BUNDLE, *sorted((settings.data / "bundles").glob("[!.]*"))):
        try:
            found = Bundle.load(path).fingerprint
        except BundleInvalid as error:
            looked_at.append(str(error))
            continue
        if found == fingerprint:
            return path
        looked_at.append(f"{path} is {found[:12]}")
    raise BundleInvalid(
        f"No bundle has the fingerprint {fingerprint[:12]}: {'; '.join(looked_at)}. "
        f"Put that bundle below {settings.data / 'bundles'}, or build the snapshot again with one that is there."
    )


def default_model(settings: Settings) -> Embedder:
    """The model the settings name, or the one that comes along; raises BundleInvalid or ConfigurationError."""
    return _load(settings, settings.bundle or DEFAULT_BUNDLE)


def _load(settings: Settings, path: Path) -> Embedder:
    return Encoders.load(path, device=settings.device, threads=settings.threads.onnx)


def threshold(embedder: Embedder, kind: Literal["same_style", "similar"], modes: ModePair = "m-m") -> float | None:
    """The calibrated score of a mode pair, by default product against product; None where the bundle has none."""
    calibrated = getattr(embedder.thresholds.get(modes), kind, None)
    return calibrated.score if calibrated is not None else None


def same_from(embedder: Embedder) -> SameFrom | None:
    """From which scores on two products are the same one; None where the bundle is not calibrated for that."""
    thresholds = {
        str(modes): both.same_style for modes, both in embedder.thresholds.items() if both.same_style is not None
    }
    if "m-m" not in thresholds:
        return None
    usual, similar = thresholds.pop("m-m"), threshold(embedder, "similar")
    # one that could not be calibrated as precisely would show more wrong listings than right ones are missed
    by_modes = {modes: each.score for modes, each in thresholds.items() if each.precision >= usual.interval[0]}
    return SameFrom(usual.score, usual.score if similar is None else min(usual.score, similar), by_modes)


def field_inputs(
    embedder: Embedder, product: Product, photo: bytes | None, fields: Collection[str]
) -> dict[str, ProductInput]:
    """What each field's vector of a product is made from; a field the product has nothing for is left out."""
    text = embedder.product_text(product) or None
    inputs = {"fusion": ProductInput(photo, text), "image": ProductInput(photo), "text": ProductInput(text=text)}
    return {name: item for name, item in inputs.items() if name in fields and (item.image or item.text)}


class LoadedModels:
    """The encoders in use by fingerprint, each behind a queue of its own; safe for any number of threads."""

    def __init__(self, source: ModelSource, settings: EncoderSettings, decode: WorkPool) -> None:
        self._source = source
        self._settings = settings
        self._decode = decode
        self._queues: dict[str, EncoderQueues] = {}
        self._loading = threading.Lock()

    def get(self, fingerprint: str) -> EncoderQueues:
        """The encoders of a vector space, loaded where they are not; raises what loading raises."""
        with self._loading:
            if fingerprint not in self._queues:
                embedder = self._source.load(fingerprint)
                if embedder.fingerprint != fingerprint:  # it is computed now, so that no request waits for it
                    raise BundleInvalid(f"The bundle of {fingerprint[:12]} was changed while it was loaded. Try again.")
                self._queues[fingerprint] = EncoderQueues(
                    embedder,
                    max_batch=self._settings.max_batch,
                    max_queue=self._settings.max_queue,
                    decode=self._decode,
                )
            return self._queues[fingerprint]

    def needs(self, fingerprint: str) -> int:
        """The bytes of memory that `get` would take; raises BundleInvalid where there is no such model."""
        return 0 if fingerprint in self._queues else self._source.needs(fingerprint)

    @property
    def loaded(self) -> Mapping[str, EncoderQueues]:
        """Those loaded now, by fingerprint."""
        return dict(self._queues)

    def keep(self, fingerprints: Collection[str]) -> None:
        """Close all others, after what they have under way."""
        with self._loading:
            gone = [self._queues.pop(name) for name in self._queues.keys() - set(fingerprints)]
        for queue in gone:
            queue.close()
