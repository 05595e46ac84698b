"""A bundle of family `dual` from a model somebody else trained.

read the source -> export in float32 -> check against the source -> float16 and int8, and how far they drift
-> narrower where asked for -> write, load once, and only then put in place
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from catalogue.errors import BundleInvalid, InvalidInput
from models.bundle import BundleConfig, Device, Drift, Variant
from models.embedder import Encoded, Vectors
from models.encoders import Encoders
from models.evaluation import Mode, drift_of, embed_modes
from models.export.contract import export_fusion
from models.export.draft import Draft
from models.export.dual import DualFusion
from models.export.narrow import Narrow, narrowed
from models.export.own_files import own_word
from models.export.parity import MAX_DIFFERENCE, difference
from models.export.quantise import quantise_weights
from models.export.source import Source
from models.export.towers import export_image, export_text
from models.export.writer import beside, check_free
from models.export.zoo_card import zoo_card
from models.preprocessing import TEMPLATE, normalise

PRECISIONS: Final[Mapping[str, Device]] = {"float32": "cpu", "float16": "cuda", "int8": "cpu"}
"""Where a variant is for; float32 is the reference and runs anywhere."""
_MAX_FROM_OWN: Final = 1e-3
"""As MAX_DIFFERENCE, but from ONNX files that others made of the source, perhaps of weights rounded otherwise."""
_FUSION: Final = "onnx/fusion_encoder.onnx"
_TEXTS: Final = (
    "mug",
    "A red mug, for hot tea & coffee",
    "Hex bolt M8 x 40 (zinc plated), 100 pcs; DIN 933 - 8.8",
    "Crème brûlée-Schälchen 12 cm",
    "steel bolt " * 200,
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the bundle is to be; `sample` holds photos and texts of a catalogue that drift is measured on."""

    name: str
    licence: str
    origin: str
    """Where the source is from, for the card."""
    product_text: str = TEMPLATE
    variants: tuple[str, ...] = ("float32", "float16", "int8")
    image_weight: float = 0.5
    sample: tuple[list[bytes | None], list[str]] = ((), ())  # type: ignore[assignment]
    narrow: Narrow | None = None


@dataclass
class Figures:
    """What the export found out."""

    parity: float = 0.0
    from_own: float | None = None
    """The largest difference from the ONNX files that the source brings along, where it has any."""
    drift: dict[str, Drift] = field(default_factory=dict)
    refused: dict[str, Drift] = field(default_factory=dict)
    """Variants left out because they drifted too far."""
    kept_of_width: dict[str, float] = field(default_factory=dict)
    """What a narrower space lost; see `Narrow`."""


Models = dict[str, onnx.ModelProto]


def export_zoo(source: Source, out: Path, wanted: Wanted, say: Say = lambda _: None) -> Figures:
    """Write the bundle to `out`, which must not be there yet.

    Raises Conflict where it is, BundleInvalid for a model whose export computes something else, InvalidInput for a
    width that cannot be had.
    """
    check_free(out)
    if "float32" not in wanted.variants or set(wanted.variants) - PRECISIONS.keys():
        raise InvalidInput(f"Variants are some of {', '.join(PRECISIONS)}, and float32 is always one of them.")
    if wanted.narrow is not None and not 1 <= wanted.narrow.dim < source.dim:
        raise InvalidInput(f"The model has {source.dim} dimensions, so it can be narrowed to 1..{source.dim - 1}.")
    with beside(out) as work:
        say("exporting float32")
        draft = Draft(work, _config(source, wanted), source.preprocessor, _saved(source))
        models = _exported(source)
        encoders = _load(draft, wanted, "float32", models)
        figures = Figures(parity=parity(source, encoders, None), from_own=_from_own(source, encoders))
        if figures.from_own is not None:
            say(f"largest difference from its own ONNX files: {figures.from_own:.1e}")
        matrix: NDArray[np.float32] | None = None
        if wanted.narrow is not None:
            say(f"fitting {wanted.narrow.dim} dimensions")
            matrix, figures.kept_of_width = wanted.narrow.fit(encoders, wanted.image_weight)
            draft = replace(draft, config=draft.config.model_copy(update={"embedding_dim": wanted.narrow.dim}))
            encoders = _load(draft, wanted, "float32", narrowed(models, matrix))
            figures.parity = max(figures.parity, parity(source, encoders, matrix))
        if not figures.parity <= MAX_DIFFERENCE:
            raise BundleInvalid(
                f"The export of {source.path} differs from its source by {figures.parity:.1e}; "
                f"{MAX_DIFFERENCE:.0e} is allowed."
            )
        say(f"largest difference from the source: {figures.parity:.1e}")
        reference = _vectors(encoders, wanted)
        del models, encoders  # each variant needs the memory for itself
        for precision in (one for one in wanted.variants if one != "float32"):
            say(f"making {precision}")
            vectors = _vectors(
                _load(draft, wanted, precision, _quantised(work) if precision == "int8" else _halved(source, matrix)),
                wanted,
            )
            drift = drift_of(reference, vectors)
            (figures.drift if drift.tolerable else figures.refused)[precision] = drift
            say(f"{precision}: {_told(drift)}{'' if drift.tolerable else ', too far: left out'}")
        variants = [_variant(one, figures.drift.get(one)) for one in wanted.variants if one not in figures.refused]
        config = draft.config.model_copy(update={"variants": tuple(variants)})
        draft.finish(out, config, zoo_card(source, wanted, figures, config))
    return figures


def parity(
    source: Source, encoders: Encoders, matrix: NDArray[np.float32] | None, texts: Sequence[str] = _TEXTS
) -> float:
    """The largest difference of any number of a unit vector from what the source's own network gives.

    Photos of noise and of flat colour, texts short and cut; `matrix` is what the bundle's space was narrowed with.
    """
    random = np.random.default_rng(0)
    side = source.preprocessor.crop
    photos = [random.integers(0, 256, (side, side, 3)).astype(np.uint8) for _ in range(3)]
    photos.append(np.full((side, side, 3), 200, np.uint8))
    with torch.inference_mode():
        pixels = torch.from_numpy(normalise(photos, source.preprocessor))
        seen = source.model.get_image_features(pixel_values=pixels).pooler_output.numpy()
        read = np.concatenate([_text_features(source, text) for text in texts])
    found_images = encoders.fuse([Encoded(tokens, None) for tokens in encoders.image_tokens(photos)])
    ids = [encoders.prepare_text(text) for text in texts]
    found_texts = encoders.fuse(
        [Encoded(None, tokens) for tokens in encoders.text_tokens([one for one in ids if one is not None])]
    )
    worst = 0.0
    for found, wanted in ((found_images, seen), (found_texts, read)):
        rows = wanted @ matrix if matrix is not None else wanted
        worst = max(worst, difference(found, rows / np.linalg.norm(rows, axis=1, keepdims=True)))
    return worst


def _from_own(source: Source, encoders: Encoders) -> float | None:
    """How far the bundle is from the source's own ONNX files; None without any.

    Raises BundleInvalid where it is so far that the network was not read as its authors meant it.
    """
    own = own_word(source)
    if own is None:
        return None
    apart = parity(own, encoders, None, _TEXTS[:-1])  # such files may not take texts of any length
    if not apart <= _MAX_FROM_OWN:
        raise BundleInvalid(
            f"{source.path}: the ONNX files that come with the model give other vectors than the network read from its "
            f"weights (by {apart:.1e}; {_MAX_FROM_OWN:.0e} is allowed): it is another network than is known here."
        )
    return apart


def _text_features(source: Source, text: str) -> Vectors:
    """[1, width], from a text in the form that the source was trained on."""
    ids = source.token_ids(text)
    padded = ids + [source.filling] * ((source.fill_to or len(ids)) - len(ids))
    found: Vectors = source.model.get_text_features(input_ids=torch.tensor([padded])).pooler_output.numpy()
    return found


def _exported(source: Source) -> Models:
    return {
        "image_encoder": export_image(source.model, source.preprocessor.crop),
        "text_encoder": export_text(source.model, source.fill_to, source.filling),
    }


def _halved(source: Source, matrix: NDArray[np.float32] | None) -> Models:
    half = copy.deepcopy(source.model).half()
    models = {
        "image_encoder": export_image(half, source.preprocessor.crop, fuse=True),
        "text_encoder": export_text(half, source.fill_to, source.filling, fuse=True),
    }
    return models if matrix is None else narrowed(models, matrix)


def _load(draft: Draft, wanted: Wanted, precision: str, models: Models) -> Encoders:
    variant = _variant(precision)
    files = {getattr(variant, encoder): model for encoder, model in models.items()}
    files[_FUSION] = export_fusion(DualFusion(wanted.image_weight), draft.config.embedding_dim)
    return draft.load(variant, files)


def _quantised(work: Path) -> Models:
    """The float32 encoders with their weights in int8."""
    return {
        encoder: quantise_weights(onnx.load_model(work / "float32" / place))
        for encoder, place in _places("float32").items()
        if place != _FUSION
    }


def _vectors(encoders: Encoders, wanted: Wanted) -> dict[Mode, Vectors]:
    """Of the sample, by photo, text and both, of the products that have both."""
    made = embed_modes(encoders, *wanted.sample)
    whole = made["m"].any(axis=1)
    return {mode: rows[whole] for mode, rows in made.items()}


def _config(source: Source, wanted: Wanted) -> BundleConfig:
    return BundleConfig(
        schema_version=1,
        name=wanted.name,
        family="dual",
        embedding_dim=source.dim,
        image_size=source.preprocessor.crop,
        max_text_tokens=source.max_tokens,
        product_text=wanted.product_text,
        variants=(_variant("float32"),),
        licence=wanted.licence,
    )


def _variant(precision: str, drift: Drift | None = None) -> Variant:
    """Without a drift, as the reference."""
    return Variant(
        name=precision,
        device=PRECISIONS[precision],
        precision=precision,
        reference=drift is None,
        drift=drift,
        **_places(precision),
    )


def _places(precision: str) -> dict[str, str]:
    ending = "" if precision == "float32" else f"_{precision}"
    towers = {f"{tower}_encoder": f"onnx/{tower}_encoder{ending}.onnx" for tower in ("image", "text")}
    return towers | {"fusion_encoder": _FUSION}


def _saved(source: Source) -> bytes:
    source.tokenizer.no_padding()
    source.tokenizer.no_truncation()
    return source.tokenizer.to_str().encode()


def _told(drift: Drift) -> str:
    return f"1 - cos {drift.cosine_p999:.1e} (99.9 %), recall@10 lost {drift.recall_at_10_lost:.4f}"
