"""Whether the arrays of a mapped product table fit each other, so that no request comes upon one that does not.

Checksums say that a file is what was written; this says that what was written can be used. It reads the columns of
numbers, a few dozen bytes a product, and of texts only where each begins; who says a word is not read.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_TYPES: Final[Mapping[str, tuple[pa.DataType, ...]]] = {
    "product_id": (pa.large_string(),),
    "title": (pa.large_string(),),
    "photo": (pa.string(),),
    "document": (pa.large_binary(),),
    **{f"{name}.keys": (pa.large_string(),) for name in ("category", "supplier_id", "currency")},
    **{f"{name}.codes": (pa.uint8(), pa.uint16(), pa.uint32()) for name in ("category", "supplier_id", "currency")},
    "in_stock": (pa.uint8(),),
    "price": (pa.float64(),),
    "attributes.names": (pa.large_string(),),
    "attributes.first": (pa.int64(),),
    "attributes.values": (pa.large_string(),),
    "attributes.start": (pa.int64(),),
    "attributes.rows": (pa.uint32(),),
    "style.medoids": (pa.int32(),),
    "style.scores": (pa.float32(),),
    "hash.rows": (pa.uint32(),),
    "hash.sorted": (pa.uint64(),),
    **{f"order.{sort}": (pa.uint32(),) for sort in ("product_id", "price", "-price", "title")},
    "words.rules": (pa.uint32(),),
    "words.keys": (pa.uint32(),),
    "words.start": (pa.int64(),),
    "words.rows": (pa.uint32(),),
}
_NEW: Final = frozenset({"words.rules", "words.keys", "words.start", "words.rows"})
"""That snapshots of earlier versions lack."""
_MAY_BE_NULL: Final = frozenset({"photo"})
_OF_OTHER_LENGTHS: Final = ("keys", "names", "first", "values", "start", "attributes.rows", "words.rows", "rules")


def check_whole(arrays: Mapping[str, Any]) -> None:
    """Raise ValueError unless these are the arrays of one product table, and every number in them leads somewhere."""
    missing = _TYPES.keys() - arrays.keys()
    if missing and missing != _NEW:
        raise ValueError(f"there is no {', '.join(sorted(missing))}")
    kinds = {name: types for name, types in _TYPES.items() if name in arrays}
    for name, types in kinds.items():
        array = arrays[name]
        if array.type not in types:
            raise ValueError(f"{name} holds {array.type}, not {types[0]}")
        if array.null_count and name not in _MAY_BE_NULL:
            raise ValueError(f"{name} has values that are null")
        if not _is_numbers(array.type):
            _check_texts(name, array)
    arrays["attributes.values"].validate(full=True)  # only these are decoded one by one, when somebody asks
    rows = len(arrays["product_id"])
    for name in kinds:
        if not name.endswith(_OF_OTHER_LENGTHS) and len(arrays[name]) != rows:
            raise ValueError(f"{name} has {len(arrays[name])} values for {rows} products")
    numbers = {name: array.to_numpy() for name, array in arrays.items() if _is_numbers(array.type)}
    for reason in _wrong(numbers, {name: len(array) for name, array in arrays.items()}):
        raise ValueError(reason)


def _wrong(numbers: Mapping[str, NDArray[Any]], lengths: Mapping[str, int]) -> Iterator[str]:
    rows = lengths["product_id"]
    for name in ("category", "supplier_id", "currency"):
        if numbers[f"{name}.codes"].max(initial=0) > lengths[f"{name}.keys"]:
            yield f"{name}.codes name a text there is not"
    if not ((numbers["style.medoids"] >= -1) & (numbers["style.medoids"] < rows)).all():
        yield "style.medoids name a row there is not"
    for name in ("hash.rows", *(name for name in _TYPES if name.startswith("order."))):
        if not _is_permutation(numbers[name], rows):
            yield f"{name} does not name each row once"
    if not _ascends(numbers["hash.sorted"]):
        yield "hash.sorted is not sorted"
    yield from _wrong_postings(numbers, lengths)


def _wrong_postings(numbers: Mapping[str, NDArray[Any]], lengths: Mapping[str, int]) -> Iterator[str]:
    """What is wrong with the rows of attributes and, where there are any, of words."""
    for name, parts, whole, what in (
        ("attributes.first", lengths["attributes.names"], lengths["attributes.values"], "the values by name"),
        ("attributes.start", lengths["attributes.values"], lengths["attributes.rows"], "the rows by value"),
        ("words.start", lengths.get("words.keys", 0), lengths.get("words.rows", 0), "the rows by word"),
    ):
        if name in numbers and not _divides(numbers[name], parts, whole):
            yield f"{name} does not divide {what}"
    if "words.keys" in numbers and not _ascends(numbers["words.keys"]):
        yield "words.keys is not sorted"
    if lengths["attributes.rows"] and numbers["attributes.rows"].max() >= lengths["product_id"]:
        yield "attributes.rows name a row there is not"


def _check_texts(name: str, array: Any) -> None:
    """Each text begins where the one before ends, and the last one ends within the file."""
    _, starts, texts = array.buffers()
    width = np.int64 if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type) else np.int32
    begin = np.frombuffer(starts, width)[array.offset : array.offset + len(array) + 1] if len(array) else np.zeros(1)
    size = texts.size if texts is not None else 0
    if len(begin) != len(array) + 1 or begin[0] < 0 or begin[-1] > size or not _ascends(begin):
        raise ValueError(f"{name} has texts that lie outside of it")


def _is_numbers(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_permutation(found: NDArray[Any], count: int) -> bool:
    if len(found) and found.max() >= count:
        return False
    named = np.zeros(count, np.bool_)
    named[found] = True
    return bool(named.all())


def _ascends(values: NDArray[Any]) -> bool:
    return bool((values[1:] >= values[:-1]).all())


def _divides(starts: NDArray[Any], parts: int, whole: int) -> bool:
    return len(starts) == parts + 1 and starts[0] == 0 and starts[-1] == whole and _ascends(starts)
