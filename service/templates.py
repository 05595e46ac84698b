"""Which route a request was for, where it was refused before it came to any."""

import re
from functools import cache
from typing import Final

from fastapi.routing import APIRoute
from starlette.routing import compile_path

from service.openapi import ROUTERS

NONE: Final = "none"


def template_of(method: str, path: str) -> str:
    """The template of the route that takes a path, at best with that method; `none` where none does."""
    found = NONE
    for pattern, methods, template in _routes():
        if pattern.match(path):
            if method in methods:
                return template
            found = template if found == NONE else found
    return found


@cache
def _routes() -> list[tuple[re.Pattern[str], frozenset[str], str]]:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [(compile_path(route.path)[0], frozenset(route.methods or ()), route.path) for route in routes]
