"""What is set, where each value comes from, and what is wrong with it, without starting anything.

Everything is looked at, so that one look names all that is wrong: each setting by itself, settings that do not go
together, files that cannot be used, and variables that look like settings and are none.
"""

import difflib
import os
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError

from catalogue.addresses import is_loopback
from catalogue.errors import ConfigurationError, SamestyleError
from catalogue.secret_files import PREFIX, is_secret, leaves, variable_of
from catalogue.settings import Settings
from index.gpu import check_built
from models.bundle import Bundle
from models.runtime import check_device
from service.connections import files_for
from service.keys import read_keys
from service.models import DEFAULT_BUNDLE
from service.tracing import check_installed

_MASK: Final = "********"
_ALIKE: Final = 0.75
_NEARLY_ALIKE: Final = 0.9
_BY_KUBERNETES: Final = re.compile(r"SAMESTYLE(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)")
"""What Kubernetes sets in every container beside a Service called samestyle, samestyle-admin or the like."""

Source = Literal["default", "environment", "file"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; a secret's value is never here."""

    variable: str
    value: str
    source: Source
    meaning: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All settings, and what is wrong beyond single ones."""

    settings: list[Setting]
    problems: list[str]

    @property
    def is_fine(self) -> bool:
        """Whether a gateway would start with this, as far as can be seen."""
        return not self.problems and not any(setting.problem for setting in self.settings)


def check(given: Mapping[str, Any] | None = None) -> Report:
    """Look at the environment, and at what was `given` by options."""
    wrong, problems, settings, rest = _validated(given or {})
    unread = set(wrong)
    rows = [
        Setting(
            variable=variable,
            value=_shown(path, field, settings),
            source=_source(variable),
            meaning=field.description or "",
            problem=wrong.pop(variable, ""),
        )
        for variable, path, field in leaves(Settings)
    ]
    problems += [f"{variable}: {why}" for variable, why in wrong.items()]
    problems += unknown_variables()
    if rest is not None:
        problems += (problem for problem in _together(rest) if not _names(problem) & unread)
    return Report(rows, problems)


def _validated(given: Mapping[str, Any]) -> tuple[dict[str, str], list[str], Settings | None, Settings | None]:
    """What is wrong by variable, what is wrong besides, the settings where nothing is, and what is left to judge.

    The last are the settings with defaults for those that cannot be read; None where not even that can be had.
    """
    try:
        settings = Settings(**given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        wrong = {variable_of(each["loc"]): each["msg"].removeprefix("Value error, ") for each in found}
        try:
            rest = Settings(**_with_defaults(given, wrong))
        except (ValidationError, ConfigurationError, SettingsError):
            rest = None
        return wrong, [], None, rest
    except (ConfigurationError, SettingsError) as error:
        return {}, [str(error)], None, None
    return {}, [], settings, settings


def _with_defaults(given: Mapping[str, Any], variables: Container[str]) -> dict[str, Any]:
    """What is given, and the defaults of some settings above what the environment says of them."""
    above = dict(given)
    for variable, path, field in leaves(Settings):
        if variable in variables:
            group = above
            for name in path[:-1]:
                group = group.setdefault(name, {})
            group[path[-1]] = field.default
    return above


def _names(problem: str) -> set[str]:
    return set(re.findall(rf"{PREFIX}[A-Z_]+", problem))


def _groups() -> Iterator[str]:
    """A group may be set as a whole, in JSON."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield variable_of((name,))


def _secret_files() -> Iterator[str]:
    return (f"{variable}_FILE" for variable, _, field in leaves(Settings) if is_secret(field))


def _environment() -> dict[str, str]:
    """By upper-case name: settings may be written in either case. What is empty means the default."""
    return {name.upper(): value for name, value in os.environ.items() if value}


def _source(variable: str) -> Source:
    environment = _environment()
    if f"{variable}_FILE" in environment and f"{variable}_FILE" in _secret_files():
        return "file"
    group = variable.partition("__")[0]
    return "environment" if variable in environment or (group != variable and group in environment) else "default"


def _shown(path: tuple[str, ...], field: FieldInfo, settings: Settings | None) -> str:
    """The value as it counts; where something is wrong, as it was set."""
    value: Any = settings
    if settings is None:
        value = _environment().get(variable_of(path), field.default)
    else:
        for name in path:
            value = getattr(value, name)
    if value is None or value == ():
        return ""
    if is_secret(field):
        return _MASK
    return " ".join(value) if isinstance(value, tuple) else str(value)


def unknown_variables() -> Iterator[str]:
    """Variables of the environment that look like settings and are none, and what was probably meant."""
    known = [*(variable for variable, _, _ in leaves(Settings)), *_groups(), *_secret_files()]
    for name in sorted(os.environ):
        upper = name.upper()
        if upper in known or _BY_KUBERNETES.fullmatch(upper):
            continue
        is_ours = upper.startswith(PREFIX)
        near = difflib.get_close_matches(upper, known, 1, _ALIKE if is_ours else _NEARLY_ALIKE)
        if near:
            yield f"{name} is no setting; did you mean {near[0]}?"
        elif is_ours:
            yield f"{name} is no setting; `samestyle config check` lists those there are."


def _together(settings: Settings) -> Iterator[str]:
    """What each setting allows and all of them do not, and files that cannot be used."""
    hosts = {"HOST": settings.host}
    if settings.admin_port is not None:
        hosts["ADMIN_HOST"] = settings.admin_host
    for name, host in hosts.items():
        if settings.keys_file is None and not is_loopback(host):
            yield f"SAMESTYLE_{name}={host} needs API keys: only loopback is served without. Set SAMESTYLE_KEYS_FILE."
    if settings.admin_port == settings.port:
        yield "SAMESTYLE_ADMIN_PORT is SAMESTYLE_PORT. Choose another one."
    yield from sharing_a_port(settings)
    yield from _files(settings)
    yield from _installed(settings)
    if settings.journal is not None and not settings.journal.get_secret_value().startswith("postgresql"):
        yield "SAMESTYLE_JOURNAL is no address of a PostgreSQL: postgresql://user:password@host/database."
    redis = settings.cache.redis_url
    if redis is not None and not redis.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        yield "SAMESTYLE_CACHE__REDIS_URL is no address of a Redis: redis://host:port/db."


def sharing_a_port(settings: Settings) -> Iterator[str]:
    """What gateways lack that are to listen on one port, where any may get the next request of a shopper."""
    if not settings.reuse_port:
        return
    if settings.journal is None:
        yield "SAMESTYLE_REUSE_PORT=true needs a journal that gateways share: set SAMESTYLE_JOURNAL to a PostgreSQL."
    if settings.cursor_secret is None:
        yield "SAMESTYLE_REUSE_PORT=true needs SAMESTYLE_CURSOR_SECRET, the same for all: any may get the next page."
    if settings.admin_port is None:
        yield "SAMESTYLE_REUSE_PORT=true needs SAMESTYLE_ADMIN_PORT, another for each: metrics are a gateway's own."


def _files(settings: Settings) -> Iterator[str]:
    if problem := _not_a_folder(settings.data):
        yield f"SAMESTYLE_DATA: {problem}"
    if settings.keys_file is not None:
        try:
            read_keys(settings.keys_file)
        except SamestyleError as error:
            yield f"SAMESTYLE_KEYS_FILE: {error}"
    try:
        Bundle.load(settings.bundle or DEFAULT_BUNDLE)
    except SamestyleError as error:
        yield f"SAMESTYLE_BUNDLE: {error}"


def _installed(settings: Settings) -> Iterator[str]:
    """What this machine, and what is installed on it, cannot do; no device is asked."""
    try:
        files_for(settings.max_connections)
    except ConfigurationError as error:
        yield str(error)
    try:
        check_device(settings.device)
    except ConfigurationError as error:
        yield f"SAMESTYLE_DEVICE: {error}"
    if settings.index.device == "cuda":
        try:
            check_built()
        except ConfigurationError as error:
            yield f"SAMESTYLE_INDEX__DEVICE: {error}"
    if settings.tracing.endpoint is not None:
        try:
            check_installed()
        except ConfigurationError as error:
            yield str(error)


def _not_a_folder(path: Path) -> str:
    """Why a folder cannot be written to, or made."""
    if path.is_dir():
        return "" if os.access(path, os.W_OK | os.X_OK) else f"{path} may not be written to by this user."
    if path.exists():
        return f"{path} is a file, not a folder."
    above = next(parent for parent in path.absolute().parents if parent.exists())
    return "" if os.access(above, os.W_OK | os.X_OK) else f"{path} is not there, and may not be made by this user."
