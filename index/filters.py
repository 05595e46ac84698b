"""Which products may be in an answer."""

from typing import Annotated

from pydantic import Field, StringConstraints

from catalogue.strict import Strict

Value = Annotated[str, StringConstraints(max_length=1_000)]


class Filters(Strict):
    """Conditions that must all hold; one left out holds for every product."""

    category: Value | None = Field(default=None, description="this category path and everything below it")
    suppliers: tuple[Value, ...] | None = Field(default=None, max_length=1_000, description="only these suppliers")
    not_suppliers: tuple[Value, ...] = Field(default=(), max_length=1_000, description="none of these suppliers")
    min_price: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="lowest price, inclusive")
    max_price: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="highest price, inclusive")
    in_stock: bool | None = Field(default=None, description="only listings that declare just this")

    @property
    def is_open(self) -> bool:
        """Whether every product passes."""
        return self == Filters()
