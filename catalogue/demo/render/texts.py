"""Titles, descriptions and attributes: every supplier writes in its own voice."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from string import capwords

from .model import Listing, seeded
from .styles import SHORT, TRANSLATIONS, VOCABULARY
from .suppliers import SUPPLIERS, price_of

MENTIONS_LOOK = 0.75  # how often a text says what the photo shows
USUAL_WORD = 4  # how much more often the first name, use or praise is taken than another
SAYS_USE_TWICE = 0.85  # how often praise gives way to what this very variant is for


@dataclass
class Draft:
    """What a writer has on the desk: a listing, its words in one language, dice."""

    listing: Listing
    lang: str
    rng: random.Random
    said: list[str] = field(default_factory=list)

    def one(self, what: str) -> str:
        """One of the kind's names, uses or praises, not twice the same in one listing."""
        style = self.listing.style
        special = style.uses.get(self.lang)
        if special and what == "praise" and self.rng.random() < SAYS_USE_TWICE:
            what = "uses"
        words = special if special and what == "uses" else getattr(VOCABULARY[style.kind], what)[self.lang]
        fresh = [word for word in words if word not in self.said] or list(words)
        usual = [USUAL_WORD if word == words[0] else 1 for word in fresh]
        word = str(self.rng.choices(fresh, usual)[0])
        self.said.append(word)
        return word

    def facts(self, count: int, inches: bool = False) -> list[tuple[str, str]]:
        """Some facts, the weightiest always among them, in random order."""
        known = list(self.listing.style.facts.items())
        chosen = known[:2] + self.rng.sample(known[2:], min(count, len(known)) - min(2, len(known)))
        self.rng.shuffle(chosen)
        out = []
        for key, value in chosen[:count]:
            out.append((self.translate(key), imperial(value) if inches else self.translate(value)))
        return out

    def translate(self, word: str) -> str:
        """The word in the language of this text, or as it is."""
        return TRANSLATIONS.get(self.lang, {}).get(word, word)

    def code(self) -> str:
        """The variant the way somebody would write it in a title."""
        return str(self.rng.choice(list(self.listing.style.codes) or [""]))

    def other(self, code: str) -> str:
        """A fact's value that the code does not say already."""
        said = set(re.findall(r"[\d.]+", code))
        rest = [value for _, value in self.facts(4) if value not in code and not self.has_said(value)]
        rest = [value for value in rest if not (numbers := set(re.findall(r"[\d.]+", value))) or not numbers <= said]
        return rest[0] if rest else ""

    def has_said(self, word: str) -> bool:
        """Whether a name chosen before says it already: a lamp with linen shade, linen."""
        said = {part for phrase in self.said for part in phrase.lower().split() if len(part) > 3} - {"with", "from"}
        return not said.isdisjoint(word.lower().split())

    def look(self) -> str:
        """A word on the looks, from some writers only."""
        words = [word for word in self.listing.style.look.get(self.lang, ()) if not self.has_said(word)]
        return str(self.rng.choice(list(words))) if words and self.rng.random() < MENTIONS_LOOK else ""


def imperial(value: str) -> str:
    """Millimetres as inches and millilitres as ounces; other values as they are."""
    if found := re.fullmatch(r"([\d.]+) mm", value):
        return f"{float(found[1]) / 25.4:.2f} in"
    if found := re.fullmatch(r"(\d+) ml", value):
        return f"{float(found[1]) / 29.57:.0f} oz"
    return value


def first(text: str) -> str:
    """Upper-case the first letter and leave the rest (M6 stays M6)."""
    return text[:1].upper() + text[1:]


def words(*parts: str) -> str:
    """Join the parts that are not empty."""
    return " ".join(part for part in parts if part)


Text = tuple[str, str]  # title, description


def kestrel(d: Draft) -> Text:
    """Terse upper case; inches in the small print."""
    code = d.code().replace("µ", "u")  # upper case would make a Greek letter of it
    fact = d.other(code)
    title = words(d.one("names"), code, d.look(), SHORT.get(fact, fact).replace("µ", "u")).upper()
    facts = first("; ".join(f"{k} {v}" for k, v in d.facts(4, inches=True)))
    close = d.rng.choice(("Ships same day.", "Case qty available.", "Stocked in Ohio."))
    return title, f"{facts}. {first(d.one('praise'))}. {close}"


def nordhaus(d: Draft) -> Text:
    """Orderly, German more often than not."""
    code = d.code()
    if d.lang == "de":
        title = words(d.one("names"), d.look(), code) + ", " + d.other(code)
        text = f"{d.one('names')} {d.one('uses')}. " + ", ".join(f"{k}: {v}" for k, v in d.facts(4))
        return title, f"{text}. {first(d.one('praise'))}. Lieferung ab Lager Bremen."
    title = words(first(d.one("names")), d.look(), code) + ", " + d.other(code)
    text = ". ".join(f"{first(k)}: {v}" for k, v in d.facts(4))
    return title, f"{text}. {first(d.one('uses'))}. Delivered from our Bremen warehouse."


def bluepeak(d: Draft) -> Text:
    """Every keyword at once."""
    lead = d.rng.choice(("2026 New", "Hot Sale", "Factory Direct", "High Quality", "Wholesale"))
    title = words(lead, capwords(d.one("names")), capwords(d.look()), d.code(), capwords(d.one("names")))
    title = words(title, capwords(d.one("uses").replace(" and ", " ")))
    text = d.rng.choice(("Dear friend, welcome to our shop!", "Feature:", "100% brand new."))
    for number, (key, value) in enumerate(d.facts(4), 1):
        text += f" {number}. {first(key)}: {value}."
    return title, f"{text} {first(d.one('praise'))}. Please allow 1-3 mm error due to manual measurement."


def oakandco(d: Draft) -> Text:
    """Warm and chatty."""
    code = d.code()
    opener = d.rng.choice(("Our", "The", "A trusty", "Our everyday"))
    title = f"{words(opener, d.look(), d.one('names'))} \N{EN DASH} {d.other(code)}, {code}"
    text = d.rng.choice(
        (
            "We have sold this one for years and still like it.",
            "Chosen by us after trying far too many others.",
            "One of those quiet things that simply do their job.",
        )
    )
    detail = ", ".join(f"{k} {v}" for k, v in d.facts(3))
    return title, f"{text} {first(d.one('uses'))}; {d.one('praise')}. The details: {detail}."


def tallerrio(d: Draft) -> Text:
    """A workshop on the river, in Spanish or in plain English."""
    title = words(first(d.one("names")), d.look(), d.code())
    fact = d.facts(4)
    if d.lang == "es":
        text = f"{first(d.one('uses'))}. " + "; ".join(f"{k} {v}" for k, v in fact)
        return title, f"{text}. {first(d.one('praise'))}. Envío en 48 horas."
    text = f"{first(d.one('uses'))}. " + "; ".join(f"{k} {v}" for k, v in fact)
    return title, f"{text}. {first(d.one('praise'))}. Shipped within 48 hours."


def gridline(d: Draft) -> Text:
    """A data sheet."""
    title = ", ".join([first(d.one("names")), *(v for _, v in d.facts(4))])
    order = f"GL{d.rng.randrange(10000, 99999)}"
    table = " | ".join(f"{k}={v}" for k, v in d.facts(5))
    look = d.look()
    return title, words(
        f"Order code {order}. {table}.", f"Version: {look}." if look else "", f"{first(d.one('praise'))}."
    )


def mistral(d: Draft) -> Text:
    """Catalogue prose with a bar in the title."""
    code = d.code()
    title = f"{first(words(d.look(), d.one('names')))} | {d.other(code)} | {code}"
    mood = d.rng.choice(("Understated and made to last", "Precision where it counts", "A classic, well made"))
    return title, f"{mood}: {d.one('praise')}, {d.one('uses')}. " + ". ".join(
        f"{first(k)}: {v}" for k, v in d.facts(3)
    ) + "."


def pennyworth(d: Draft) -> Text:
    """Lower case, in a hurry, with a slip of the finger now and then."""
    inches = d.rng.random() < 0.4
    title = words(
        d.one("names"),
        d.code().lower().replace("ω", "Ω"),
        d.look(),
        d.rng.choice(("job lot", "new old stock", "surplus", "boxed", "")),
    )
    facts = ", ".join(v for _, v in d.facts(3, inches))
    opener = d.rng.choice(("clearing the warehouse", "overstock", "ex shop stock"))
    text = f"{opener}. {d.one('uses')}. {facts}. {d.one('praise')}, sold as seen"
    return slip(title, d.rng), slip(slip(text, d.rng), d.rng)


def slip(text: str, rng: random.Random) -> str:
    """Swap or drop one letter in half of the texts; numbers stay as they are."""
    spots = [i for i in range(1, len(text) - 2) if text[i : i + 2].isalpha() and text[i - 1].isalpha()]
    if not spots or rng.random() < 0.5:
        return text
    i = rng.choice(spots)
    return text[:i] + (text[i + 1] + text[i] if rng.random() < 0.6 else text[i]) + text[i + 2 :]


VOICES: dict[str, Callable[[Draft], Text]] = {
    "kestrel": kestrel,
    "nordhaus": nordhaus,
    "bluepeak": bluepeak,
    "oakandco": oakandco,
    "tallerrio": tallerrio,
    "gridline": gridline,
    "mistral": mistral,
    "pennyworth": pennyworth,
}
FOREIGN = {"nordhaus": ("de", 0.35), "tallerrio": ("es", 0.35)}
DECLARES = {"gridline": 1.0, "nordhaus": 0.9, "bluepeak": 0.8, "kestrel": 0.8}  # others: 0.6


def row(listing: Listing) -> dict[str, object]:
    """One line of products.jsonl."""
    rng = listing.rng("text")
    lang, chance = FOREIGN.get(listing.supplier, ("en", 0.0))
    draft = Draft(listing, lang if rng.random() < chance else "en", rng)
    title, description = VOICES[listing.supplier](draft)
    declared = DECLARES.get(listing.supplier, 0.6)
    attributes = {k: v for k, v in listing.style.facts.items() if rng.random() < declared}
    return {
        "product_id": listing.product_id,
        "title": title,
        "description": description,
        "category": VOCABULARY[listing.style.kind].category,
        "supplier_id": listing.supplier,
        "price": price_of(listing),
        "currency": SUPPLIERS[listing.supplier].currency,
        "in_stock": rng.random() < 0.85,
        "attributes": attributes,
        "images": [f"photos/{listing.product_id}.jpg"],
        "style_id": listing.style.style_id,
    }


def write(listings: list[Listing], path: Path) -> None:
    """Write all rows in an order that says nothing."""
    rows = [row(listing) for listing in sorted(listings, key=lambda x: seeded(x.product_id, "row").random())]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for line in rows:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
