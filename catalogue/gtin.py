"""Global Trade Item Numbers (GS1): the number under a barcode, one for each product of a manufacturer, worldwide.

EAN, UPC, JAN and ISBN are GTINs. Suppliers give them in attributes of various names, with more or fewer zeros before.
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from catalogue.names import is_gtin_name

NAME: Final = "gtin"
"""The attribute that products are filtered and found by, whatever the catalogue calls it."""
MOST_OF_ONE_GTIN: Final = 1_000
"""Listings; a number that more of them have is a mistake, and says nothing."""
MOST_OF_A_PRODUCT: Final = 20
_APART: Final = re.compile(r"[\[\];,|/\n]+")
_LENGTHS: Final = frozenset({8, 11, 12, 13, 14})
"""Of 11 digits is a UPC whose zero a spreadsheet dropped."""
_OF_A_SHOP: Final = ("02", "04", "05", "2", "98", "99")
"""Prefixes of what each shop or region numbers for itself, and of coupons."""
_OF_A_SHOP_SHORT: Final = ("0", "2")
"""The same, of eight digits."""
_LONGEST: Final = 40
_BETWEEN: Final = re.compile("[\\s\u200b-\u200f\u2010-\u2015\ufeff'\"=-]+")
"""Spaces, hyphens and quotes: spreadsheets keep digits as '4006381333931 or ="4006381333931"."""


def gtin_of(attributes: Mapping[str, str]) -> str | None:
    """The first of `gtins_of`, for who needs one; None where there is none."""
    return next(iter(gtins_of(attributes)), None)


def gtins_of(attributes: Mapping[str, str]) -> tuple[str, ...]:
    """The GTINs among a product's attributes, each once, by their names without case; of very many the first."""
    named = sorted((name.casefold(), value) for name, value in attributes.items() if is_gtin_name(name))
    return tuple(dict.fromkeys(code for name, value in named for code in read_gtins(value, name)))[:MOST_OF_A_PRODUCT]


def shares_gtin(attributes: Mapping[str, str], codes: Collection[str]) -> bool:
    """Whether a product has one of some GTINs among its attributes."""
    return any(code in codes for code in gtins_of(attributes))


def read_gtins(text: str, name: str = NAME) -> tuple[str, ...]:
    """The GTINs that a text holds, each once: one, or several as a list or with commas and the like between."""
    if (code := read_gtin(text, name)) is not None:
        return (code,)
    parts = _APART.split(text.strip("[] "), MOST_OF_A_PRODUCT)[:MOST_OF_A_PRODUCT] if _APART.search(text) else ()
    return tuple(dict.fromkeys(code for part in parts if (code := read_gtin(part, name)) is not None))


def read_gtin(text: str, name: str = NAME) -> str | None:
    """13 digits, or 14 where it is of a whole case of them, in whatever way it is written; ten where `name` says ISBN.

    None for what has another length or a wrong check digit, for numbers that are not the same in all shops, and for
    what people type to have one: 1234567890128.
    """
    if len(text) > _LONGEST:
        return None
    digits = _BETWEEN.sub("", text).removesuffix(".0")
    if "isbn" in name.casefold() and re.fullmatch(r"[0-9]{9}[0-9Xx]", digits):
        return _of_isbn(digits)
    if len(digits) not in _LENGTHS or not re.fullmatch(r"[0-9]+", digits) or check_digit(digits) != 0:
        return None
    code = digits.zfill(14)
    short = code[6:] if code.startswith("000000") else None
    is_of_a_shop = short.startswith(_OF_A_SHOP_SHORT) if short else code[1:].startswith(_OF_A_SHOP)
    return None if is_of_a_shop or _is_made_up(digits) else code.removeprefix("0")


def check_digit(digits: str) -> int:
    """What is missing to the next ten of the sum of all, every second from the right three times; 0 where it fits."""
    return -sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(reversed(digits))) % 10


def _is_made_up(digits: str) -> bool:
    """Whether all but the check digit count up, or are the same."""
    told = digits.lstrip("0")[:-1]
    return told in "12345678901234" or len(set(told)) == 1


def _of_isbn(digits: str) -> str | None:
    """The 13 digits of a book's number of ten; None where it is none."""
    values = [10 if digit in "Xx" else int(digit) for digit in digits]
    if sum(value * (10 - at) for at, value in enumerate(values)) % 11 or len(set(digits)) == 1:
        return None
    code = f"978{digits[:9]}"
    return f"{code}{check_digit(code + '0')}"
