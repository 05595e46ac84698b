"""Other words for the same product."""

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from catalogue.product import Product
from catalogue.words import EMPTY, singular
from models.preprocessing import normalise_text, product_text
from models.training.config import ViewConfig

_PARTS: Final = re.compile(r"\s*[,|;()]\s*")
_WORD: Final = re.compile(r"[^\W_]+(?:[.'\u2019-][^\W_]+)*")

# How often a text is told which way. The figures barely matter as long as every way is common: shops differ.
_FULL: Final = 0.3
_CATEGORY: Final = 0.85
_ATTRIBUTE: Final = 0.6
_NAMED: Final = 0.3
_SHUFFLED: Final = 0.15

# What a shopper types: mostly the kind of thing, and one to three words for what it is like.
_KIND: Final = 0.8
_SAID: Final = (0.5, 0.4, 0.1)
_SAID_BY: Final = {"title": 0.5, "attributes": 0.3, "description": 0.2}
_ORDERS: Final = {"{said} {kind}": 0.7, "{kind} with {said}": 0.2, "{kind} {said}": 0.1}

MOST_ASKED: Final = 16
"""Tokens of a few words."""

Words: TypeAlias = Callable[[Sequence[str], int], list[list[int]]]
"""Makes token ids of texts, at most so many of each; see `tokenise`."""


def vary_texts(
    first: Product,
    second: Product,
    config: ViewConfig,
    random: np.random.Generator,
    hide: Sequence[str] = (),
    tellings: tuple[np.random.Generator, np.random.Generator] | None = None,
) -> tuple[str, str]:
    """What the two sides of a pair say: often one its title and the other its description.

    Attributes named in `hide` stay unsaid on the second side. How each side tells it is left to its own generator in
    `tellings`, where they are given.
    """
    ours, theirs = tellings or (random, random)
    if random.random() < config.opposed:
        swapped = random.random() < 0.5
        return (
            _told(first, "description" if swapped else "title", config, ours),
            _told(second, "title" if swapped else "description", config, theirs, hide),
        )
    return _told(first, None, config, ours), _told(second, None, config, theirs, hide)


def difference_words(first: Product, second: Product, attributes: Sequence[str]) -> str:
    """Those of the second product's attributes that differ from the first's; empty where none does."""
    theirs, ours = second.attributes, first.attributes
    return ", ".join(theirs[name] for name in attributes if theirs.get(name) and theirs[name] != ours.get(name))


def few_words(product: Product, random: np.random.Generator) -> str:
    """What a shopper would type who looks for such a product; empty where there is no text."""
    sources = {
        "title": _content(product.title),
        "attributes": [value.strip().lower() for value in product.attributes.values() if value.strip()],
        "description": _content(product.description),
    }
    kind = product.category_levels[-1].lower() if product.category_levels and random.random() < _KIND else ""
    if kind and random.random() < 0.5:
        *before, last = kind.split(" ")
        kind = " ".join([*before, singular(last) if last.isalpha() else last])
    weights = np.array([share if sources[name] else 0.0 for name, share in _SAID_BY.items()])
    said: list[str] = []
    if weights.any():
        for _ in range(1 + int(random.choice(len(_SAID), p=_SAID))):
            source = sources[str(random.choice(list(sources), p=weights / weights.sum()))]
            word = source[int(random.integers(len(source)))]
            if not content_words(word) <= content_words(" ".join([*said, kind])):
                said.append(word)
    return put(said, kind, random)


def put(said: Sequence[str], kind: str, random: np.random.Generator) -> str:
    """A kind of thing and words for what it is like, as somebody would type them; either may be missing."""
    if not said or not kind:
        return " ".join([*said, kind]).strip()
    order = str(random.choice(list(_ORDERS), p=list(_ORDERS.values())))
    return order.format(said=" ".join(said), kind=kind)


def content_words(text: str) -> frozenset[str]:
    """The words that say something, in lower case and in the singular (of English)."""
    return frozenset(map(singular, _content(text)))


def told_words(product: Product) -> frozenset[str]:
    """All content words that a product's fields say; few words fit it if these hold all of theirs."""
    told = [product.title, product.description, *product.category_levels[-1:], *product.attributes.values()]
    return content_words(" ".join(told))


def fitting(asked: Sequence[str], told: Sequence[frozenset[str]]) -> NDArray[np.bool_]:
    """Bool [asked, told]: which products, by all the words told of them, have the content words of each question."""
    wanted = [content_words(words) for words in asked]
    return np.array([[words <= said for said in told] for words in wanted], dtype=bool).reshape(len(asked), len(told))


def _content(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.lower()) if word not in EMPTY]


def query_and_gallery_words(product: Product) -> tuple[str, str]:
    """Title, leaf category and colour, as somebody would ask; description, leaf category and colour, to be found."""
    levels, colour = product.category_levels, product.attributes.get("colour", "")
    rest = [*levels[-1:], *([colour] if colour else [])]
    query = ", ".join(part for part in (product.title.strip() or product.description.strip(), *rest) if part)
    description = product.description.strip()
    return query, f"{description} {', '.join(rest)}".strip() if description else query


def tokenise(tokenizer: Tokenizer, texts: Sequence[str], most: int) -> list[list[int]]:
    """Token ids of each text, at most so many; none for a text without a word."""
    if not texts:
        return []
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    encodings = tokenizer.encode_batch([normalise_text(text, most) for text in texts])
    return [[] if all(encoding.special_tokens_mask) else encoding.ids for encoding in encodings]


def _told(
    product: Product,
    main: Literal["title", "description"] | None,
    config: ViewConfig,
    random: np.random.Generator,
    hide: Sequence[str] = (),
) -> str:
    """Its title or description (whichever there is), leaf category and some attributes, mostly in this order."""
    if main is None:
        if not hide and random.random() < _FULL:
            return product_text(product, config.template)
        main = "title" if random.random() < 0.5 else "description"
    words = _words(product, main, config, random)
    levels, named = product.category_levels, random.random() < _NAMED
    rest = [levels[-1]] if levels and random.random() < _CATEGORY else []
    rest += [
        f"{name} {value}" if named else value
        for name, value in sorted(product.attributes.items())
        if value.strip() and name not in hide and random.random() < _ATTRIBUTE
    ]
    if random.random() < _SHUFFLED:
        parts = [words, *rest]
        return ", ".join(parts[at] for at in random.permutation(len(parts)) if parts[at])
    separator = " " if main == "description" and random.random() < 0.5 else ", "
    return separator.join(part for part in (words, ", ".join(rest)) if part)


def _words(product: Product, main: str, config: ViewConfig, random: np.random.Generator) -> str:
    """The title or description, sometimes without some of its words.

    Where there is only one of them both sides would say the same: then it loses more, and its parts change places.
    """
    title, description = product.title.strip(), product.description.strip()
    words = (title or description) if main == "title" else (description or title)
    only = not (title and description)
    if only and random.random() < 0.5:
        parts = [part for part in _PARTS.split(words) if part]
        kept = [part for part in parts if len(parts) < 3 or random.random() < 0.7]
        words = ", ".join(kept[at] for at in random.permutation(len(kept))) or words
    if random.random() < 0.5:
        share = config.word_dropout * (2 if only else 1)
        words = " ".join(word for word in words.split() if random.random() >= share) or words
    return words
