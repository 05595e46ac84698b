"""What the commands share: options, the two consoles, and how errors are told."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table

from catalogue.errors import ConfigurationError, SamestyleError
from catalogue.secret_files import variable_of
from catalogue.settings import Settings

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class PlainConsole(Console):
    """Writes no control characters but its own: a title from a catalogue could have a terminal do things with them."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """The parts of what is printed."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else _CONTROLS.sub("", text), style, control)


out = PlainConsole()
err = PlainConsole(stderr=True)

Data = Annotated[Path | None, typer.Option("--data", help="The data directory.", show_default="SAMESTYLE_DATA or data")]
Bundle = Annotated[Path | None, typer.Option("--bundle", help="A model bundle.", show_default="the default one")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


_NATURAL_WIDTH: Final = 10_000


def print_table(table: Table) -> None:
    """Within the terminal's width; in a pipe or a file as wide as it is, one line a row, so that no name is cut."""
    (out if out.is_terminal else PlainConsole(width=_NATURAL_WIDTH)).print(table)


class Advance(Protocol):
    """What moves a bar: how many more are done, and how many there are in all where that is news."""

    def __call__(self, count: int, total: int | None = None, /) -> None:
        """Move on."""


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Advance]:
    """A bar with rate and time left on the error console."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")

        def advance(count: int, total: int | None = None) -> None:
            bar.update(task, advance=count, total=total)
            bar.update(task, rate=f"{bar.tasks[task].speed or 0:.1f}/s")

        yield advance


@contextmanager
def told() -> Iterator[None]:
    """Errors raised on purpose become one line and exit code 1; anything else is a fault and keeps its trace.

    A reader who has seen enough (`| head`) is no error to tell of.
    """
    try:
        yield
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it ends
        raise typer.Exit(1) from None
    except SamestyleError as error:
        raise _failure(str(error)) from None
    except OSError as error:
        raise _failure(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")) from None


def settings_of(**given: Any) -> Settings:
    """The settings, with those options that were given; a wrong one ends the command."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable, why = variable_of(first["loc"]), first["msg"].removeprefix("Value error, ")
        raise _failure(f"{variable} (or its option): {why}") from None
    except (ConfigurationError, SettingsError) as error:
        raise _failure(str(error)) from None


def _failure(message: str) -> typer.Exit:
    """Say what went wrong, as it is: a path or title may look like markup."""
    err.print("error:", style="red", end=" ")
    err.print(message, markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)
