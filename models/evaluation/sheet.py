"""The contact sheet: what the worst queries found, as one HTML file that needs nothing else.

Titles come from strangers, so all texts are escaped, and the page allows no script, no form and no request.
"""

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

import numpy as np
from PIL import Image

from catalogue.errors import InvalidInput
from catalogue.images import decode_image
from models.bundle import ModePair
from models.evaluation.data import EvaluationData
from models.evaluation.modes import Mode, pair_modes
from models.evaluation.ranking import Answer
from models.evaluation.run import Measured

MAX_BYTES: Final = 12_000_000
"""Of photos in one sheet; those beyond are left out."""
_SIDE: Final = 128
_QUALITY: Final = 75
_TEXT: Final = 140
_NAMES: Final = {"i": "photo", "t": "text", "m": "photo and text"}
_STYLE: Final = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #1b1b1b; background: #fff; }
h2 { margin-top: 2.5rem; }
.case { display: flex; gap: .6rem; padding: .75rem 0; border-top: 1px solid #ddd; overflow-x: auto; }
figure { box-sizing: border-box; margin: 0; width: 150px; flex: none; padding: 6px; border: 2px solid #ddd;
  border-radius: 6px; }
figure.query { border-color: #345; background: #eef2f7; }
figure.right { border-color: #1a7f37; }
figure .shot { height: 128px; display: flex; align-items: center; justify-content: center; background: #f4f4f4;
  color: #666; }
figure img { max-width: 100%; max-height: 128px; }
figcaption { font-size: 12px; overflow-wrap: anywhere; }
figcaption b { display: block; }
.gap { align-self: center; flex: none; color: #666; }
"""


def contact_sheet(heading: str, data: EvaluationData, measured: Measured) -> str:
    """The worst cases of every mode pair, HTML; photos that cannot be had are shown as missing."""
    sheet = _Sheet(data, measured)
    sections = [sheet.section(pair, cases) for pair, cases in measured.worst.items()]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(heading)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(heading)}</h1>
<p>The queries whose first right answer came last, one of each style: the query, the nearest products it found, and
after the gap the best of the right ones with its rank. Right products have a green frame.</p>
{"".join(sections)}
</body>
</html>
"""


class _Sheet:
    """Makes the sections of one sheet."""

    def __init__(self, data: EvaluationData, measured: Measured) -> None:
        self._data, self._measured = data, measured
        self._thumbnails = _Thumbnails(data.photos.load)

    def section(self, pair: ModePair, cases: Sequence[Answer]) -> str:
        """One mode pair."""
        query, gallery = pair_modes(pair)
        scores = self._measured.modes[pair]
        heading = f"<h2>{pair}: {_NAMES[query]} as the query, {_NAMES[gallery]} searched</h2>"
        heading += f"<p>{scores.queries:,} queries, MRR {scores.mrr:.3f}, recall@1 {scores.recall[1]:.3f}.</p>"
        if not cases:
            return heading + "<p>Every query found a right one first.</p>"
        return heading + "".join(self._case(query, gallery, case) for case in cases)

    def _case(self, query: Mode, gallery: Mode, case: Answer) -> str:
        right = set(np.flatnonzero(self._data.truth.right(np.array([case.query]))[0]).tolist())
        own = int(self._data.truth.own[case.query])
        figures = [self._figure("query", "query", query, own, self._measured.texts[0])]
        for place, (row, score) in enumerate(case.found, 1):
            kind = "right" if row in right else "wrong"
            figures.append(self._figure(kind, f"{place}. {score:.3f}", gallery, row, self._measured.texts[1]))
        row, score = case.right
        if all(row != found for found, _ in case.found):
            label = f"rank {case.rank:,}, {score:.3f}"
            figures.append('<span class="gap">…</span>')
            figures.append(self._figure("right", label, gallery, row, self._measured.texts[1]))
        return f'<div class="case">{"".join(figures)}</div>\n'

    def _figure(self, kind: str, label: str, mode: Mode, row: int, texts: Sequence[str]) -> str:
        """A product as it was compared: a photo, a text, or both."""
        product = self._data.products[row]
        shot = self._thumbnails.of(row) if mode != "t" else "<span>text only</span>"
        shown = _short(texts[row] if mode != "i" else product.title)
        return (
            f'<figure class="{kind}"><div class="shot">{shot}</div><figcaption><b>{escape(label)}</b>'
            f"<bdi>{escape(product.product_id)}</bdi><br><bdi>{escape(shown)}</bdi></figcaption></figure>"
        )


class _Thumbnails:
    """Photos as small data URLs, each made once, up to a number of bytes in all."""

    def __init__(self, load: Callable[[int], bytes | None]) -> None:
        self._load = load
        self._made: dict[int, str] = {}
        self._room = MAX_BYTES

    def of(self, row: int) -> str:
        """The `img` of a product, or words in its place."""
        if row not in self._made:
            self._made[row] = self._make(row)
        made = self._made[row]
        if len(made) > self._room:
            return "<span>no room</span>"
        self._room -= len(made)
        return made

    def _make(self, row: int) -> str:
        try:
            photo = self._load(row)
            image = decode_image(photo, min_side=_SIDE) if photo is not None else None
        except InvalidInput:
            image = None
        if image is None:
            return "<span>no photo</span>"
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        image.save(out, "JPEG", quality=_QUALITY, optimize=True)
        return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}">'


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _TEXT else f"{one_line[:_TEXT]}…"
