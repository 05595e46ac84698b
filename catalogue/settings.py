"""Every setting of the service, with its default and meaning.

Read from the environment: prefix `SAMESTYLE_`, nested names joined by `__` (`SAMESTYLE_CACHE__REDIS_URL`). A secret may
also stand in a file, which the same name with `_FILE` behind it names.
"""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from catalogue.addresses import HostList
from catalogue.secret_files import SecretFiles
from catalogue.threads import ThreadBudget

_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
_COLLECTOR: Final = re.compile(r"https?://[^\s?#]+")


def _is_origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text[:100]} is no origin; give one such as https://shop.example")
    return text


def _is_collector(text: str) -> str:
    if not _COLLECTOR.fullmatch(text):
        raise ValueError("this is no address of a collector; give one such as http://collector:4318")
    return text


Origin = Annotated[str, AfterValidator(_is_origin)]
"""Scheme, host and port of a page, as browsers send it; `*` is none."""


class CacheSettings(BaseModel):
    """The embedding cache: in process first, then Redis."""

    model_config = ConfigDict(frozen=True)

    memory_bytes: int = Field(default=64_000_000, ge=0, description="bytes of embeddings kept in process")
    tokens_memory_bytes: int = Field(default=32_000_000, ge=0, description="bytes of photos' tokens kept in process")
    redis_url: SecretStr | None = Field(default=None, description="redis://host:port/db; without it, in process only")
    redis_timeout_s: float = Field(default=0.02, gt=0, description="longest a request waits for Redis, all in all")
    ttl_s: int = Field(default=86_400, gt=0, description="seconds an embedding lives in Redis")
    tokens_ttl_s: int = Field(default=3_600, gt=0, description="seconds a photo's tokens live in Redis")


class EncoderSettings(BaseModel):
    """Micro-batching in front of the encoders; each has a queue of its own."""

    model_config = ConfigDict(frozen=True)

    max_batch: int = Field(default=32, ge=1, le=128, description="most encoded together, where the device gains by it")
    max_queue: int = Field(default=128, ge=1, description="most waiting for an encoder; beyond that, 429")


class IndexSettings(BaseModel):
    """Snapshots and how they are exchanged."""

    model_config = ConfigDict(frozen=True)

    device: Literal["cpu", "cuda"] = Field(default="cpu", description="where indexes are searched")
    gpus: int = Field(default=1, ge=1, le=16, description="GPUs that each index is spread over, with device cuda")
    watch_s: float = Field(default=1.0, gt=0, description="seconds between two looks at aliases.json")
    verify_bytes_per_s: float = Field(
        default=200_000_000, gt=0, description="how fast a running gateway reads a snapshot to verify it"
    )
    memory_bytes: int | None = Field(
        default=None, ge=0, description="memory the gateway may use; default: all there is, or the container's limit"
    )
    auto_snapshot: bool = Field(
        default=False, description="cut a snapshot and serve it when more than 2 % or 50,000 products changed"
    )


class EventSettings(BaseModel):
    """What shoppers were shown and did: how long it is kept."""

    model_config = ConfigDict(frozen=True)

    secret: SecretStr | None = Field(
        default=None,
        description="signs request ids and names users; default: made once, in the data directory",
    )
    file_s: float = Field(default=3600.0, gt=0, description="seconds between two files of events and of searches")
    retention_days: int = Field(default=90, ge=1, description="days that events and searches are kept")
    max_bytes: int = Field(
        default=10_000_000_000, ge=1_000_000, description="bytes of them that are kept; the oldest days go first"
    )


class FetchSettings(BaseModel):
    """Photos that requests name by URL."""

    model_config = ConfigDict(frozen=True)

    hosts: str = Field(
        default="",
        description="from where photos are fetched, separated by commas: photos.example.com, *.example.com, "
        "* for any public host, each with :port for another than 80 and 443; default: none",
    )
    timeout_s: float = Field(default=3.0, gt=0, description="longest time a photo may take, redirects included")
    concurrency: int = Field(default=16, ge=1, le=256, description="most photos held at once; one more is answered 429")

    @field_validator("hosts")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        HostList.parse(value)
        return value

    @property
    def host_list(self) -> HostList:
        """The hosts as they are compared."""
        return HostList.parse(self.hosts)


class LogSettings(BaseModel):
    """Which requests are logged."""

    model_config = ConfigDict(frozen=True)

    slow_s: float = Field(default=1.0, gt=0, description="seconds from which on a request is logged with its stages")
    access_sample: float = Field(default=0.0, ge=0, le=1, description="share of all other requests that is logged")


class TracingSettings(BaseModel):
    """Where traces of requests go."""

    model_config = ConfigDict(frozen=True)

    endpoint: Annotated[str, AfterValidator(_is_collector)] | None = Field(
        default=None, description="an OpenTelemetry collector (OTLP over HTTP), as http://host:4318; default: none"
    )
    sample: float = Field(
        default=0.1, ge=0, le=1, description="share of requests traced, of those whose caller says nothing about it"
    )


class Settings(BaseSettings):
    """The frozen settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix="SAMESTYLE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,  # `SAMESTYLE_BUNDLE=` means the default, not the folder "."
        frozen=True,
    )

    data: Path = Field(default=Path("data"), description="the data directory")
    bundle: Path | None = Field(default=None, description="model bundle; default: the one that comes along")
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="where the encoders run")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=1, le=65_535, description="port to listen on")
    reuse_port: bool = Field(
        default=False, description="other gateways of this machine listen on the same port, and connections are spread"
    )
    admin_host: str = Field(default="127.0.0.1", description="address of the admin port")
    admin_port: int | None = Field(
        default=None, ge=1, le=65_535, description="port for /admin and /metrics; default: beside all else"
    )
    keys_file: Path | None = Field(
        default=None, description="API keys, made by `samestyle keys create`; without it, loopback only and no keys"
    )
    cors_origins: Annotated[
        tuple[Origin, ...], NoDecode, BeforeValidator(lambda text: text.split() if isinstance(text, str) else text)
    ] = Field(default=(), description="pages that may call from a browser, as https://host, separated by blanks")
    hsts: bool = Field(default=False, description="TLS ends before the gateway: browsers are told to insist on it")
    max_connections: int = Field(default=1000, ge=1, description="most open connections; one more is answered 429")
    headers_timeout_s: float = Field(default=10.0, gt=0, description="longest wait for the headers of a request")
    shutdown_delay_s: float = Field(
        default=0.0, ge=0, description="seconds from SIGTERM until no more connections are taken; /readyz says 503"
    )
    cores: int | None = Field(default=None, ge=1, description="cores to use; default: all this process may run on")
    deadline_s: float = Field(default=5.0, gt=0, description="longest time a search may take before 504")
    cursor_secret: SecretStr | None = Field(default=None, description="signs cursors; default: new at each start")
    journal: SecretStr | None = Field(
        default=None,
        description="postgresql://user:password@host/db, shared by several gateways; "
        "default: journal.sqlite3 in the data directory",
    )
    cache: CacheSettings = CacheSettings()
    encoder: EncoderSettings = EncoderSettings()
    index: IndexSettings = IndexSettings()
    fetch: FetchSettings = FetchSettings()
    events: EventSettings = EventSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then the files it names."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @property
    def journal_address(self) -> Path | str:
        """Where the journal is, as `Journal.open` takes it."""
        return self.journal.get_secret_value() if self.journal else self.data / "journal.sqlite3"

    @property
    def threads(self) -> ThreadBudget:
        """How the cores are shared out."""
        return ThreadBudget.of(self.cores)
