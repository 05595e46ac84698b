"""The base of everything a stranger may send as an object."""

from typing import Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_KEYS: Final = 64


def _no_text_or_flag(value: Any) -> Any:
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


NUMBER: Final = BeforeValidator(_no_text_or_flag)
"""Of a number in JSON: "5" and true are none."""
FLAG: Final = Field(strict=True)
"""Of true or false in JSON: "yes" and 1 are neither."""


class Strict(BaseModel):
    """Immutable; refuses unknown fields, and too many of them before it looks at each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_keys(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > MAX_KEYS:
            raise ValueError(f"has {len(value):,} fields; see /docs for those there are")
        return value
