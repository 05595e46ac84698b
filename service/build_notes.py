"""What a build tells about a catalogue as a whole: what many rows have wrong, and columns that may be misnamed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Final

from catalogue.gtin import read_gtin
from catalogue.names import is_gtin_name
from catalogue.product import Product
from catalogue.readers import RowProblem

_MOST: Final = 3
_LOOKED_AT: Final = 1_000
_ALIKE: Final = 0.75
_FEWEST_GTINS: Final = 10
_MOSTLY: Final = 0.8
_FIELDS: Final = ("supplier_id", "category", "price", "currency", "in_stock", "description", "url", "style_id")


def notes(problems: Sequence[RowProblem], products: Iterable[Product]) -> list[str]:
    """Lines for people, the most frequent problems first."""
    looked_at = list(islice(products, _LOOKED_AT))
    return [*islice(_commonest(problems), _MOST), *_misnamed(looked_at), *_no_gtins(looked_at)]


def _commonest(problems: Sequence[RowProblem]) -> Iterator[str]:
    """By what the reasons begin with, the field; those of one row alone are in the report."""
    kinds = Counter(problem.reason.partition(":")[0] for problem in problems)
    for kind, count in kinds.most_common():
        if count > 1:
            first = next(problem for problem in problems if problem.reason.partition(":")[0] == kind)
            yield f"{count:,} of them as in line {first.line}: {first.reason}"


def _misnamed(products: Sequence[Product]) -> Iterator[str]:
    """Fields that no product has, where all have an attribute of nearly their name."""
    names = {name.lower(): name for product in products for name in product.attributes}
    for field in _FIELDS:
        if all(getattr(product, field) in {None, ""} for product in products):
            for near in get_close_matches(field, names, 1, _ALIKE):
                yield f"No product has {field}, and {names[near]} became an attribute. Rename it if that is what it is."


def _no_gtins(products: Sequence[Product]) -> Iterator[str]:
    """Attributes that by their names are GTINs, and by some of their values are not."""
    named: dict[str, list[str]] = {}
    for product in products:
        for name, value in product.attributes.items():
            if is_gtin_name(name):
                named.setdefault(name, []).append(value)
    if not named:
        yield from _unnamed_gtins(products)
    for name, values in named.items():
        if wrong := [value for value in values if read_gtin(value, name) is None]:
            yield (
                f"{len(wrong):,} of the first {len(values):,} values of {name} are no GTIN, as {wrong[0][:40]!r}: one "
                "has 8, 12, 13 or 14 digits, of which the last checks the others, and is not a shop's own. "
                "Spreadsheets spoil them unless the column is text."
            )


def _unnamed_gtins(products: Sequence[Product]) -> Iterator[str]:
    """Attributes that hold GTINs under a name of their own."""
    seen: Counter[str] = Counter(name for product in products for name in product.attributes)
    good = Counter(name for product in products for name, value in product.attributes.items() if read_gtin(value))
    for name, count in good.items():
        if count >= _FEWEST_GTINS and count > _MOSTLY * seen[name]:
            yield f"Most values of {name} are GTINs (EAN, UPC). Named gtin, it says which listings are one product."
