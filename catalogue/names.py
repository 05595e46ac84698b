"""What an attribute is about, by its name: the product, or the listing of it and who sells it."""

import re
from functools import lru_cache
from typing import Final

SAME_NAMES: Final = {
    name: same
    for same, names in {
        "colour": "color farbe couleur kleur colore cor 颜色",
        "size": "größe grösse taille talla taglia maat tamaño tamanho 尺寸 尺码",
    }.items()
    for name in names.split()
}
"""Attributes without case, and those by which they are compared."""
NAMES: Final = frozenset(
    {"colour", "size", "pattern", "print", "motif", "model", "model no", "model number", "part number"}
)
"""Attributes (see `key_of`) that tell variants apart whatever their value."""


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_GTINS: Final = _words(
    "gtin gtins ean eans upc upca upcs isbn isbns gencod strichcode strichcodes streepjescode barras barres"
)
_GTINS_ALONE: Final = _words("jan barcode barcodes barre")
"""The same, where nothing else is named: not a barcode scanner."""
_OF_CASES: Final = _words("box carton case caja karton pack palette pallet ve vpe type types")
"""Beside them: the number of a whole case, which is another one."""
_NUMBERS: Final = _words(
    "artikelnummer bestellnummer codice code codes código codigo id ids no nr nummer number número"
)
_REFERENCES: Final = _words("ref reference referencia référence")
_LISTING: Final = _words(
    "asin avis bestand bewertung bewertungen bsr discount ean existencias garantie garantía grundpreis gtin isbn",
    "lagerbestand lieferzeit lieferzeiten margin marge mindestbestellmenge moq msrp opiniones preis precio preço",
    "prezzo price prices prix review reviews rrp shipping sku skus sold streichpreis tax timestamp upc url urls uvp",
    "valoración valoraciones vat verfügbarkeit verkaufspreis versandgewicht versandkosten warehouse warranty wishlist",
    "zolltarifnummer 价格 货号 库存",
)
"""Of the listing, whatever stands beside them."""
_SELLER: Final = _words("ability availability barcode created modified seller sellers supplier updated vendor")
"""Of the listing, where nothing else is named: but not a supplier's device package."""
_FIGURES: Final = _words(
    "cost date dates delivery image images lead link photo photos position rank rating ratings sales stock views"
)
"""The same, where the value is a figure, a date or an address: but not a rating of IP67."""
_NEUTRAL: Final = _words(
    "a added additional art article artículo artikel at available average avg best bestell count customer customers",
    "day days de digit digits external first g in item items large last level list listed listing main mobile monthly",
    "of offer on other out overall product producto products produkt qty quantity sale score small standard star",
    "stars status supply thumbnail time times total unit user users value variant week weeks worst",
)
_MAYBE: Final = (_LISTING | _SELLER | _FIGURES) - {"lead"} | _words(
    "clicks commission ek entrega herstellernummer livraison mpn note oferta offer packaging plazo score synced",
    "unnamed vpe",
)
"""Any of them, and an attribute tells no variants apart: every supplier may fill it in its own way."""
_KNOWN: Final = _GTINS | _GTINS_ALONE | _NUMBERS | _REFERENCES | _LISTING | _SELLER | _FIGURES | _NEUTRAL
_SHORTEST: Final = 2

_LETTERS: Final = re.compile(r"[^\W\d_]+")
_FIGURE: Final = re.compile(
    r"[\s\d.,:/%+-]*(?:(?:out\s+)?of\s+[\d.,]+)?\s*(?:stars?|reviews?|votes?|h|hours?|days?|weeks?|pcs|pieces)?",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"(?:https?:)?//\S+|\S+\.(?:jpe?g|png|webp|gif)", re.IGNORECASE)
_LONGEST: Final = 60


@lru_cache(4_096)
def key_of(name: str) -> str:
    """By what an attribute is compared with others of its name, and of the same name in another language."""
    key = name.casefold().rstrip(".")
    return SAME_NAMES.get(key, key)


@lru_cache(4_096)
def is_gtin_name(name: str) -> bool:
    """Whether an attribute of this name holds a GTIN: EAN, "EAN-13", "Código de barras", "Variant Barcode"."""
    words = frozenset(_of(name))
    if not words.isdisjoint(_OF_CASES):
        return False
    alone = not words.isdisjoint(_GTINS_ALONE) and words <= _GTINS_ALONE | _GTINS | _NUMBERS | _NEUTRAL
    return alone or not words.isdisjoint(_GTINS)


def is_of_listing(name: str, value: str, *, is_quantity: bool) -> bool:
    """Whether an attribute surely is of the listing or its seller and says nothing of the product: SKU, EAN, price."""
    words = _of(name)
    if key_of(name) in NAMES:
        return False
    if is_gtin_name(name) or not _LISTING.isdisjoint(words):
        return True
    named, is_number = frozenset(words) - _NEUTRAL - _NUMBERS, not _NUMBERS.isdisjoint(words[-1:])
    if not named:
        return is_number and not is_quantity
    return named <= _SELLER or (named <= _SELLER | _FIGURES and (is_number or _is_figure(value.strip())))


def may_be_of_listing(name: str, *, is_quantity: bool) -> bool:
    """Whether an attribute may be of the listing, or a supplier's own number, by its last word (but ID 12 mm)."""
    words = _of(name)
    if key_of(name) in NAMES:
        return False
    if is_gtin_name(name) or not _MAYBE.isdisjoint(words) or {"lead", "time"} <= set(words):
        return True
    return not is_quantity and not (_NUMBERS | _REFERENCES).isdisjoint(words[-1:])


def _is_figure(value: str) -> bool:
    return (len(value) <= _LONGEST and bool(_FIGURE.fullmatch(value))) or bool(_ADDRESS.fullmatch(value))


@lru_cache(4_096)
def _of(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case, known ones that are joined taken apart: itemNo is item and no."""
    return tuple(part for word in _LETTERS.findall(name.casefold()[:200]) for part in _parts(word) or (word,))


@lru_cache(4_096)
def _parts(word: str) -> tuple[str, ...]:
    """A word as known words, one after the other; empty where it is not made of such."""
    if word in _KNOWN:
        return (word,)
    for at in range(len(word) - _SHORTEST, _SHORTEST - 1, -1):
        if word[:at] in _KNOWN and (rest := _parts(word[at:])):
            return (word[:at], *rest)
    return ()
