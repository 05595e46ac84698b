"""A bundle of family `cross` from a run over a `dual` one (`samestyle train --base`).

The base's encoders are taken as they are, file by file; the fusion encoder that was trained takes their tokens, with
the projection to its own width inside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from rich.console import Console
from torch import Tensor, nn

from catalogue.errors import BundleInvalid, ConfigurationError
from models.bundle import Bundle, BundleConfig, Drift, ModePair, Variant
from models.calibration import calibrate
from models.embedder import Encoded, Vectors
from models.encoders import Encoders
from models.evaluation import MODE_PAIRS, Mode, Scores, drift_of, embed_modes, evaluate
from models.export.card import score_table, threshold_table
from models.export.contract import export_fusion
from models.export.cross import About
from models.export.draft import Draft
from models.export.parity import MAX_DIFFERENCE, difference
from models.export.writer import beside, check_free
from models.training.base import Base, Project
from models.training.checkpoints import BEST, load_config, load_weights
from models.training.config import TrainConfig
from models.training.data import Kept, kept_products
from models.training.network import CrossEncoder, FusionEncoder
from models.training.run import based

_FUSION: Final = "onnx/fusion_encoder.onnx"
_COMPARED: Final = 64


class BasedFusion(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Tokens of the base's encoders and their masks to the unit embedding."""

    def __init__(self, photo: Project, text: Project, fusion: FusionEncoder) -> None:
        super().__init__()
        self.photo, self.text, self.fusion = photo, text, fusion

    def forward(self, image_tokens: Tensor, image_mask: Tensor, text_tokens: Tensor, text_mask: Tensor) -> Tensor:
        """One vector per product."""
        return self.fusion(self.photo(image_tokens), image_mask, self.text(text_tokens), text_mask)


@dataclass(frozen=True, slots=True)
class _Figures:
    parity: float
    scores: Mapping[ModePair, Scores]
    before: Mapping[ModePair, Scores]
    """Of the base by itself."""
    drift: Mapping[str, Drift]


def export_based(run: Path, out: Path, about: About, *, threads: int, console: Console) -> None:
    """Write the bundle of a run's best weights to `out`, which must not be there yet.

    Raises ConfigurationError for a run that cannot be read or whose base is another one now, Conflict where `out` is
    there, BundleInvalid for an export that computes something else.
    """
    check_free(out)
    config = load_config(run / BEST)
    if config.network.base is None:
        raise ConfigurationError(f"{run} was not trained over a base.")
    base = Base(config.network.base, threads)
    based(config, base)  # that it is still the same
    model = CrossEncoder(config.network, base).eval()
    model.load_state_dict(load_weights(run / BEST))
    fusion = BasedFusion(model.photo, model.text.project, model.fusion).eval()
    console.print("exporting")
    bundle, kept = base.encoders.bundle, kept_products(config.data)
    onnx_fusion = export_fusion(fusion, base.image_shape[1])
    with beside(out) as work:
        tokenizer = bundle.file("tokenizer.json").read_bytes()
        draft = Draft(work, _config(config, bundle, about), bundle.preprocessor, tokenizer, threads)
        reference = _load(draft, bundle, bundle.reference, onnx_fusion)
        parity = largest_difference(fusion, reference, kept)
        if not parity <= MAX_DIFFERENCE:
            raise BundleInvalid(f"The export differs from PyTorch by {parity:.1e}; {MAX_DIFFERENCE:.0e} is allowed.")
        console.print(f"largest difference from PyTorch: {parity:.1e}")
        vectors, styles = _vectors(reference, kept), [item.group for item in kept]
        drift = {
            variant.name: drift_of(vectors, _vectors(_load(draft, bundle, variant, onnx_fusion), kept))
            for variant in bundle.config.variants
            if not variant.reference
        }
        before = _vectors(base.encoders, kept)
        figures = _Figures(parity, evaluate(vectors, vectors, styles), evaluate(before, before, styles), drift)
        thresholds = calibrate(vectors, styles, [item.product for item in kept])
        variants = [_with_fusion(bundle.reference, None)]
        for variant in bundle.config.variants:
            if variant.name in drift and drift[variant.name].tolerable:
                variants.append(_with_fusion(variant, drift[variant.name]))
            elif variant.name in drift:
                console.print(f"{variant.name} drifts too far ({drift[variant.name].cosine_p999:.1e}): left out")
        whole = draft.config.model_copy(
            update={
                "variants": tuple(variants),
                "thresholds": {pair: thresholds[pair] for pair in MODE_PAIRS if pair in thresholds},
            }
        )
        draft.finish(out, whole, based_card(about, config, base, whole, figures, len(kept)))
    console.print(f"wrote {out}: {sum(file.stat().st_size for file in out.rglob('*') if file.is_file()) / 1e6:.1f} MB")


def largest_difference(fusion: BasedFusion, encoders: Encoders, kept: list[Kept]) -> float:
    """The largest difference of any number of a vector from PyTorch's, by photo, by text and by both."""
    grey = np.full((encoders.bundle.config.image_size,) * 2 + (3,), 127, np.uint8)
    pixels = [encoders.prepare_image(item.photo) if item.photo else grey for item in kept[:_COMPARED]] or [grey]
    texts = [encoders.product_text(item.product) or "mug" for item in kept[:_COMPARED]] or ["mug"]
    words = [ids for text in texts if (ids := encoders.prepare_text(text)) is not None][: len(pixels)]
    photos, told = encoders.image_tokens(pixels)[: len(words)], encoders.text_tokens(words)
    image, text = torch.from_numpy(np.stack(photos)), torch.from_numpy(np.stack(told))
    on, off = (torch.full(part.shape[:2], value) for part, value in ((image, 1), (image, 0)))
    text_on, text_off = (torch.full(text.shape[:2], value) for value in (1, 0))
    worst = 0.0
    for items, image_mask, text_mask in (
        ([Encoded(one, None) for one in photos], on, text_off),
        ([Encoded(None, other) for other in told], off, text_on),
        ([Encoded(one, other) for one, other in zip(photos, told, strict=True)], on, text_on),
    ):
        with torch.inference_mode():
            wanted = fusion(image, image_mask, text, text_mask).numpy()
        worst = max(worst, difference(encoders.fuse(items), wanted))
    return worst


def _load(draft: Draft, bundle: Bundle, variant: Variant, fusion: onnx.ModelProto) -> Encoders:
    """A variant of the base, under the fusion encoder."""
    places = [place for name in (variant.image_encoder, variant.text_encoder) for place in (name, *bundle.data[name])]
    files = {place: bundle.file(place) for place in places}
    return draft.load(_with_fusion(variant, variant.drift), {_FUSION: fusion, **files})


def _config(config: TrainConfig, base: Bundle, about: About) -> BundleConfig:
    return BundleConfig(
        schema_version=1,
        name=about.name,
        family="cross",
        embedding_dim=config.network.width,
        image_size=base.config.image_size,
        max_text_tokens=base.config.max_text_tokens,
        product_text=config.views.template,
        variants=(_with_fusion(base.reference, None),),
        licence=about.licence,
    )


def _with_fusion(variant: Variant, drift: Drift | None) -> Variant:
    return variant.model_copy(update={"fusion_encoder": _FUSION, "drift": drift})


def _vectors(encoders: Encoders, kept: list[Kept]) -> dict[Mode, Vectors]:
    return embed_modes(encoders, [item.photo for item in kept], [encoders.product_text(item.product) for item in kept])


def based_card(
    about: About, config: TrainConfig, base: Base, bundle: BundleConfig, figures: _Figures, products: int
) -> str:
    """README.md of the bundle, Markdown."""
    network, encoders = config.network, base.encoders
    narrower = f", begun with the main directions of its {base.width}" if network.width < base.width else ""
    variants = "\n".join(
        f"| {name} | {drift.cosine_p999:.1e} | {drift.recall_at_10_lost:.4f} | "
        f"{'' if drift.tolerable else 'too far, or too few products to tell: left out'} |"
        for name, drift in figures.drift.items()
    )
    return f"""---
license: other
license_name: {about.licence}
tags: [product-retrieval, image-text]
---
# samestyle {about.name}

The photo and text encoders of **{encoders.name}** (fingerprint `{encoders.fingerprint[:16]}`, licence
{encoders.licence}), as they are, under a fusion encoder that was trained: {network.layers} transformer layers of width
{network.width}{narrower}. Photos, texts and products with both share one space of {network.width} dimensions.

## Data and terms
**{about.licence}.** {about.terms}

What the encoders were trained on and must not be used for stands in their own card.

## Training
`samestyle train --base`, {config.steps:,} steps of {config.rows} pairs.

## Figures
On {products:,} products of styles that were not trained on (but chose among checkpoints): finding another listing of
the same style (i photo, t text, m both; query - gallery), any of them in the top k, with 95 % intervals.

{score_table(figures.scores)}

The same of {encoders.name} by itself, by late fusion, in its {encoders.dim} dimensions. What a mode pair has less above
than here, it lost by the training or the narrower space:

{score_table(figures.before)}

## Thresholds
See `samestyle evaluate`; calibrated on the same products:

{threshold_table(bundle.thresholds)}

## Precision
The reference differs from PyTorch by at most {figures.parity:.1e}. Other variants of the base, on the same products
(worst of photo, text and both; those for a GPU on a CPU, with every float16 result rounded as a GPU does):

| variant | 1 - cos, 99.9 % | recall@10 lost | |
| --- | --- | --- | --- |
{variants or "| none | | | |"}

## Limits
- Products like those it was trained on; others are found less well.
- It must not be used to identify people.
"""
