import os
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

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
            found[f"{prefix}{name.upper()}"] = field.default
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
    ],
)
def test_values_that_cannot_work_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SAMESTYLE_{name}", value)
    with pytest.raises(ValidationError):
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
