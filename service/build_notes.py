"""What a build tells about a catalogue as a whole: what many rows have wrong, and columns that may be misnamed."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import combinations, islice
from typing import Final

from catalogue.gtin import gtins_of, read_gtins
from catalogue.names import is_gtin_name
from catalogue.product import CURRENCY, Product
from catalogue.readers import RowProblem
from catalogue.variants import declarations, differ

_MOST: Final = 3
_LOOKED_AT: Final = 1_000
_ALIKE: Final = 0.75
_FEWEST_GTINS: Final = 10
_MOSTLY: Final = 0.8
_OTHER_NAMES: Final = {
    "price": "preis precio prix prezzo preço verkaufspreis",
    "supplier_id": "lieferant proveedor fournisseur fornitore",
    "category": "kategorie categoría catégorie categoria",
    "description": "beschreibung descripción descripcion",
    "currency": "währung moneda devise valuta",
    "in_stock": "lagerbestand bestand existencias verfügbarkeit disponibilidad stock",
}
_MANY: Final = 5
"""Listings of one supplier with one GTIN: more are hardly one product."""
_FIELDS: Final = ("supplier_id", "category", "price", "currency", "in_stock", "description", "url", "style_id")


def notes(problems: Sequence[RowProblem], products: Iterable[Product]) -> list[str]:
    """Lines for people, the most frequent problems first."""
    looked_at = list(islice(products, _LOOKED_AT))
    return [
        *islice(_commonest(problems), _MOST),
        *_misnamed(looked_at),
        *_no_currencies(looked_at),
        *_no_gtins(looked_at),
        *_common_gtins(looked_at),
        *_telling(looked_at),
    ]


def _commonest(problems: Sequence[RowProblem]) -> Iterator[str]:
    """By what the reasons begin with, the field; those of one row alone are in the report."""
    kinds = Counter(problem.reason.partition(":")[0] for problem in problems)
    for kind, count in kinds.most_common():
        if count > 1:
            first = next(problem for problem in problems if problem.reason.partition(":")[0] == kind)
            yield f"{count:,} of them as in line {first.line}: {first.reason}"


def _misnamed(products: Sequence[Product]) -> Iterator[str]:
    """Fields that products lack, where there is an attribute of nearly their name, or of that in another language."""
    names = {name.lower(): name for product in products for name in product.attributes}
    for field in _FIELDS:
        without = [product for product in products if getattr(product, field) in {None, ""}]
        told = {name.lower() for product in without for name in product.attributes}
        others = sorted(told.intersection(_OTHER_NAMES.get(field, "").split()))
        if products and len(without) == len(products):
            others = others or get_close_matches(field, names, 1, _ALIKE)
        if others:
            yield (
                f"{len(without):,} of the first {len(products):,} products have no {field}, and "
                f"{' and '.join(names[name] for name in others)} became an attribute. Rename it if that is what it is."
            )


def _no_currencies(products: Sequence[Product]) -> Iterator[str]:
    """Currencies written in another way than a filter for one expects."""
    given = [product.currency for product in products if product.currency]
    if odd := [currency for currency in given if not re.fullmatch(CURRENCY, currency)]:
        yield (
            f"{len(odd):,} of the first {len(given):,} currencies are no code of ISO 4217 (EUR), as {odd[0]!r}. They "
            "are kept, but currency=EUR finds only what says EUR."
        )


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
        if wrong := [value for value in values if not read_gtins(value, name)]:
            yield (
                f"{len(wrong):,} of the first {len(values):,} values of {name} are no GTIN, as {wrong[0][:40]!r}: one "
                "has 8, 12, 13 or 14 digits, of which the last checks the others, and is not a shop's own. "
                "Spreadsheets spoil them unless the column is text."
            )


def _unnamed_gtins(products: Sequence[Product]) -> Iterator[str]:
    """Attributes that hold GTINs under a name of their own."""
    seen: Counter[str] = Counter(name for product in products for name in product.attributes)
    good = Counter(name for product in products for name, value in product.attributes.items() if read_gtins(value))
    for name, count in good.items():
        if count >= _FEWEST_GTINS and count > _MOSTLY * seen[name]:
            yield f"Most values of {name} are GTINs (EAN, UPC). Named gtin, it says which listings are one product."


def _common_gtins(products: Sequence[Product]) -> Iterator[str]:
    """The GTIN that a supplier gives to most of its listings, if those are many."""
    listed = Counter((code, product.supplier_id) for product in products for code in gtins_of(product.attributes))
    often = [(count, code, supplier) for (code, supplier), count in listed.items() if count > _MANY]
    for count, code, supplier in sorted(often, reverse=True)[:1]:
        yield (
            f"{count:,} listings of {supplier or 'no supplier'} have the GTIN {code}, which says that they are one "
            "product. If they are not, leave it out."
        )


def _telling(products: Sequence[Product]) -> Iterator[str]:
    """Attributes that nearly always tell listings with one GTIN apart: of the listing, then, and not of the product."""
    of_gtin: defaultdict[str, list[Product]] = defaultdict(list)
    for product in products:
        for code in gtins_of(product.attributes):
            of_gtin[code].append(product)
    compared, apart = Counter[str](), Counter[str]()
    for alike in of_gtin.values():
        for one, other in islice(combinations(alike, 2), _MANY):
            ours, theirs = declarations(one), declarations(other)
            for key in ours.keys() & theirs.keys():
                compared[key] += 1
                apart[key] += differ(ours[key][2], theirs[key][2])
    for key, count in sorted(apart.items()):
        if count >= _FEWEST_GTINS and count > _MOSTLY * compared[key]:
            yield (
                f"{key} says otherwise in {count:,} of {compared[key]:,} pairs of listings with one GTIN, so they are "
                "not called the same product. If it is of the listing and not of the product, leave the column out."
            )
