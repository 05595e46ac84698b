"""A bundle's three encoders on ONNX Runtime.

Image and text encoder turn their input into tokens, the fusion encoder turns the tokens of one product into its
vector. ONNX Runtime plans and keeps memory for every shape it sees, so there are only few: batches and texts are
brought to the sizes below. An absent modality is one zero token with mask 0.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from catalogue.errors import BundleInvalid, InvalidInput, SamestyleError
from catalogue.product import Product
from catalogue.threads import ThreadBudget
from models.bundle import ENCODERS, Bundle, Device, ModePair, Thresholds, Variant
from models.embedder import NOTHING_TO_ENCODE, Prepared, ProductInput, Vectors, prepare_pixels
from models.preprocessing import normalise, normalise_text, product_text
from models.runtime import open_session, prepare_device

BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32)
TEXT_LENGTHS: Final = (8, 16, 32, 64, 128)
"""Tokens; a bundle's own max_text_tokens is the last one it uses."""

# More than 8 rows gain nothing on a CPU, and ONNX Runtime would keep 400 MB more for a batch of 32 photos.
_CPU_BATCH_SIZES: Final = BATCH_SIZES[:4]

_INPUTS: Final = {
    "image_encoder": ("pixel_values",),
    "text_encoder": ("input_ids", "attention_mask"),
    "fusion_encoder": ("image_tokens", "image_mask", "text_tokens", "text_mask"),
}
_OUTPUTS: Final = {"image_encoder": "image_tokens", "text_encoder": "text_tokens", "fusion_encoder": "embedding"}


class Encoders:
    """The encoders of one variant of a bundle; implements `Embedder`."""

    def __init__(self, bundle: Bundle, variant: Variant, sessions: Mapping[str, ort.InferenceSession]) -> None:
        self._bundle = bundle
        self._variant = variant
        self._sessions = sessions
        self._tokenizer = bundle.load_tokenizer()
        self._lengths = _text_lengths(bundle.config.max_text_tokens)
        self._token_widths = {
            side: _last_size(sessions["fusion_encoder"], f"{side}_tokens", bundle) for side in ("image", "text")
        }
        self._pads_batches = _on_gpu(sessions)

    @classmethod
    def load(cls, path: str | Path, *, device: Device = "cpu", threads: int | None = None) -> Self:
        """Load a bundle and try it out once.

        `threads` is the ThreadBudget's `onnx`, by default that of this machine. Raises BundleInvalid for a bundle
        that must not be served, ConfigurationError for an installation that cannot run it on `device`.
        """
        bundle = Bundle.load(path)
        variant = bundle.variant_for(device)
        prepare_device(device)
        threads = threads or ThreadBudget.of().onnx
        sessions = {
            name: open_session(bundle.file(getattr(variant, name)), device=device, threads=threads) for name in ENCODERS
        }
        _check_contract(bundle, variant, sessions)
        encoders = cls(bundle, variant, sessions)
        encoders._try_out()
        return encoders

    @property
    def bundle(self) -> Bundle:
        """The bundle these encoders come from."""
        return self._bundle

    @property
    def name(self) -> str:
        """The bundle's name, for people."""
        return self._bundle.config.name

    @property
    def fingerprint(self) -> str:
        """The name of the vector space, 64 hexadecimal digits."""
        return self._bundle.fingerprint

    @property
    def variant(self) -> str:
        """Which variant of the bundle runs."""
        return self._variant.name

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return self._bundle.config.embedding_dim

    @property
    def licence(self) -> str:
        """The licence of the weights."""
        return self._bundle.config.licence

    @property
    def thresholds(self) -> Mapping[ModePair, Thresholds]:
        """The calibrated thresholds per mode pair."""
        return self._bundle.config.thresholds

    def product_text(self, product: Product) -> str:
        """The text the model reads for a product; empty where it has none."""
        return product_text(product, self._bundle.config.product_text)

    def prepare(self, item: ProductInput) -> Prepared:
        """Decode and tokenise one input on the calling thread.

        Raises InvalidInput where there is nothing to encode, UndecodableImage or TooLarge for the photo.
        """
        token_ids = self._tokenise(item.text) if item.text is not None else None
        pixels = prepare_pixels(item, self._bundle.preprocessor)
        if pixels is None and token_ids is None:
            raise InvalidInput(NOTHING_TO_ENCODE)
        return Prepared(pixels, token_ids)

    def encode(self, items: Sequence[Prepared]) -> Vectors:
        """Embed prepared inputs, float32 [n, dim], unit rows in the order given."""
        vectors = np.empty((len(items), self.dim), dtype=np.float32)
        for rows in self._groups(items):
            start = 0
            for size, count in _batches(len(rows), pad=self._pads_batches):
                chosen = rows[start : start + count]
                vectors[chosen] = self._encode_alike([items[row] for row in chosen], size)
                start += count
        return vectors

    def embed(self, items: Sequence[ProductInput]) -> Vectors:
        """Prepare and encode, float32 [n, dim]."""
        return self.encode([self.prepare(item) for item in items])

    def _tokenise(self, text: str) -> NDArray[np.int64] | None:
        """Token ids, or None for a text without a single word."""
        encoding = self._tokenizer.encode(normalise_text(text, self._bundle.config.max_text_tokens))
        if all(encoding.special_tokens_mask):
            return None
        return np.asarray(encoding.ids, dtype=np.int64)

    def _groups(self, items: Sequence[Prepared]) -> list[list[int]]:
        """Row numbers of the items that can share a batch: same modalities, same bucket of text length."""
        groups: defaultdict[tuple[bool, int], list[int]] = defaultdict(list)
        for row, item in enumerate(items):
            if item.pixels is None and item.token_ids is None:
                raise InvalidInput(NOTHING_TO_ENCODE)
            length = 0 if item.token_ids is None else _bucket(len(item.token_ids), self._lengths)
            groups[item.pixels is not None, length].append(row)
        return list(groups.values())

    def _encode_alike(self, items: Sequence[Prepared], size: int) -> Vectors:
        """Embed up to `size` items of the same modalities in one run, padded to `size`."""
        image_tokens, image_mask = self._image_tokens([item.pixels for item in items if item.pixels is not None], size)
        text_tokens, text_mask = self._text_tokens([i.token_ids for i in items if i.token_ids is not None], size)
        embedding = self._run(
            "fusion_encoder",
            {
                "image_tokens": image_tokens,
                "image_mask": image_mask,
                "text_tokens": text_tokens,
                "text_mask": text_mask,
            },
        )
        return embedding[: len(items)]

    def _image_tokens(self, pixels: Sequence[NDArray[np.uint8]], size: int) -> tuple[Vectors, NDArray[np.int64]]:
        """Tokens [size, P, Di] and their mask [size, P]."""
        if not pixels:
            return self._absent("image", size)
        padded = [*pixels, *[pixels[0]] * (size - len(pixels))]
        tokens = self._run("image_encoder", {"pixel_values": normalise(padded, self._bundle.preprocessor)})
        return tokens, np.ones(tokens.shape[:2], dtype=np.int64)

    def _text_tokens(self, texts: Sequence[NDArray[np.int64]], size: int) -> tuple[Vectors, NDArray[np.int64]]:
        """Tokens [size, T, Dt] and their mask [size, T]."""
        if not texts:
            return self._absent("text", size)
        length = _bucket(max(len(ids) for ids in texts), self._lengths)
        ids = np.zeros((size, length), dtype=np.int64)
        mask = np.zeros((size, length), dtype=np.int64)
        for row in range(size):
            text = texts[min(row, len(texts) - 1)]
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        tokens = self._run("text_encoder", {"input_ids": ids, "attention_mask": mask})
        # an encoder that pools gives one token for the whole text
        return tokens, mask if tokens.shape[1] == length else np.ones(tokens.shape[:2], dtype=np.int64)

    def _absent(self, side: str, size: int) -> tuple[Vectors, NDArray[np.int64]]:
        return np.zeros((size, 1, self._token_widths[side]), np.float32), np.zeros((size, 1), np.int64)

    def _run(self, encoder: str, inputs: dict[str, NDArray[Any]]) -> Vectors:
        (output,) = self._sessions[encoder].run([_OUTPUTS[encoder]], inputs)
        return np.asarray(output, dtype=np.float32)

    def _try_out(self) -> None:
        """One run of every encoder: a bundle that fails should fail here, and the first request finds it warm."""
        side = self._bundle.config.image_size
        grey = np.full((side, side, 3), 127, dtype=np.uint8)
        word = self._tokenise("red mug")
        try:
            vectors = self.encode([Prepared(grey, word), Prepared(grey, None), Prepared(None, word)])
        except SamestyleError:
            raise
        except Exception as error:  # ONNX Runtime has an exception class per status code, without a common base
            raise BundleInvalid(f"{self._bundle.path} fails on a plain photo and two words: {error}") from error
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise BundleInvalid(f"{self._bundle.path} gives vectors that are not of length 1. Export it again.")


def _on_gpu(sessions: Mapping[str, ort.InferenceSession]) -> bool:
    """Whether the sessions run on a GPU, where one padded batch is cheaper than several full ones."""
    return all(session.get_providers()[0] != "CPUExecutionProvider" for session in sessions.values())


def _batches(count: int, *, pad: bool) -> Iterator[tuple[int, int]]:
    """(batch size, items in it) until `count` items are placed.

    A CPU takes as long per row whatever the batch, so there full smaller batches beat a padded one.
    """
    while count:
        size = _bucket(count, BATCH_SIZES) if pad else max(size for size in _CPU_BATCH_SIZES if size <= count)
        taken = min(size, count)
        yield size, taken
        count -= taken


def _bucket(value: int, sizes: Sequence[int]) -> int:
    """The smallest size that holds `value`, or else the largest."""
    return next((size for size in sizes if size >= value), sizes[-1])


def _text_lengths(max_text_tokens: int) -> tuple[int, ...]:
    return (*(length for length in TEXT_LENGTHS if length < max_text_tokens), max_text_tokens)


def _last_size(session: ort.InferenceSession, name: str, bundle: Bundle) -> int:
    """The fixed last dimension of a session's input."""
    shape = next(node.shape for node in session.get_inputs() if node.name == name)
    if not shape or not isinstance(shape[-1], int):
        raise BundleInvalid(f"{bundle.path}: {name} must have a fixed last dimension. Export the bundle again.")
    return shape[-1]


def _check_contract(bundle: Bundle, variant: Variant, sessions: Mapping[str, ort.InferenceSession]) -> None:
    """Raise BundleInvalid unless names and sizes of all inputs and outputs are those of the contract."""
    for encoder, session in sessions.items():
        inputs, expected = sorted(node.name for node in session.get_inputs()), sorted(_INPUTS[encoder])
        outputs = [node.name for node in session.get_outputs()]
        if inputs != expected or _OUTPUTS[encoder] not in outputs:
            raise BundleInvalid(
                f"{bundle.file(getattr(variant, encoder))} takes {inputs} and gives {outputs}; expected {expected} and "
                f"{_OUTPUTS[encoder]}. Export the bundle again."
            )
    config = bundle.config
    _check_size(bundle, sessions["image_encoder"].get_inputs()[0].shape[-1], config.image_size, "image_size")
    _check_size(bundle, sessions["fusion_encoder"].get_outputs()[0].shape[-1], config.embedding_dim, "embedding_dim")


def _check_size(bundle: Bundle, in_file: object, in_config: int, name: str) -> None:
    if isinstance(in_file, int) and in_file != in_config:  # a name instead of a number stands for any size
        raise BundleInvalid(
            f"{bundle.path}: config.json has {name} {in_config} but the ONNX file has {in_file}. Export it again."
        )
