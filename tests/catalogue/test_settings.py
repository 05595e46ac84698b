import os
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from catalogue.errors import ConfigurationError
from catalogue.settings import Settings
from catalogue.threads import ThreadBudget

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SAMESTYLE_")]:
        monkeypatch.delenv(name)


def names_and_defaults(model: type[BaseModel], prefix: str = "SAMESTYLE_") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= names_and_defaults(field.annotation, f"{prefix}{name.upper()}__")
        else:
            found[f"{prefix}{name.upper()}"] = None if field.default == () else field.default
            if SecretStr in get_args(field.annotation):
                found[f"{prefix}{name.upper()}_FILE"] = None
    return found


def example() -> dict[str, str]:
    """Every setting the example names, commented out or not; a commented one has no value."""
    lines = EXAMPLE.read_text().splitlines()
    named = [line.removeprefix("# ") for line in lines if line.removeprefix("# ").startswith("SAMESTYLE_")]
    pairs = [line.partition("=") for line in named]
    assert len({name for name, _, _ in pairs}) == len(pairs)
    return {name: value for name, _, value in pairs}


def test_the_example_names_exactly_the_settings_that_exist() -> None:
    assert example().keys() == names_and_defaults(Settings).keys()


def test_the_example_shows_the_real_defaults() -> None:
    defaults = names_and_defaults(Settings)
    for name, value in example().items():
        default = defaults[name]
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert value == ("" if default is None else shown), name


def test_what_has_no_default_is_commented_out_in_the_example() -> None:
    for line in EXAMPLE.read_text().splitlines():
        if "SAMESTYLE_" in line:
            assert line.startswith("# ") == line.endswith("="), line


def test_the_example_is_read_as_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    for name, value in example().items():
        monkeypatch.setenv(name, value)
    assert Settings() == defaults
    assert defaults.bundle is None


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_PORT", "9000")
    monkeypatch.setenv("SAMESTYLE_CACHE__REDIS_URL", "redis://:hush@cache:6379/1")
    monkeypatch.setenv("SAMESTYLE_ENCODER__MAX_BATCH", "4")
    monkeypatch.setenv("PORT", "1")
    settings = Settings()
    assert settings.port == 9000
    assert settings.encoder.max_batch == 4
    assert settings.encoder.max_queue == 128
    assert isinstance(settings.cache.redis_url, SecretStr)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("DEVICE", "tpu"),
        ("CORES", "0"),
        ("DEADLINE_S", "0"),
        ("DEADLINE_S", "nan"),
        ("CACHE__TTL_S", "-1"),
        ("CACHE__MEMORY_BYTES", "-1"),
        ("ENCODER__MAX_BATCH", "129"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "shop.example"),
        ("CORS_ORIGINS", "https://shop.example/page"),
        ("MAX_CONNECTIONS", "0"),
    ],
)
def test_values_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SAMESTYLE_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_origins_are_separated_by_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMESTYLE_CORS_ORIGINS", "https://shop.example  http://localhost:3000")
    assert Settings().cors_origins == ("https://shop.example", "http://localhost:3000")


class TestSecretFiles:
    def test_a_secret_stands_in_the_file_that_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("JOURNAL", "CURSOR_SECRET", "CACHE__REDIS_URL"):
            (tmp_path / name).write_text(f"hush {name}\n")
            monkeypatch.setenv(f"SAMESTYLE_{name}_FILE", str(tmp_path / name))
        monkeypatch.setenv("SAMESTYLE_CACHE__TTL_S", "5")
        settings = Settings()
        for name, secret in (
            ("JOURNAL", settings.journal),
            ("CURSOR_SECRET", settings.cursor_secret),
            ("CACHE__REDIS_URL", settings.cache.redis_url),
        ):
            assert secret is not None
            assert secret.get_secret_value() == f"hush {name}"
        assert settings.cache.ttl_s == 5
        assert "hush" not in repr(settings)

    def test_empty_means_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SAMESTYLE_JOURNAL_FILE", "")
        assert Settings().journal is None

    @pytest.mark.parametrize(
        ("content", "says"), [(None, "No such file"), (b"", "is empty"), (b"\xff", "UTF-8"), (b"x" * 70_000, "65,536")]
    )
    def test_a_file_that_cannot_be_one_is_named_but_not_quoted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, says: str
    ) -> None:
        if content is not None:
            (tmp_path / "secret").write_bytes(content)
        monkeypatch.setenv("SAMESTYLE_JOURNAL_FILE", str(tmp_path / "secret"))
        with pytest.raises(ConfigurationError, match=f"SAMESTYLE_JOURNAL_FILE: .*secret.*{says}"):
            Settings()

    def test_twice_is_once_too_often(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SAMESTYLE_JOURNAL", "hush")
        monkeypatch.setenv("SAMESTYLE_JOURNAL_FILE", str(tmp_path / "secret"))
        with pytest.raises(ConfigurationError, match="both set"):
            Settings()


def test_settings_are_frozen_through_and_through() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.cache.ttl_s = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.encoder.max_batch = 1  # type: ignore[misc]


def test_threads_share_the_cores() -> None:
    assert Settings(cores=3).threads == ThreadBudget.of(3)
    assert ThreadBudget.of(3).faiss == 3
    assert ThreadBudget.of().onnx >= 1
