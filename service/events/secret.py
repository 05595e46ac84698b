"""The secret behind request ids and the names of users: one for a data directory, or for all gateways by a setting."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from catalogue.errors import ConfigurationError
from catalogue.files import sync_directory
from catalogue.settings import Settings

FILE: Final = "secret"
_BYTES: Final = 32


def load_secret(settings: Settings) -> bytes:
    """32 bytes: of the setting, or of the data directory.

    Raises ConfigurationError where neither has them, or they cannot be read.
    """
    if settings.events.secret is not None:
        return hashlib.sha256(settings.events.secret.get_secret_value().encode()).digest()
    path = settings.data / "events" / FILE
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is not there, and users are named by it. Name the gateway's data directory with --data, or set "
            "SAMESTYLE_EVENTS__SECRET as the gateway has it."
        ) from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from None
    if len(found) != _BYTES:
        raise ConfigurationError(
            f"{path} does not hold {_BYTES} bytes. Restore it; without it, users are strangers and answers nobody's."
        )
    return found


def ensure_secret(settings: Settings) -> bytes:
    """The secret of a gateway, made where there is none yet; raises ConfigurationError where it cannot be."""
    path = settings.data / "events" / FILE
    if settings.events.secret is None and not path.exists():
        try:
            _make(path)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be made: {error.strerror}.") from None
    return load_secret(settings)


def user_id(secret: bytes, user_key: str) -> str:
    """What a user is called in all that is kept: 32 hexadecimal digits that say nothing without the secret."""
    name = user_key.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, key=secret, digest_size=16, person=b"samestyle user").hexdigest()


def _make(path: Path) -> None:
    """Write it whole; of two processes that do, the first one's counts for both."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secret.")  # readable by this user only
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                return
        sync_directory(path.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)
