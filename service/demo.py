"""The demo shop: its catalogue comes with the package, its index is built where it is missing."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from catalogue import demo
from catalogue.settings import Settings
from index.manifest import SCHEMA_VERSION, read_manifest
from index.words import RULES
from models.bundle import Bundle
from service.models import DEFAULT_BUNDLE
from service.query import Found, Query
from service.ranking import Scope
from service.same_style import same_style
from service.swapping import answering

WORDS: Final = "bike print tote bag"


def prepare(settings: Settings, build: Callable[[Path, str], object]) -> None:
    """Build the index unless the one for this catalogue, this model and this version is there."""
    fingerprint = Bundle.load(settings.bundle or DEFAULT_BUNDLE).fingerprint
    catalogue = hashlib.sha256(demo.CATALOGUE.read_bytes()).hexdigest()
    name = f"demo-{catalogue[:8]}-{fingerprint[:8]}-{SCHEMA_VERSION}.{RULES}"
    if (settings.data / "snapshots" / name / "manifest.json").is_file():
        read_manifest(settings.data / "snapshots" / name)
        return
    build(demo.CATALOGUE, name)


async def ask(settings: Settings) -> list[tuple[str, list[Found]]]:
    """Two real answers: by words, and the same product from more suppliers for the best of those."""
    async with answering(settings) as retrieval:
        by_words = (await retrieval.search(Query(text=WORDS), Scope(k=3))).found
        best = by_words[0].item.product
        same = (await same_style(retrieval, best.product_id, k=5)).found
    return [(f'Words: "{WORDS}"', by_words), (f"From more suppliers: {best.product_id}, {best.title}", same)]
