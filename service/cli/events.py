"""`samestyle events`: what is kept of shoppers becomes files, or goes."""

import json
from typing import Annotated

import typer

from service.cli.common import AsJson, Data, out, progress_bar, settings_of, told

events_app = typer.Typer(no_args_is_help=True, help="What shoppers were shown and did.")


@events_app.command("file")
def file_(data: Data = None, as_json: AsJson = False) -> None:
    """Let all events and searches taken so far become files now; gateways do it every SAMESTYLE_EVENTS__FILE_S."""
    from service.events.erasing import file_all  # noqa: PLC0415  # Arrow takes a moment, --help should not

    settings = settings_of(data=data)
    with told():
        rows = file_all(settings.data / "events")
    if as_json:
        out.print_json(json.dumps({"rows": rows}))
    else:
        out.print(f"{rows:,} rows became files in {settings.data / 'events'}.", highlight=False, soft_wrap=True)


@events_app.command()
def erase(
    user_key: Annotated[str, typer.Option("--user-key", help="As requests named the user.")],
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Erase all that one user was shown and did, while gateways go on.

    What the user does from then on is kept as before: see to it that no more is sent with this user key.
    """
    from service.events import files  # noqa: PLC0415
    from service.events.erasing import erase as run  # noqa: PLC0415
    from service.events.secret import load_secret, user_id  # noqa: PLC0415

    settings = settings_of(data=data)
    root = settings.data / "events"
    with told(), progress_bar("erasing", files.count(root)) as advance:
        gone = run(root, user_id(load_secret(settings), user_key), advance)
    if as_json:
        out.print_json(json.dumps({"events": gone.events, "searches": gone.searches}))
    else:
        out.print(f"{gone.events:,} events and {gone.searches:,} searches are gone.", highlight=False)
