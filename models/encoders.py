"""A bundle's three encoders on ONNX Runtime.

Image and text encoder turn their input into tokens, the fusion encoder turns the tokens of one product into its
vector. ONNX Runtime plans and keeps memory for every shape it sees, so there are only few: batches, texts and tokens
are brought to the sizes below. An absent modality is one zero token with mask 0.

On a GPU all runs are made by the device's one thread, and where its memory is full a batch is made in smaller parts,
and later ones are no larger for a while; a single input that finds no room is refused (`DeviceMemoryFull`), and the
process goes on.
"""

import time
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from catalogue.device_memory import is_out_of_memory
from catalogue.errors import BundleInvalid, DeviceMemoryFull, InvalidInput, NotEnoughMemory, SamestyleError
from catalogue.product import Product
from catalogue.threads import ThreadBudget
from models.bound import Inputs, call
from models.bundle import ENCODERS, Bundle, Device, ModePair, Thresholds, Variant
from models.embedder import NOTHING_TO_ENCODE, EmbedderSteps, Encoded, Encoder, Prepared, TokenIds, Tokens, Vectors
from models.preprocessing import Box, Pixels, load_pixels, normalise, normalise_text, product_text
from models.runtime import Session, open_session, prepare_device

BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32)
TEXT_LENGTHS: Final = (8, 16, 32, 64, 128, 192, 256, 384)
"""Tokens; a bundle's own max_text_tokens is the last one it uses."""

# More gain nothing on a CPU: a photo takes 7.5 ms alone and 8.1 ms among 8. Texts share the reading of the weights: one
# of 8 tokens takes 2.6 ms alone and 1.5 ms among 8. And ONNX Runtime would keep 400 MB more for a batch of 32 photos.
_CPU_BATCH_SIZES: Final[Mapping[Encoder, tuple[int, ...]]] = {
    "image": BATCH_SIZES[:1],
    "text": BATCH_SIZES[:4],
    "fusion": BATCH_SIZES[:4],
}

_FULL_S: Final = 60.0
"""How long batches stay small after memory was full."""

_INPUTS: Final = {
    "image_encoder": ("pixel_values",),
    "text_encoder": ("input_ids", "attention_mask"),
    "fusion_encoder": ("image_tokens", "image_mask", "text_tokens", "text_mask"),
}
_OUTPUTS: Final = {"image_encoder": "image_tokens", "text_encoder": "text_tokens", "fusion_encoder": "embedding"}


class Encoders(EmbedderSteps):
    """The encoders of one variant of a bundle; implements `Embedder`."""

    def __init__(self, bundle: Bundle, variant: Variant, sessions: Mapping[str, Session]) -> None:
        self._bundle = bundle
        self._variant = variant
        self._sessions = sessions
        self._tokenizer = bundle.load_tokenizer()
        self._lengths = _text_lengths(bundle.config.max_text_tokens)
        self._token_widths = {
            side: _last_size(sessions["fusion_encoder"], f"{side}_tokens", bundle) for side in ("image", "text")
        }
        self._on_gpu = _on_gpu(sessions)
        self._room = {name: _Room() for name in ENCODERS}

    @classmethod
    def load(cls, path: str | Path, *, device: Device = "cpu", threads: int | None = None) -> Self:
        """Load a bundle and try it out once.

        `threads` is the ThreadBudget's `onnx`, by default that of this machine. Raises BundleInvalid for a bundle
        that must not be served, ConfigurationError for an installation that cannot run it on `device`, NotEnoughMemory
        for a device without room.
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

    def clean_text(self, text: str) -> str:
        """What is tokenised of a text."""
        return normalise_text(text, self._bundle.config.max_text_tokens)

    def prepare_image(self, image: bytes, crop: Box | None = None) -> Pixels:
        """Decode a photo; raises UndecodableImage or TooLarge for it, InvalidInput for the crop."""
        return load_pixels(image, self._bundle.preprocessor, crop)

    def prepare_text(self, text: str) -> TokenIds | None:
        """Token ids, or None for a text without a single word."""
        encoding = self._tokenizer.encode(self.clean_text(text))
        if all(encoding.special_tokens_mask):
            return None
        return np.asarray(encoding.ids, dtype=np.int64)

    def batch_limit(self, encoder: Encoder) -> int:
        """The largest batch that is run as one."""
        return self._batch_sizes(encoder)[-1]

    def text_bucket(self, token_ids: TokenIds) -> int:
        """The length a text is padded to."""
        return _bucket(len(token_ids), self._lengths)

    def image_tokens(self, photos: Sequence[Pixels]) -> list[Tokens]:
        """Tokens [P, Di] of each photo."""
        tokens: dict[int, Tokens] = {}
        for rows, size in self._batches("image", [0] * len(photos)):
            pixels = normalise([photos[row] for row in _padded(rows, size)], self._bundle.preprocessor)
            made = self._run("image_encoder", {"pixel_values": pixels})
            tokens |= zip(rows, made, strict=False)
        return [tokens[row] for row in range(len(photos))]

    def text_tokens(self, texts: Sequence[TokenIds]) -> list[Tokens]:
        """Tokens [T, Dt] of each text; an encoder that pools gives one token for the whole text."""
        tokens: dict[int, Tokens] = {}
        buckets = [self.text_bucket(ids) for ids in texts]
        for rows, size in self._batches("text", buckets):
            length = buckets[rows[0]]
            chosen = [texts[row] for row in _padded(rows, size)]
            ids, mask = np.zeros((size, length), np.int64), np.zeros((size, length), np.int64)
            for row, text in enumerate(chosen):
                ids[row, : len(text)] = text
                mask[row, : len(text)] = 1
            made = self._run("text_encoder", {"input_ids": ids, "attention_mask": mask})
            tokens |= {
                row: own[: len(texts[row])] if made.shape[1] == length else own
                for row, own in zip(rows, made, strict=False)
            }
        return [tokens[row] for row in range(len(texts))]

    def fuse(self, items: Sequence[Encoded]) -> Vectors:
        """Embed the tokens of inputs, float32 [n, dim], unit rows in the order given."""
        vectors = np.empty((len(items), self.dim), dtype=np.float32)
        shapes = [self._fusion_shape(item) for item in items]
        for rows, size in self._batches("fusion", shapes):
            chosen = [items[row] for row in _padded(rows, size)]
            patches, length = shapes[rows[0]]
            image_tokens, image_mask = self._masked("image", [item.image for item in chosen], patches)
            text_tokens, text_mask = self._masked("text", [item.text for item in chosen], length)
            inputs: dict[str, NDArray[Any]] = {"image_tokens": image_tokens, "image_mask": image_mask}
            inputs |= {"text_tokens": text_tokens, "text_mask": text_mask}
            vectors[rows] = self._run("fusion_encoder", inputs)[: len(rows)]
        return vectors

    def _fusion_shape(self, item: Encoded) -> tuple[int, int]:
        """Image and text tokens once padded, 0 for an absent modality: it shares no batch with a present one."""
        if item.image is None and item.text is None:
            raise InvalidInput(NOTHING_TO_ENCODE)
        length = 0 if item.text is None else _bucket(len(item.text), (1, *self._lengths))
        return 0 if item.image is None else len(item.image), length

    def _masked(self, side: str, parts: Sequence[Tokens | None], length: int) -> tuple[Vectors, NDArray[np.int64]]:
        """Tokens [n, length, D] and their mask [n, length]; one zero token with mask 0 for an absent modality."""
        tokens = np.zeros((len(parts), max(1, length), self._token_widths[side]), np.float32)
        mask = np.zeros(tokens.shape[:2], np.int64)
        for row, part in enumerate(parts):
            if part is not None:
                tokens[row, : len(part)] = part
                mask[row, : len(part)] = 1
        return tokens, mask

    def _batch_sizes(self, encoder: Encoder) -> tuple[int, ...]:
        sizes = BATCH_SIZES if self._on_gpu else _CPU_BATCH_SIZES[encoder]
        return tuple(size for size in sizes if size <= self._room[f"{encoder}_encoder"].most) or sizes[:1]

    def _batches(self, encoder: Encoder, shapes: Sequence[Hashable]) -> Iterator[tuple[list[int], int]]:
        """Row numbers of a batch and its size, until all rows are placed; those of one batch are of one shape."""
        alike: defaultdict[Hashable, list[int]] = defaultdict(list)
        for row, shape in enumerate(shapes):
            alike[shape].append(row)
        for rows in alike.values():
            start = 0
            for size, count in _cut(len(rows), self._batch_sizes(encoder), pad=self._on_gpu):
                yield rows[start : start + count], size
                start += count

    def _run(self, encoder: str, inputs: Inputs) -> Vectors:
        if not self._on_gpu:
            return self._in_parts(encoder, inputs)
        return call("cuda", partial(self._in_parts, encoder, inputs))

    def _in_parts(self, encoder: str, inputs: Inputs) -> Vectors:
        """Run a batch, in parts where there is no memory for the whole; raises DeviceMemoryFull for a single input."""
        size = len(next(iter(inputs.values())))
        made, start, most = list[Vectors](), 0, size
        while start < size:
            part = {name: value[start : start + most] for name, value in inputs.items()}
            try:
                (output,) = self._sessions[encoder].run([_OUTPUTS[encoder]], part)
            except Exception as error:  # ONNX Runtime has an exception class per status code, without a common base
                if not is_out_of_memory(error):
                    raise
                if most == 1:
                    raise DeviceMemoryFull(
                        f"There is no memory left to encode with {self.name}. Ask again later, or another instance; "
                        "a smaller SAMESTYLE_ENCODER__MAX_BATCH or a smaller index leaves more room."
                    ) from error
                most //= 2
                self._room[encoder].shrink(most)
            else:
                made.append(np.asarray(output, dtype=np.float32))
                start += most
        return made[0] if len(made) == 1 else np.concatenate(made)

    def _try_out(self) -> None:
        """One run of every encoder: a bundle that fails should fail here, and the first request finds it warm.

        On a GPU photos in batches of every size: cuDNN tries all its convolutions out when a size first comes by, which
        took .7 to 1.3 s each on an H100.
        """
        side = self._bundle.config.image_size
        grey = np.full((side, side, 3), 127, dtype=np.uint8)
        word = self.prepare_text("red mug")
        try:
            vectors = self.encode([Prepared(grey, word), Prepared(grey, None), Prepared(None, word)])
            for size in BATCH_SIZES if self._on_gpu else ():
                self.image_tokens([grey] * size)
        except DeviceMemoryFull as error:
            raise NotEnoughMemory(
                f"There is memory to load {self._bundle.path}, but not to run it. Give the device more, or export a "
                "smaller variant."
            ) from error
        except SamestyleError:
            raise
        except Exception as error:  # ONNX Runtime has an exception class per status code, without a common base
            raise BundleInvalid(f"{self._bundle.path} fails on a plain photo and two words: {error}") from error
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3):
            raise BundleInvalid(f"{self._bundle.path} gives vectors that are not of length 1. Export it again.")


class _Room:
    """The largest batch that there is memory for, as far as one knows."""

    def __init__(self) -> None:
        self._most, self._until = BATCH_SIZES[-1], 0.0

    @property
    def most(self) -> int:
        """Any size again some time after memory was full: what took it may be gone."""
        return self._most if time.monotonic() < self._until else BATCH_SIZES[-1]

    def shrink(self, size: int) -> None:
        """A batch larger than `size` found no memory."""
        self._most, self._until = size, time.monotonic() + _FULL_S


def _on_gpu(sessions: Mapping[str, Session]) -> bool:
    """Whether the sessions run on a GPU, where one padded batch is cheaper than several full ones."""
    return all(session.get_providers()[0] != "CPUExecutionProvider" for session in sessions.values())


def _cut(count: int, sizes: Sequence[int], *, pad: bool) -> Iterator[tuple[int, int]]:
    """(batch size, items in it) until `count` items are placed.

    A CPU takes as long per row whatever the batch, so there full smaller batches beat a padded one.
    """
    while count:
        size = _bucket(count, sizes) if pad else max(size for size in sizes if size <= count)
        taken = min(size, count)
        yield size, taken
        count -= taken


def _padded(rows: Sequence[int], size: int) -> Sequence[int]:
    """Row numbers for a batch of `size`, the last one repeated."""
    return [*rows, *[rows[-1]] * (size - len(rows))]


def _bucket(value: int, sizes: Sequence[int]) -> int:
    """The smallest size that holds `value`, or else the largest."""
    return next((size for size in sizes if size >= value), sizes[-1])


def _text_lengths(max_text_tokens: int) -> tuple[int, ...]:
    return (*(length for length in TEXT_LENGTHS if length < max_text_tokens), max_text_tokens)


def _last_size(session: Session, name: str, bundle: Bundle) -> int:
    """The fixed last dimension of a session's input."""
    shape = next(node.shape for node in session.get_inputs() if node.name == name)
    if not shape or not isinstance(shape[-1], int):
        raise BundleInvalid(f"{bundle.path}: {name} must have a fixed last dimension. Export the bundle again.")
    return shape[-1]


def _check_contract(bundle: Bundle, variant: Variant, sessions: Mapping[str, Session]) -> None:
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
