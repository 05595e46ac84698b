"""What the configuration of a Jina-CLIP says, held against what is known and against its weights."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from catalogue.errors import BundleInvalid

Options: TypeAlias = Mapping[str, tuple[object, object]]
"""By name: what an option is where it is left out, and what it has to be."""


def check_options(where: Path, of: str, given: Mapping[str, Any], options: Options) -> None:
    """Raise BundleInvalid for an option of the part `of` that would make it another network."""
    for name, (absent, needed) in options.items():
        if (found := given.get(name, absent)) != needed:
            raise BundleInvalid(
                f"{where}: {of}{name} is {found!r}, and only a Jina-CLIP with {needed!r} can be exported."
            )


def check_sizes(where: Path, of: str, said: Mapping[str, tuple[object, object]]) -> None:
    """Raise BundleInvalid where a size that is told is not the one that the weights have."""
    if odd := [name for name, (told, found) in said.items() if told != found]:
        raise BundleInvalid(f"{where}: {of}{odd[0]} is not what the weights are made for.")


def layers_of(names: Iterable[str], prefix: str) -> int:
    """How many layers the names of weights speak of."""
    return len({found[1] for name in names if (found := re.match(rf"{re.escape(prefix)}(\d+)\.", name))})
