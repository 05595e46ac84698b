"""The tree of errors as it is drawn."""

import re

from catalogue import errors
from catalogue.errors import SamestyleError


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn: dict[str, str] = {}
    above: dict[int, str] = {}
    for indent, name in re.findall(r"^((?:│   |    |├── |└── )*)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4
        above[depth] = name
        if depth:
            drawn[name] = above[depth - 1]
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SamestyleError)]
    real = {kind.__name__: kind.__bases__[0].__name__ for kind in kinds if kind is not SamestyleError}
    assert drawn == real
