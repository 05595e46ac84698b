"""`python -m service` is `samestyle`."""

from service.cli import app

app()
