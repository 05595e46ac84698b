"""A product: one listing of one supplier."""

import math
import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

CATEGORY_SEPARATOR: Final = " > "
_BETWEEN_LEVELS: Final = re.compile(">+|\u00bb|\u203a")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def _clean(value: object) -> object:
    """Lone surrogates cannot be written as UTF-8, so no product may carry them."""
    return _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


def _levels(value: object) -> object:
    """Levels joined as everywhere: suppliers also write A>B, A >> B and A » B."""
    if not isinstance(value, str):
        return value
    return CATEGORY_SEPARATOR.join(level.strip() for level in _BETWEEN_LEVELS.split(value)).strip()


Text = Annotated[str, BeforeValidator(_clean)]
_INVISIBLE: Final = r"\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
"""Spaces, controls, and what joins, hides or turns round the characters beside it."""
CURRENCY: Final = "^[A-Z]{3}$"
"""A code of ISO 4217. Of products other text is kept, too: a symbol tells a shopper more than nothing."""
MAX_ATTRIBUTE: Final = 2_000
MAX_ATTRIBUTES: Final = 200
AttributeName = Annotated[Text, Field(max_length=200)]
AttributeValue = Annotated[Text, Field(max_length=MAX_ATTRIBUTE)]
Location = Annotated[Text, Field(max_length=2_000)]
_ANY_INVISIBLE: Final = re.compile(f"[{_INVISIBLE}]")


def _visible(value: object) -> object:
    """Says in words what the pattern of an id does."""
    if isinstance(value, str) and _ANY_INVISIBLE.search(value):
        raise ValueError("has a space or an invisible character. Give ids of 1 to 128 visible characters")
    return value


ProductId = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=f"^[^{_INVISIBLE}]+$"), BeforeValidator(_visible)
]


class Details(BaseModel):
    """What a listing says about its product."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text = Field(default="", max_length=2_000)
    description: Text = Field(default="", max_length=100_000)
    category: Annotated[Text, BeforeValidator(_levels)] = Field(
        default="", max_length=1_000, description="levels joined by ' > '"
    )
    supplier_id: Text = Field(default="", max_length=128)
    price: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    currency: Text | None = Field(
        default=None, max_length=8, description="a code of ISO 4217, such as EUR; other text is kept as it is"
    )
    in_stock: bool | None = None
    attributes: dict[AttributeName, AttributeValue] = Field(default_factory=dict, max_length=MAX_ATTRIBUTES)
    url: Text | None = Field(default=None, max_length=2_000)


class Product(Details):
    """One listing of one supplier, as in the catalogue; a title or a photo is required."""

    product_id: ProductId = Field(description="1 to 128 visible characters")
    images: tuple[Location, ...] = Field(
        default=(), max_length=50, description="paths or URLs; the first is the main one"
    )
    style_id: Text | None = Field(default=None, max_length=128, description="ground truth, for evaluation only")

    @model_validator(mode="after")
    def _has_something_to_show(self) -> "Product":
        if not self.title.strip() and not self.images:
            raise ValueError("a product needs a title or a photo")
        return self

    @property
    def category_levels(self) -> tuple[str, ...]:
        """The category path from the root to the leaf."""
        return tuple(level for level in self.category.split(CATEGORY_SEPARATOR) if level)


def optional_number(value: Any) -> float | None:
    """A price as shops write it, or None where it is absent.

    Raises ValueError where it is there but cannot be read.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{value!r} is not a price, as 1299.00 is (the currency has a column of its own)")
    return number
