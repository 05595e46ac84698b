"""The model card of an exported model."""

from typing import TYPE_CHECKING

from models.bundle import BundleConfig, Drift
from models.export.source import Source

if TYPE_CHECKING:
    from models.export.zoo import Figures, Wanted


def zoo_card(source: Source, wanted: "Wanted", figures: "Figures", config: BundleConfig) -> str:
    """README.md of the bundle, Markdown."""
    pictures = source.preprocessor
    fit = "cut out of the middle" if pictures.fit != "stretch" else "of all of the photo, whatever its proportions"
    files = "\n".join(f"| {name} | `{digest}` |" for name, digest in source.hashes.items())
    return f"""---
license: other
license_name: {wanted.licence}
tags: [product-retrieval, image-text]
---
# samestyle {wanted.name}

An export of **{wanted.origin}** (family {source.family}), whose weights are under **{wanted.licence}**.
Photos and texts share one space of {config.embedding_dim} dimensions; a product with both is their weighted sum
({wanted.image_weight:g} photo, {1 - wanted.image_weight:g} text).
What the model was trained on and must not be used for stands in its own card.

| file of the source | SHA-256 |
| --- | --- |
{files}

## Input
Photos: a square of {pictures.crop} pixels {fit} (shorter side to {pictures.resize}, {pictures.resample}), mean
{_numbers(pictures.mean)}, deviation {_numbers(pictures.std)}.
Texts: up to {config.max_text_tokens} tokens{_filled(source)}{_adapted(source)}.
Large photos are decoded at a smaller scale first, so their pixels differ a little from the source's own way.

## Precision
In float32, the reference, no number of a unit vector differs from the source's network by more than
{figures.parity:.1e}{_from_own(figures)}.
Other variants, measured on {len(wanted.sample[1]):,} products (worst of photo, text and both; float16 on a CPU, with
every result rounded as a GPU does):

| variant | 1 - cos, 99.9 % | recall@10 lost | |
| --- | --- | --- | --- |
{_variants(figures)}
{_narrow(wanted, figures)}
## Limits
- No thresholds: `samestyle evaluate CATALOGUE --bundle . --calibrate` sets them, and `--tune-weights` the weights.
- It must not be used to identify people.
{_not_for_sale(wanted)}"""


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _filled(source: Source) -> str:
    return "" if source.fill_to is None else f", filled up to {source.fill_to} as in training"


def _adapted(source: Source) -> str:
    if source.adapter is None:
        return ""
    return (
        f", read by the adapter `{source.adapter}` (added to the weights here)\nwithout its instruction, products and "
        "queries alike, as the source's own code does where no task is asked for"
    )


def _not_for_sale(wanted: "Wanted") -> str:
    words = wanted.licence.lower().replace("_", "-").split("-")
    return f"- {wanted.licence} allows no commercial use.\n" if "nc" in words else ""


def _from_own(figures: "Figures") -> str:
    if figures.from_own is None:
        return ""
    return f", and from the ONNX files that came with the source by more than {figures.from_own:.1e}"


def _variants(figures: "Figures") -> str:
    def row(name: str, drift: Drift, remark: str) -> str:
        return f"| {name} | {drift.cosine_p999:.1e} | {drift.recall_at_10_lost:.4f} | {remark} |"

    rows = [row(name, drift, "") for name, drift in figures.drift.items()]
    too_far = "too far, or too few products to tell: left out"
    rows += [row(name, drift, too_far) for name, drift in figures.refused.items()]
    return "\n".join(rows or ["| none | | | |"])


def _narrow(wanted: "Wanted", figures: "Figures") -> str:
    if wanted.narrow is None:
        return ""
    rows = "\n".join(f"| {name} | {value:.4f} |" for name, value in figures.kept_of_width.items())
    return f"""
## Width
Narrowed to {wanted.narrow.dim} dimensions by PCA on half of {len(wanted.narrow.texts):,} products. On the other half:

| what | share |
| --- | --- |
{rows}
"""
