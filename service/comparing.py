"""Whether two things are the same: their similarity, by the threshold of what they are."""

from collections.abc import Sequence
from typing import Final, Literal, cast

import numpy as np
from pydantic import BaseModel, Field

from catalogue.product import Product
from catalogue.variants import Mode, contradictions
from models.bundle import ModePair
from service.flights import together
from service.models import threshold
from service.query import Query
from service.ranking import Vector
from service.retrieval import Retrieval
from service.same_style import same_from

Verdict = Literal["same-style", "similar", "different"]
_MODES: Final[dict[str, Mode]] = {"image": "i", "text": "t", "image+text": "m"}
"""Image, text or both, of what is no product."""


class ContradictionAnswer(BaseModel):
    """What two products say, by an attribute or in their titles, that cannot both be true of one."""

    attribute: str = Field(description="its name, or `title`")
    a: str = Field(description="what the first says")
    b: str = Field(description="what the second says")


class ThresholdsAnswer(BaseModel):
    """From which scores on two things are of one style, or similar; null where the model is not calibrated for that."""

    same_style: float | None = Field(description="of one style")
    similar: float | None = Field(description="similar")


class Comparison(BaseModel):
    """How alike two things are."""

    score: float = Field(description="cosine similarity, -1..1")
    verdict: Verdict | None = Field(
        description="`same-style` at or above that threshold, or a lower one for products with one GTIN, unless they "
        "say they are different variants; `similar` at or above that one; null where the model has no threshold for "
        "such a pair"
    )
    mode: ModePair = Field(
        description="what a and b are: i a photo (or a product with crop), t words, m a product, or either with words"
    )
    thresholds: ThresholdsAnswer = Field(description="the calibrated scores of the mode")
    contradictions: list[ContradictionAnswer] = Field(
        description="where both are products of the catalogue, without words or crop"
    )
    same_gtin: bool = Field(
        description="whether both are products of the catalogue with the same GTIN, without words or crop"
    )


async def compare(retrieval: Retrieval, a: Query, b: Query) -> Comparison:
    """Two queries compared as a search for one that finds the other would; raises as `Retrieval.search`."""
    one, other = await together(retrieval.vector(a), _as_found(retrieval, b))
    score = float(np.clip(one @ other, -1, 1))
    modes = _mode(retrieval, a), _mode(retrieval, b)
    mode = cast("ModePair", f"{modes[0]}-{modes[1]}")
    same_style = threshold(retrieval.embedder, "same_style", mode)
    similar = threshold(retrieval.embedder, "similar", mode)
    products = _products(retrieval, a, b)
    if products and same_style is not None:  # as the tabs judge
        same_style = same_from(retrieval).of(*modes)
    said = contradictions(*products) if products else []
    against = [ContradictionAnswer(attribute=attribute, a=one, b=other) for attribute, one, other in said]
    codes = [retrieval.view.gtins(product.attributes) for product in products or ()]
    same_gtin = len(codes) == 2 and not codes[0].isdisjoint(codes[1])
    if same_gtin and not against and score >= same_from(retrieval).with_gtin:
        verdict: Verdict | None = "same-style"
    else:
        verdict = _verdict(score, same_style, similar, against)
    return Comparison(
        score=score,
        verdict=verdict,
        mode=mode,
        thresholds=ThresholdsAnswer(same_style=same_style, similar=similar),
        contradictions=against,
        same_gtin=same_gtin,
    )


def _mode(retrieval: Retrieval, query: Query) -> Mode:
    """What there is of a query; a product that words come with is its photo, where it has one, and them."""
    if query.product_id is None or query.crop is not None:
        return _MODES[query.modality]
    own = retrieval.listing(query.product_id)
    if query.text:
        return "t" if own.photo is None else "m"
    return own.mode


async def _as_found(retrieval: Retrieval, query: Query) -> Vector:
    """A product's vector as it is stored, so that its score is the one that searches give it."""
    if query.product_id is None or query.modality != "product":
        return await retrieval.vector(query)
    view = retrieval.view
    found: Vector = view.vectors("fusion", np.array([view.row_of(query.product_id)]))[0]
    return found


def _products(retrieval: Retrieval, a: Query, b: Query) -> tuple[Product, Product] | None:
    """Two products as they are; words beside one ask for another, and a crop is of a photo alone."""
    if a.product_id is None or b.product_id is None or a.modality != "product" or b.modality != "product":
        return None
    return retrieval.product(a.product_id).product, retrieval.product(b.product_id).product


def _verdict(
    score: float, same_style: float | None, similar: float | None, against: Sequence[ContradictionAnswer]
) -> Verdict | None:
    if same_style is not None and score >= same_style and not against:
        return "same-style"
    floor = similar if similar is not None else same_style
    if floor is None:
        return None
    return "similar" if score >= floor else "different"
