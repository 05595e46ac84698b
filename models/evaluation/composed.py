"""The composed task: the photo of one product and words for what should differ, and the product that is meant.

A file of triplets has the columns `reference_id` and `target_id`, and whatever the words are made of. A template such
as `{target_colour} {target_pattern?}` makes them: a field with `?` is used only where `target_...` and `reference_...`
differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from catalogue.errors import InvalidInput
from models.evaluation.data import EvaluationData
from models.evaluation.ranking import Truth, codes_of, of_targets
from models.evaluation.tables import read_rows, require_columns
from models.evaluation.texts import template_fields
from models.preprocessing import fill_template

_TARGET: Final = "target_"
_REFERENCE: Final = "reference_"
_COLUMNS: Final = {"reference_id": "the product whose photo is shown", "target_id": "the product that is meant"}


@dataclass(frozen=True, slots=True)
class Triplets:
    """References and targets as numbers of products [q], the words of each query, and what is right."""

    references: list[int]
    words: list[str]
    truth: Truth
    left_out: list[str]


def read_triplets(path: Path, template: str, data: EvaluationData) -> Triplets:
    """The triplets of a file whose products are there and which have words.

    Raises InvalidInput for wrong columns or a wrong template, and where no triplet is left.
    """
    require_columns(path, _COLUMNS, "triplets")
    fields = template_fields(template, "--words")
    needed = dict.fromkeys((field.removesuffix("?") for field in fields), "for the words; see --words")
    needed |= {_counterpart(field): "what a field with ? is compared with" for field in fields if field.endswith("?")}
    require_columns(path, needed, "the words of triplets")
    number = {product.product_id: row for row, product in enumerate(data.products)}
    rows = read_rows(path)
    known = [row for row in rows if row["reference_id"] in number and row["target_id"] in number]
    worded = [
        (row, text) for row in known if (text := _words(template, row)) and row["reference_id"] != row["target_id"]
    ]
    if not worded:
        why = "names two products that are there" if not known else "has words and two different products"
        raise InvalidInput(f"{path}: none of its {len(rows):,} triplets {why}. Do they belong to {data.source}?")
    references = [number[row["reference_id"]] for row, _ in worded]
    styles = codes_of(data.styles) if data.styles is not None else np.arange(len(data.products))
    truth = of_targets(
        np.array(references, np.int64),
        [[number[row["target_id"]]] for row, _ in worded],
        len(data.products),
        styles[references],
    )
    left_out = []
    if len(known) < len(rows):
        left_out.append(f"triplets that name a product that is not there: {len(rows) - len(known):,} of {len(rows):,}")
    if len(worded) < len(known):
        left_out.append(f"triplets without words or of one product: {len(known) - len(worded):,} of {len(rows):,}")
    return Triplets(references, [text for _, text in worded], truth, left_out)


def _words(template: str, row: Mapping[str, str]) -> str:
    values: dict[str, str] = {}
    for field in template_fields(template, "--words"):
        name = field.removesuffix("?")
        differs = not field.endswith("?") or row[name] != row[_counterpart(field)]
        values[field] = row[name] if differs else ""
    return fill_template(template, values)


def _counterpart(field: str) -> str:
    """The column that a field with ? is compared with; raises InvalidInput for one that has none."""
    name = field.removesuffix("?")
    if not name.startswith(_TARGET):
        raise InvalidInput(f"--words: {{{field}}} ends in ?, so its name must begin with {_TARGET}.")
    return _REFERENCE + name.removeprefix(_TARGET)
