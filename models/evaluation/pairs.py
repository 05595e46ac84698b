"""Labelled pairs: a trigger, a recall, and whether they are the same style.

Two kinds of file, in CSV, TSV, JSON Lines or Parquet:

- pairs of a catalogue: `trigger_id`, `recall_id`, and `label` if some are wrong on purpose (1 same style, 0 not);
- pairs that bring their products, in the format the paper's authors publish: `cate_lv1_name, cate_name, trigger_id,
  tirgger_title, recall_id, recall_title, trigger_img, recall_img, label` (`trigger_title` is read too).

Every trigger with a right recall is a query, and all other products are searched.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import ValidationError

from catalogue.errors import CatalogueInvalid, InvalidInput
from catalogue.product import CATEGORY_SEPARATOR, Product
from models.evaluation.data import EvaluationData, lacking, read_products
from models.evaluation.photos import Photos
from models.evaluation.ranking import of_targets
from models.evaluation.tables import column_names, read_rows, require_columns

SIDES: Final = ("trigger", "recall")
_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "trigger": ("tirgger_title", "trigger_title"),
    "recall": ("recall_title",),
}
_LABELS: Final = {"1": 1, "0": 0, "true": 1, "false": 0}
_COLUMNS: Final = {"trigger_id": "the product that is asked for", "recall_id": "the product that is or is not like it"}


def is_pairs_file(path: Path) -> bool:
    """Whether a file holds pairs and no catalogue, which has its own ways with bad rows; raises InvalidInput."""
    try:
        names = column_names(path)
    except CatalogueInvalid:
        return False
    return "product_id" not in names and any(f"{side}_id" in names for side in SIDES)


def read_pairs(path: Path, photos: Photos, catalogue: Path | None = None) -> EvaluationData:
    """Pairs with their products, from the catalogue where there is one; photos go to `photos`.

    Raises InvalidInput for columns or labels that are missing or wrong, and where nothing is left to ask for.
    """
    require_columns(path, _COLUMNS, "pairs")
    rows = read_rows(path)
    labels = _labels(rows, path)
    if catalogue is None:
        products, left_out = products_of(rows, path)
        for at, product in enumerate(products):
            if product.images:
                photos.add(at, product.images[0])
    else:
        products, left_out = read_products(catalogue, photos)
    number = {product.product_id: row for row, product in enumerate(products)}
    alike: defaultdict[int, set[int]] = defaultdict(set)
    asked, unknown = set[int](), 0
    for row, label in zip(rows, labels, strict=True):
        trigger, recall = number.get(row["trigger_id"]), number.get(row["recall_id"])
        if trigger is None or recall is None:
            unknown += 1
        elif label and trigger != recall:
            asked.add(trigger)
            alike[trigger].add(recall)
            alike[recall].add(trigger)  # of a mined pair either may be the trigger
    if unknown:
        left_out.append(f"pairs that name a product that is not there: {unknown:,} of {len(rows):,}")
    if not asked:
        raise InvalidInput(_nothing_left(path, catalogue, rows, labels, unknown))
    own = np.array(sorted(asked), np.int64)
    truth = of_targets(own, [sorted(alike[row]) for row in own.tolist()], len(products))
    return EvaluationData(path, products, photos, truth, None, [*left_out, *lacking(products, photos)])


def _labels(rows: list[dict[str, str]], path: Path) -> list[int]:
    """1 or 0 for each row; without the column, all are right."""
    labels, wrong = [], []
    for at, row in enumerate(rows):
        text = row.get("label", "1").lower().removesuffix(".0")
        labels.append(_LABELS.get(text, 0))
        if text not in _LABELS:
            wrong.append((at + 1, row["label"]))
    if wrong:
        at, text = wrong[0]
        raise InvalidInput(
            f"{path}: row {at:,} has the label {text[:50]!r} ({len(wrong):,} such rows). A label is 1 (same style) or "
            "0 (not). Correct or remove them."
        )
    return labels


def products_of(rows: list[dict[str, str]], path: Path) -> tuple[list[Product], list[str]]:
    """The products that the pairs bring, each as it first stands there, and lines about those left out.

    Raises InvalidInput for pairs that bring none.
    """
    if rows and not rows[0].keys() & {*_TITLES["trigger"], *_TITLES["recall"], "trigger_img", "recall_img"}:
        raise InvalidInput(
            f"{path} has ids only. Give the catalogue they are from as --catalogue, or add tirgger_title, "
            "recall_title, trigger_img and recall_img."
        )
    products, seen, problems = list[Product](), set[str](), Counter[str]()
    for row in rows:
        for side in SIDES:
            if row[f"{side}_id"] in seen:
                continue
            seen.add(row[f"{side}_id"])
            try:
                product = _product(row, side)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False, include_context=False)[0]
                problems[str(first["msg"]).removeprefix("Value error, ")] += 1
                continue
            products.append(product)
    return products, [f"products, because {reason}: {count:,}" for reason, count in problems.items()]


def _product(row: Mapping[str, str], side: str) -> Product:
    """One side of a pair; raises ValidationError."""
    levels = [row.get("cate_lv1_name", ""), row.get("cate_name", "")]
    photo = row.get(f"{side}_img", "")
    return Product(
        product_id=row[f"{side}_id"],
        title=next((row[name] for name in _TITLES[side] if row.get(name)), ""),
        category=CATEGORY_SEPARATOR.join(dict.fromkeys(level for level in levels if level)),
        images=(f"https:{photo}" if photo.startswith("//") else photo,) if photo else (),
    )


def _nothing_left(
    path: Path, catalogue: Path | None, rows: list[dict[str, str]], labels: list[int], unknown: int
) -> str:
    if not rows:
        return f"{path} has no rows."
    if unknown == len(rows):
        where = catalogue or path
        return f"None of the {unknown:,} pairs of {path} names two products of {where}. Is it the right catalogue?"
    if not any(labels):
        return f"{path}: every pair is labelled 0. Some must be 1 (same style), or there is nothing to find."
    return f"{path}: no pair labelled 1 names two different products that are there, so there is nothing to find."
