"""What texts say of a listing's variant: 128 GB, 38 x 42 cm, a pack of 10, M6x30, iPhone 14, blue."""

import math
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from catalogue.vocabulary import COLOURS, NO_SERIES, UNITS

NUMBER: Final = "#"
"""The kind of a number by itself. A text that has one says so much of any series: "iPhone 11, 12" says iPhone 12."""
EDITION: Final = "edition"
"""The kind of what follows a model's number: iPhone 14 Pro is no iPhone 14."""
FAR: Final = 10.0
"""Sizes so many times apart are of two things, in the kinds of `MANIFOLD`: a tape 19 mm wide, and 20 m long."""
MANIFOLD: Final = frozenset({"m", "g", "v", "hz"})
_MOST: Final = 64
_READ: Final = 400
"""A text of more facts or characters says much and tells nothing."""
_REMEMBERED: Final = 65_536
"""Facts of texts that were read: 20 MB, or what 10,000 titles say."""

_DIGITS: Final = r"\d{1,12}(?:[.,]\d{1,12}){0,3}"
_UNIT: Final = "|".join(sorted(map(re.escape, UNITS.keys() - {"in"}), key=len, reverse=True))
_QUANTITY: Final = re.compile(  # "in" is a word more often than a unit ("2 in 1"), and 5W-30 is an oil
    rf"(?<![\w.,/])({_DIGITS}(?:\s*[x*-]\s*{_DIGITS}){{0,3}})[\s-]?({_UNIT}|in(?=\s*(?:[x,;.)|/]|$)))(?![\w²³/]|-\d)",
    re.IGNORECASE,
)
_NO_QUANTITY: Final = re.compile(r"3M|[345]G|2\.4G|[248]K|\d+ a|1[ -]?(?i:pack)")
"""A maker, networks, a radio, resolutions, "de 3 a 6", and one pack of who knows how many."""
_PACK: Final = re.compile(r"\b(?:pack|set|box|bundle|lot|juego)\s+(?:of|de)\s+(\d{1,6})\b", re.IGNORECASE)
_TIMES: Final = re.compile(r"(?<=\d)\s*[x*]\s*(?=\d)", re.IGNORECASE)
_CODE: Final = re.compile(r"(?<![\w.,])(?=[\w.,/-]*\d)(?=[\w.,/-]*[^\W\d_])[^\W_][\w.,/-]*")
_MODEL: Final = re.compile(r"([^\W\d_]{2,})-?(?!(?:19|20)\d\d$)(\d{1,12})")
_SERIES: Final = re.compile(rf"\b([^\W\d_]{{2,}})\.?\s+(?!(?:19|20)\d\d\b)((?>{_DIGITS}))(?![\w/%-]|\s*[%€$£¥])")
_ALONE: Final = re.compile(rf"(?<![\w.,])(?>{_DIGITS})(?![\w%])")
_EDITION: Final = re.compile(r"(?:\s+(?:pro|plus|max|lite|fe|ultra|mini|se)\b)+", re.IGNORECASE)
_LETTERED: Final = re.compile(r"[a-z]\d{1,3}")
_NO_MODELS: Final = frozenset({"bluetooth", "class", "fi", "gen", "hdmi", "size", "type", "usb", "version", "wifi"})
_WORD: Final = re.compile(r"[^\W\d_]+")

_OFFER: Final = re.compile(
    r"\b(?:moq|mindestmenge|minimum order)\b\D{0,10}\d+\s*\w*"
    r"|(?<!\d)\d+(?:\s*(?:(?:pcs|pieces)\s*)?minimum\b|\s*\w?起批|(?:[.,]\d+)?\s*元|\s*h(?:ours?)?\s+delivery)"
    r"|\b(?:(?:19|20)\d\d(?=[^\W\d_])|(?:ss|aw|fw)\d\d\b)",
    re.IGNORECASE,
)
"""How much one must order, by when it comes, the season: nothing of the thing itself."""
_NO_COLOUR: Final = re.compile(
    r"\b(?:black friday|black ?(?:&|\+|and) ?decker|(?:blue|red) light|(?:white|pink|brown) noise|black pepper"
    r"|(?:green|black|white) tea|red bull|old navy|blue yeti|(?:warm|cool|cold|neutral|day) white)\b",
    re.IGNORECASE,
)
_USUAL: Final = str.maketrans({"\u00d7": "x", "\u2013": "-", "\u2033": '"', "\u201d": '"'})
"""Signs for times, from-to and inches."""
_FRACTION: Final = re.compile(  # of no nought: 1/00 is nothing
    r'(?:(\d{1,3})[\s-])?\b(\d{1,2})/([2-9]|[1-9]\d)(?=\s?(?:inch|in\b|zoll|"))', re.IGNORECASE
)


class Fact(NamedTuple):
    """One thing that a text says: so much (`size`) of a `kind`, or else a code, number or colour (`plain`) of it.

    Where it does not tell, another one of its kind is no sign of another variant: a number by itself, or of a range.
    """

    kind: str
    size: float | None
    plain: str
    text: str
    tells: bool = True

    @property
    def sought(self) -> str:
        """The kind of what says the same in other texts."""
        if self.kind.endswith(EDITION):
            return " ".join(self.kind.split()[-2:])
        return NUMBER if self.kind.endswith(f" {NUMBER}") else self.kind


def facts(text: str) -> tuple[Fact, ...]:
    """The quantities, codes, numbers and colours in the beginning of a text."""
    return _KNOWN.of(text)[0]


def telling(text: str) -> tuple[Fact, ...]:
    """Those of a text's facts that tell."""
    return _KNOWN.of(text)[1]


class _Known:
    """What texts say, and what of it tells: of the last ones, as many as fit; all go when no more do.

    By the facts, not by the texts, as an `lru_cache` would: one text may have hundreds.
    """

    def __init__(self) -> None:
        self._texts: dict[str, tuple[tuple[Fact, ...], tuple[Fact, ...]]] = {}
        self.held = 0

    def of(self, text: str) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
        """Both; any number of threads may ask."""
        known = self._texts.get(text)
        if known is None:
            found = read_facts(text)
            known = found, tuple(fact for fact in found if fact.tells)
            weight = 1 + len(found) + len(text) // 100
            if self.held + weight > _REMEMBERED:
                self._texts, self.held = {}, 0
            self._texts[text] = known
            self.held += weight
        return known


_KNOWN: Final = _Known()


def read_facts(text: str) -> tuple[Fact, ...]:
    """As `facts`, for who asks about each text once: nothing is remembered."""
    read = text if len(text) <= _READ else text[:_READ].rpartition(" ")[0]
    found = tuple(dict.fromkeys(islice(_facts(read), 8 * _MOST)))
    if sum(not fact.kind.endswith(EDITION) for fact in found) <= _MOST and read == text:
        return found
    return tuple(fact._replace(tells=False) for fact in found)


def number(text: str) -> float:
    """What digits with points and commas mean: 1,050 is a thousand and fifty, 1,5 is one and a half."""
    digits = text.strip()
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", digits):
        return float(digits.replace(",", ""))
    whole, *rest = re.split("[.,]", digits)
    return float(f"{whole}.{''.join(rest)}")


def _facts(text: str) -> Iterator[Fact]:
    text = _plain_text(text)
    for match in _QUANTITY.finditer(text):
        if not _NO_QUANTITY.fullmatch(match[0]):
            yield from _quantities(match)
    for match in _PACK.finditer(text):
        yield Fact(UNITS["pack"][0], float(match[1]), "", match[0])
    text = _QUANTITY.sub(lambda match: match[0] if _NO_QUANTITY.fullmatch(match[0]) else " ", text)
    text = _TIMES.sub("x", _PACK.sub(" ", text))
    yield from _models(text)
    for match in _WORD.finditer(_NO_COLOUR.sub(" ", text)):
        if (word := match[0].casefold()) in COLOURS:
            yield Fact("colour", None, COLOURS[word], match[0])


def _models(text: str) -> Iterator[Fact]:
    """Numbers, codes and series in a text without quantities."""
    for match in _ALONE.finditer(text):
        yield Fact(NUMBER, None, _even(match[0]), match[0], tells=False)
        if _EDITION.match(text, match.end()):
            yield from _editions("", _even(match[0]), match)
    for match in _CODE.finditer(text):
        code = match[0].rstrip(".,/-")
        yield from _code(code)
        if model := _MODEL.fullmatch(_even(code.casefold())):
            yield from _editions(model[1], model[2], match)
        elif _LETTERED.fullmatch(code.casefold()):
            yield from _editions("model", code.casefold(), match)
    for match in _SERIES.finditer(text):
        if (word := match[1].casefold()) not in NO_SERIES:
            yield Fact(f"{word} {NUMBER}", None, _even(match[2]), match[0])
            yield from _editions(word, _even(match[2]), match)


def _plain_text(text: str) -> str:
    """Without what is of the offer; signs and fractions as most write them."""
    text = re.sub("(?<=\\d)(?=[\u00bc-\u00be\u2153-\u215e])", " ", text)  # 1½ must not become 11/2
    text = unicodedata.normalize("NFKC", text.translate(_USUAL))[: 2 * _READ].replace("\u2044", "/")
    text = _FRACTION.sub(lambda m: f"{int(m[1] or 0) + int(m[2]) / int(m[3]):.4f}", _OFFER.sub(" ", text))
    return re.sub(r"(?<=[^\W\d_])/(?=\d)", " / ", text)  # 100ml/3.4oz


def _quantities(match: re.Match[str]) -> Iterator[Fact]:
    kind, factor = UNITS.get(match[2].casefold(), ("", 0.0))
    if not kind:  # regular expressions take the Turkish i without a dot for ours
        return
    parts = re.split("[xX*-]", match[1])
    sizes = [number(part) * factor for part in parts]
    if "-" in match[1]:
        yield from (Fact(kind, size, "", match[0], tells=False) for size in sizes)
    elif len(parts) == 1:
        yield from (Fact(kind, size * factor, "", match[0]) for size in _readings(match))
    elif kind == "m":  # 40 x 60 is not 40 x 40; the mean edge, as each may be a little off
        sizes.append(math.prod(sizes) ** (1 / len(sizes)))
        yield from (Fact(kind if at < len(parts) else f"m^{at}", size, "", match[0]) for at, size in enumerate(sizes))
    else:  # six times half a litre
        yield Fact(kind, sizes[-1], "", match[0])
        yield Fact(kind, sizes[-1] * math.prod(number(part) for part in parts[:-1]), "", match[0])


def _readings(match: re.Match[str]) -> Iterator[float]:
    """What one number may mean: 10.000 mAh is ten thousand to some, and so is 10 000."""
    digits = match[1].strip()
    before = re.search(r"(?<![\d.,])[1-9]\d{0,2} $", match.string[: match.start()])
    if before and re.fullmatch(r"\d{3}", digits):
        yield float(before[0].strip() + digits)
    if not (before and digits.startswith("0")):
        yield number(digits)
    if re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", digits):
        yield from (float(re.sub("[.,]", "", digits)), float(digits.replace(",", ".")))


def _editions(series: str, model: str, match: re.Match[str]) -> Iterator[Fact]:
    """Which one of its number a model is: "pro", or none; of any number, or of one of a series, which tells."""
    edition = _EDITION.match(match.string, match.end())
    said = " ".join(edition[0].casefold().split()) if edition else ""
    text = match[0] + (edition[0] if edition else "")
    yield Fact(f"{model} {EDITION}", None, said, text, tells=False)
    if series and series not in NO_SERIES | _NO_MODELS:
        yield Fact(f"{series} {model} {EDITION}", None, said, text)


def _code(code: str) -> Iterator[Fact]:
    """A code is of the kind of all with digits in the same places; iPhone14 is what iPhone 14 is."""
    plain = _even(code.casefold())
    if (model := _MODEL.fullmatch(plain)) and model[1] not in NO_SERIES:
        yield Fact(NUMBER, None, model[2], code, tells=False)
        yield Fact(f"{model[1]} {NUMBER}", None, model[2], code)
        return
    kind = re.sub(_DIGITS, NUMBER, plain)
    yield Fact(kind, None, "x".join(sorted(plain.split("x"))) if kind == "#x#" else plain, code)


def _even(text: str) -> str:
    """Numbers that are equal, written the same: 1,50 as 1.5 and 5.0 as 5."""
    return re.sub(r"(\d)[.,](\d*?)0*(?![\d.,])", lambda m: f"{m[1]}.{m[2]}" if m[2] else m[1], text)
