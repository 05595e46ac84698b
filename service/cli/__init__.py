"""The command line: a module for each of `samestyle`'s commands and groups of them."""

from service.cli.main import app

__all__ = ["app"]
