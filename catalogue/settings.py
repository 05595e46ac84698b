"""Every setting of the service, with its default and meaning.

Read from the environment: prefix `SAMESTYLE_`, nested names joined by `__` (`SAMESTYLE_CACHE__REDIS_URL`).
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from catalogue.threads import ThreadBudget


class CacheSettings(BaseModel):
    """The embedding cache: in process first, then Redis."""

    model_config = ConfigDict(frozen=True)

    memory_bytes: int = Field(default=64_000_000, ge=0, description="bytes of embeddings kept in process")
    redis_url: SecretStr | None = Field(default=None, description="redis://host:port/db; without it, in process only")
    redis_timeout_s: float = Field(default=0.02, gt=0, description="longest wait for Redis before it is bypassed")
    ttl_s: int = Field(default=86_400, gt=0, description="seconds an embedding lives in Redis")


class EncoderSettings(BaseModel):
    """Micro-batching in front of the encoders."""

    model_config = ConfigDict(frozen=True)

    max_batch: int = Field(default=16, ge=1, le=128, description="most queries encoded together")
    max_queue: int = Field(default=128, ge=1, description="most queries waiting; one more is answered 429")


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
    cores: int | None = Field(default=None, ge=1, description="cores to use; default: all this process may run on")
    deadline_s: float = Field(default=5.0, gt=0, description="longest time a search may take before 504")
    cursor_secret: SecretStr | None = Field(default=None, description="signs cursors; default: new at each start")
    cache: CacheSettings = CacheSettings()
    encoder: EncoderSettings = EncoderSettings()

    @property
    def threads(self) -> ThreadBudget:
        """How the cores are shared out."""
        return ThreadBudget.of(self.cores)
