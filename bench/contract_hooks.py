"""What Schemathesis does not know: how NDJSON is sent, and what a photo in base64 is."""

import base64
import io
import json
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from PIL import Image

from service.bodies import NDJSON


@schemathesis.serializer(NDJSON)
def as_lines(_: Any, value: Any) -> Any:
    """One object is one line, and so is each of a list."""
    if isinstance(value, bytes | str):
        return value
    return "\n".join(map(json.dumps, value if isinstance(value, list) else [value])).encode()


def _photo(colour: tuple[int, int, int], kind: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(out, kind)
    return base64.b64encode(out.getvalue()).decode()


_PHOTOS: Final = [_photo((200, 30, 30), "JPEG"), _photo((30, 200, 30), "PNG"), _photo((30, 30, 200), "WEBP")]


@schemathesis.hook
def before_load_schema(_: Any, raw_schema: dict[str, Any]) -> None:
    """Have text in base64 made as the format below, and a bulk of its lines."""
    bulk = raw_schema["paths"]["/v1/products/bulk"]["post"]["requestBody"]["content"][NDJSON]
    bulk["schema"] = bulk["schema"]["contentSchema"]
    for schema in raw_schema["components"]["schemas"].values():
        for described in schema.get("properties", {}).values():
            for choice in described.get("anyOf", ()):
                if choice.get("contentEncoding") == "base64":
                    choice["format"] = "byte"


schemathesis.openapi.format(
    "byte", st.sampled_from(_PHOTOS) | st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode())
)
