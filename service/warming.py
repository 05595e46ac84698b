"""What a gateway does once before it takes connections, so that no shopper waits for it.

The first photo loads a decoder, the first request of each kind builds its route, the first search touches what is
mapped. Together a tenth of a second, measured on the demo shop. The largest batch of texts comes by once, too: ONNX
Runtime takes no longer over the first of a size than over the next ones, but keeps the memory that it took, and what a
gateway takes should not depend on how many shoppers once wrote a lot at the same moment.
"""

import asyncio
import io
import time
from typing import Final
from urllib.parse import quote

import orjson
import structlog
from PIL import Image
from starlette.types import ASGIApp, Message, Scope

from index.aliases import LIVE
from models import Embedder, ProductInput
from service.access import INTERNAL
from service.serving import Serving

log = structlog.get_logger(__name__)

_TEXT: Final = "warm up"
_MOST_WORDS: Final = 1_000
"""More than any model reads."""
_PATIENCE_S: Final = 10.0


async def warm_up(app: ASGIApp, serving: Serving) -> None:
    """Encode one of each modality and ask one request of each kind; whatever fails, the gateway starts."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await _encode(serving)
            await _ask_all(app)
    except Exception as error:  # noqa: BLE001  # whatever it is, requests will tell
        log.warning("not_warmed_up", reason=str(error) or type(error).__name__)
    log.info("warm", seconds=round(time.perf_counter() - started, 3))


async def _encode(serving: Serving) -> None:
    """Beside the cache, which is for what people ask."""
    encoder = serving.served[LIVE].encoder
    for item in (ProductInput(_photo()), ProductInput(text=_TEXT), ProductInput(_photo(), _TEXT)):
        await encoder.embed(item)
    await asyncio.to_thread(_encode_most, encoder.embedder)


def _encode_most(embedder: Embedder) -> None:
    """As many of the longest texts as there are ever together."""
    token_ids = embedder.prepare_text(f"{_TEXT} " * _MOST_WORDS)
    if token_ids is not None:
        embedder.text_tokens([token_ids] * embedder.batch_limit("text"))


async def _ask_all(app: ASGIApp) -> None:
    await _ask(app, "GET", "/readyz")
    products = orjson.loads(await _ask(app, "GET", "/v1/products", query=b"limit=1")).get("products", [])
    for product in products:
        product_id = product["product_id"]
        await _ask(app, "POST", "/v1/search", orjson.dumps({"product_id": product_id, "k": 10}))
        for tab in ("", "/image", "/similar", "/same-style"):
            await _ask(app, "GET", f"/v1/products/{quote(product_id, safe='')}{tab}")


async def _ask(app: ASGIApp, method: str, path: str, body: bytes = b"", *, query: bytes = b"") -> bytes:
    """The body of an answer, asked without a connection."""
    parts: list[bytes] = []
    scope: Scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
        "path": path, "raw_path": path.encode(), "query_string": query, "root_path": "", "server": None, "client": None,
        "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        INTERNAL: True,
    }  # fmt: skip

    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # for ever: whoever looks whether the client has gone finds it there
        asked = True
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(parts)


def _photo() -> bytes:
    photo = io.BytesIO()
    Image.new("RGB", (256, 256), (200, 60, 30)).save(photo, "JPEG")
    return photo.getvalue()
