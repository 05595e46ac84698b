"""A bundle of family `dual` from a model somebody else trained.

read the source -> export in float32 -> check against the source -> float16 and int8, and how far they drift
-> narrower where asked for -> write, load once, and only then put in place
"""

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from catalogue.errors import BundleInvalid, Conflict, InvalidInput
from models.bundle import BundleConfig, Device, Drift, Variant
from models.embedder import Encoded, Vectors
from models.encoders import Encoders
from models.evaluation import Mode, drift_of, embed_modes
from models.export.contract import export_fusion
from models.export.dual import DualFusion
from models.export.half import load_rounding
from models.export.narrow import Narrow, narrowed
from models.export.own_files import own_word
from models.export.quantise import quantise_weights
from models.export.source import Source
from models.export.towers import export_image, export_text
from models.export.writer import install, write_files
from models.export.zoo_card import zoo_card
from models.preprocessing import TEMPLATE, normalise

PRECISIONS: Final[Mapping[str, Device]] = {"float32": "cpu", "float16": "cuda", "int8": "cpu"}
"""Where a variant is for; float32 is the reference and runs anywhere."""
MAX_DIFFERENCE: Final = 1e-4
_MAX_FROM_OWN: Final = 1e-3
"""As above, but from ONNX files that others made of the source: their weights may have been rounded otherwise."""
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
    if out.exists():
        raise Conflict(f"{out} is there already. Give another directory, or remove it.")
    if "float32" not in wanted.variants or set(wanted.variants) - PRECISIONS.keys():
        raise InvalidInput(f"Variants are some of {', '.join(PRECISIONS)}, and float32 is always one of them.")
    if wanted.narrow is not None and not 1 <= wanted.narrow.dim < source.dim:
        raise InvalidInput(f"The model has {source.dim} dimensions, so it can be narrowed to 1..{source.dim - 1}.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        say("exporting float32")
        probe = _Probe(Path(folder), source, wanted)
        models = _exported(source)
        encoders = probe.load("float32", models, source.dim)
        figures = Figures(parity=parity(source, encoders, None), from_own=_from_own(source, encoders))
        if figures.from_own is not None:
            say(f"largest difference from its own ONNX files: {figures.from_own:.1e}")
        matrix: NDArray[np.float32] | None = None
        if wanted.narrow is not None:
            say(f"fitting {wanted.narrow.dim} dimensions")
            matrix, figures.kept_of_width = wanted.narrow.fit(encoders, wanted.image_weight)
            encoders = probe.load("float32", narrowed(models, matrix), wanted.narrow.dim)
            figures.parity = max(figures.parity, parity(source, encoders, matrix))
        if not figures.parity <= MAX_DIFFERENCE:
            raise BundleInvalid(
                f"The export of {source.path} differs from its source by {figures.parity:.1e}; "
                f"{MAX_DIFFERENCE:.0e} is allowed."
            )
        say(f"largest difference from the source: {figures.parity:.1e}")
        dim = encoders.dim
        reference = probe.vectors(encoders)
        del models, encoders  # each variant needs the memory for itself
        for precision in (one for one in wanted.variants if one != "float32"):
            say(f"making {precision}")
            vectors = probe.vectors(
                probe.load(precision, probe.quantised() if precision == "int8" else _halved(source, matrix), dim)
            )
            drift = drift_of(reference, vectors)
            (figures.drift if drift.tolerable else figures.refused)[precision] = drift
            say(f"{precision}: {_told(drift)}{'' if drift.tolerable else ', too far: left out'}")
        _finish(probe, out, source, wanted, figures, dim)
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
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        difference = float(np.abs(found - rows).max()) if found.shape == rows.shape else float("inf")
        worst = max(worst, difference if np.isfinite(difference) else float("inf"))
    return worst


def _from_own(source: Source, encoders: Encoders) -> float | None:
    """How far the bundle is from the source's own ONNX files; None without any.

    Raises BundleInvalid where it is so far that the network was not read as its authors meant it.
    """
    own = own_word(source)
    if own is None:
        return None
    difference = parity(own, encoders, None, _TEXTS[:-1])  # such files may not take texts of any length
    if not difference <= _MAX_FROM_OWN:
        raise BundleInvalid(
            f"{source.path}: the ONNX files that come with the model give other vectors than the network read from its "
            f"weights (by {difference:.1e}; {_MAX_FROM_OWN:.0e} is allowed): it is another network than is known here."
        )
    return difference


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


class _Probe:
    """Bundles of one variant each, beside where the real one will be, to be measured; it is made of their files."""

    def __init__(self, work: Path, source: Source, wanted: Wanted) -> None:
        self.work, self._source, self._wanted = work, source, wanted

    def load(self, precision: str, models: Models, dim: int) -> Encoders:
        """The encoders of a variant, computing as they are served; its files take the place of those there were."""
        places = _places(precision)
        files = {places[encoder]: model for encoder, model in models.items()}
        files[_FUSION] = export_fusion(DualFusion(self._wanted.image_weight), dim)
        variant = Variant(name=precision, device="cpu", precision=precision, reference=True, **places)
        config = _config(self._source, self._wanted, dim, (variant,))
        path = self.work / precision
        write_files(path, config, self._source.preprocessor, _saved(self._source), files, "")
        return load_rounding(path) if PRECISIONS[precision] == "cuda" else Encoders.load(path)

    def quantised(self) -> Models:
        """The float32 encoders with their weights in int8."""
        return {
            encoder: quantise_weights(onnx.load_model(self.work / "float32" / place))
            for encoder, place in _places("float32").items()
            if place != _FUSION
        }

    def vectors(self, encoders: Encoders) -> dict[Mode, Vectors]:
        """Of the sample, by photo, text and both, of the products that have both."""
        photos, texts = self._wanted.sample
        made = embed_modes(encoders, photos, texts)
        whole = made["m"].any(axis=1)
        return {mode: rows[whole] for mode, rows in made.items()}


def _finish(probe: _Probe, out: Path, source: Source, wanted: Wanted, figures: Figures, dim: int) -> None:
    variants = [_variant(one, figures.drift.get(one)) for one in wanted.variants if one not in figures.refused]
    config = _config(source, wanted, dim, tuple(variants))
    fusion = {_FUSION: export_fusion(DualFusion(wanted.image_weight), dim)}
    whole = probe.work / "bundle"
    write_files(whole, config, source.preprocessor, _saved(source), fusion, zoo_card(source, wanted, figures, config))
    for variant in variants:
        for file in (probe.work / variant.name / "onnx").iterdir():  # moved: they may be gigabytes
            if not (whole / "onnx" / file.name).exists():
                file.rename(whole / "onnx" / file.name)
    Encoders.load(whole)  # what cannot be served is never put in place
    install(whole, out, probe.work / "old")


def _config(source: Source, wanted: Wanted, dim: int, variants: tuple[Variant, ...]) -> BundleConfig:
    return BundleConfig(
        schema_version=1,
        name=wanted.name,
        family="dual",
        embedding_dim=dim,
        image_size=source.preprocessor.crop,
        max_text_tokens=source.max_tokens,
        product_text=wanted.product_text,
        variants=variants,
        licence=wanted.licence,
    )


def _variant(precision: str, drift: Drift | None) -> Variant:
    reference = precision == "float32"
    places = _places(precision)
    return Variant(
        name=precision, device=PRECISIONS[precision], precision=precision, reference=reference, drift=drift, **places
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
