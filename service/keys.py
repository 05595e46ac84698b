"""API keys: a file that holds their digests, written by `samestyle keys` and re-read while the gateway runs.

A key is 256 random bits. Nobody guesses one, however fast a guess is checked, so a plain SHA-256 keeps it as well as
a slow password hash would, and costs a request microseconds. The digests tell nobody anything: the file may be read by
whoever runs the gateway, whoever wrote it.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from catalogue.errors import Conflict, InvalidInput, KeysInvalid, NotFound
from catalogue.files import lock_file, write_atomic
from catalogue.versioned import check_version, first_reason
from service.watching import WatchedFile

Role = Literal["search", "write", "admin"]

PREFIX: Final = "sms_"
"""So that people, and programs that look for leaked secrets, see what it is."""
SCHEMA_VERSION: Final = 1
MAX_KEYS: Final = 500
MAX_KEY_LENGTH: Final = 200
_MAX_BYTES: Final = 1_000_000
_GRANTS: Final[dict[Role, frozenset[Role]]] = {
    "search": frozenset({"search"}),
    "write": frozenset({"search", "write"}),
    "admin": frozenset({"admin"}),
}

KeyName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Limits(BaseModel):
    """What a key may ask for; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float | None = Field(default=None, gt=0, le=1e6, allow_inf_nan=False, description="requests per second")
    burst: int | None = Field(default=None, ge=1, le=10**6, description="most at once; without it, those of a second")
    quota: int | None = Field(default=None, ge=1, le=10**12, description="requests per day, which ends at midnight UTC")

    @model_validator(mode="after")
    def _burst_of_a_rate(self) -> Self:
        if self.burst is not None and self.rate is None:
            raise ValueError("a burst needs a rate")
        return self

    @property
    def capacity(self) -> int:
        """How many requests may come at once where there is a rate."""
        return self.burst or max(1, int(self.rate or 1))


class Key(Limits):
    """One key, without the key itself."""

    name: KeyName
    roles: tuple[Role, ...] = Field(min_length=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None

    def grants(self, role: Role) -> bool:
        """Whether it may be used for what `role` is needed for; who writes may search."""
        return any(role in _GRANTS[own] for own in self.roles)

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


class KeyTable(BaseModel):
    """The keys file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    keys: tuple[Key, ...] = Field(default=(), max_length=MAX_KEYS)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({key.name for key in self.keys}) < len(self.keys):
            raise ValueError("two keys have the same name")
        return self

    def find(self, secret: str) -> Key | None:
        """The key that `secret` is, unless it has expired; every digest is compared, whichever fits."""
        digest = digest_of(secret)
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest) and not key.expired:
                found = key
        return found


def digest_of(secret: str) -> str:
    """What the file holds of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def read_keys(path: Path) -> KeyTable:
    """The keys in a file; raises KeysInvalid."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise KeysInvalid(f"The keys file {path} cannot be read: {error.strerror}.") from None
    if len(content) > _MAX_BYTES:
        raise KeysInvalid(f"The keys file {path} is over {_MAX_BYTES // 1_000_000} MB.")
    try:
        check_version(content, SCHEMA_VERSION, lambda why: KeysInvalid(f"The keys file {path} {why}."))
        return KeyTable.model_validate_json(content)
    except ValidationError as error:
        raise KeysInvalid(f"The keys file {path} cannot be used: {first_reason(error)}.") from None


def create_key(
    path: Path,
    name: str,
    roles: Sequence[str],
    *,
    limits: Mapping[str, float | None] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Add a key to a file, which is made where there is none; returns the key, which is nowhere else.

    `limits` are those of `Limits`. Raises Conflict for a name that is taken or one key too many, InvalidInput for what
    cannot stand in the file, KeysInvalid for a file that cannot be used.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC)
    given = {"name": name, "roles": roles, "sha256": digest_of(secret), "created_at": now, "expires_at": expires_at}
    try:
        key = Key.model_validate(given | dict(limits or {}))
    except ValidationError as error:
        raise InvalidInput(f"No such key can be made: {first_reason(error)}.") from None
    with lock_file(_lock_of(path)):
        table = read_keys(path) if path.exists() else KeyTable()
        if any(other.name == name for other in table.keys):
            raise Conflict(f"There is a key {name} in {path} already. Choose another name, or revoke that one first.")
        if len(table.keys) == MAX_KEYS:
            raise Conflict(f"{path} holds {MAX_KEYS} keys, which is the most there can be. Revoke some first.")
        _write(path, (*table.keys, key))
    return secret


def revoke_key(path: Path, name: str) -> None:
    """Take a key out of a file; raises NotFound, KeysInvalid."""
    with lock_file(_lock_of(path)):
        table = read_keys(path)
        left = tuple(key for key in table.keys if key.name != name)
        if len(left) == len(table.keys):
            raise NotFound(f"There is no key {name[:64]!r} in {path}. `samestyle keys list` shows those there are.")
        _write(path, left)


class KeyRing(WatchedFile[KeyTable]):
    """The keys that count now: those of the file when it was last readable."""

    def __init__(self, path: Path, *, watch_s: float = 1.0) -> None:
        """Read the file; raises KeysInvalid, also where it holds no key."""
        super().__init__(path, partial(read_keys, path), read_keys(path), name="keys", every_s=watch_s)
        if not self.content.keys:
            raise KeysInvalid(f"The keys file {path} holds no key. {HOW_TO_CREATE}")

    def find(self, secret: str) -> Key | None:
        """See `KeyTable.find`."""
        return self.content.find(secret)


HOW_TO_CREATE: Final = "Make one with `samestyle keys create NAME --role search --file KEYS.json`."


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _write(path: Path, keys: tuple[Key, ...]) -> None:
    write_atomic(path, KeyTable(keys=keys).model_dump_json(indent=2, exclude_none=True).encode() + b"\n")
