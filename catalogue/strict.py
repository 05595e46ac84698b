"""The base of everything a stranger may send as an object."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator

MAX_KEYS: Final = 64


class Strict(BaseModel):
    """Immutable; refuses unknown fields, and too many of them before it looks at each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > MAX_KEYS:
            raise ValueError(f"has {len(value):,} fields; see /docs for those there are")
        return value
