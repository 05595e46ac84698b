"""Which products may be in an answer."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError

from catalogue.errors import InvalidInput
from catalogue.gtin import NAME, read_gtin
from catalogue.product import MAX_ATTRIBUTE
from catalogue.strict import FLAG, NUMBER, Strict
from catalogue.versioned import first_reason
from index import grammar

MAX_VALUES: Final = 1_000
MAX_ATTRIBUTES: Final = 16
MAX_ATTRIBUTE_VALUES: Final = 100


def _few_attributes(value: Any) -> Any:
    """Too many of them are refused before each is looked at."""
    if isinstance(value, Mapping) and len(value) > MAX_ATTRIBUTES:
        raise ValueError(f"has {len(value):,} attributes; at most {MAX_ATTRIBUTES} are taken")
    return value


def _without_case(attributes: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """In one order, so that equal conditions are equal in writing too."""
    folded = {name.casefold(): _as_kept(name, attributes[name]) for name in sorted(attributes, key=str.casefold)}
    if len(folded) < len(attributes):
        raise ValueError("names an attribute twice; names are compared without case")
    return folded


def _as_kept(name: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """A GTIN may be asked for in any way it is written; `catalogue.variant_table.as_pairs` keeps one."""
    return tuple(read_gtin(value) or value for value in values) if name.casefold() == NAME else values


Value = Annotated[str, StringConstraints(max_length=1_000)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Ids = tuple[Annotated[str, StringConstraints(max_length=128)], ...]
AttributeName = Annotated[str, StringConstraints(max_length=200)]
AttributeValues = Annotated[
    tuple[Annotated[str, StringConstraints(max_length=MAX_ATTRIBUTE)], ...], Field(max_length=MAX_ATTRIBUTE_VALUES)
]
Attributes = Annotated[
    dict[AttributeName, AttributeValues],
    Field(max_length=MAX_ATTRIBUTES),
    BeforeValidator(_few_attributes),
    AfterValidator(_without_case),
]


class Filters(Strict):
    """Conditions that must all hold; one left out holds for every product.

    The same object is written as one line of text, `supplier!=kestrel price<=20 colour=red,blue` (see
    `index.grammar`): `Filters.parse(str(filters)) == filters`.
    """

    category: Value | None = Field(default=None, description="this category path and everything below it")
    suppliers: tuple[Value, ...] | None = Field(default=None, max_length=MAX_VALUES, description="only these suppliers")
    not_suppliers: tuple[Value, ...] = Field(default=(), max_length=MAX_VALUES, description="none of these suppliers")
    min_price: Annotated[Price | None, NUMBER] = Field(
        default=None, description="lowest price, inclusive, in whatever currency"
    )
    max_price: Annotated[Price | None, NUMBER] = Field(
        default=None, description="highest price, inclusive, in whatever currency"
    )
    currency: Value | None = Field(default=None, description="only prices in this currency, as the catalogue writes it")
    in_stock: Annotated[bool, FLAG] | None = Field(default=None, description="only listings that declare just this")
    attributes: Attributes = Field(
        default={}, description="per attribute, by name without case: one of these values, exactly"
    )
    ids: Ids | None = Field(default=None, max_length=MAX_VALUES, description="only these products")
    not_ids: Ids = Field(default=(), max_length=MAX_VALUES, description="none of these products")

    @property
    def is_open(self) -> bool:
        """Whether every product passes."""
        return self is OPEN or self == OPEN

    @classmethod
    def parse(cls, text: str) -> "Filters":
        """Read the one-line form; raises InvalidInput that says where it goes wrong."""
        try:
            return cls.model_validate(grammar.read(text))
        except ValidationError as error:
            reason = first_reason(error)
        # Not raised from within: pydantic's error leads to whatever was at work, and no garbage collection sees it.
        raise InvalidInput(f"The filter cannot be used: {reason}.")

    def __hash__(self) -> int:
        """Of the one-line form, as attributes have no hash; with one, a default is shared instead of copied."""
        return hash(str(self))

    def __str__(self) -> str:
        return grammar.write({name: value for name, value in self if value != _DEFAULTS[name]})


OPEN: Final = Filters()
"""Every product passes."""
_DEFAULTS: Final = dict(OPEN)
