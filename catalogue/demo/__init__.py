"""The demo catalogue: a rendered shop with exact ground truth."""

import hashlib
from pathlib import Path
from typing import Final

CATALOGUE: Final = Path(__file__).parent / "products.jsonl"


def is_held_out(style_id: str) -> bool:
    """Whether a style belongs to the 30 % that nothing may be trained, fitted or calibrated on."""
    return int(hashlib.sha256(style_id.encode()).hexdigest(), 16) % 10 >= 7
