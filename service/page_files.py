"""The files of the web page, compressed once for all who take them so."""

import gzip
import os
from functools import lru_cache
from pathlib import Path
from typing import Final

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

_FILES: Final = 64
"""More than the page has."""
_SMALL: Final = 500
"""Bytes; less goes into one packet anyway."""


class PageFiles(StaticFiles):
    """A folder of texts. Each form of a file has an `ETag` of its own, and caches are told that there are two."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """A file, packed where the client takes that, or that its copy is still right."""
        asked = Headers(scope=scope)
        answer: Response = FileResponse(full_path, status_code=status_code, stat_result=stat_result)
        if stat_result.st_size >= _SMALL:
            if "gzip" in asked.get("accept-encoding", ""):
                answer = _as_packed(answer, _packed(Path(full_path), stat_result.st_mtime_ns, stat_result.st_size))
            answer.headers["vary"] = "Accept-Encoding"
        return NotModifiedResponse(answer.headers) if self.is_not_modified(answer.headers, asked) else answer


def _as_packed(plain: Response, content: bytes) -> Response:
    """Other bytes, so another `ETag`; no ranges of them are given."""
    headers = {name: plain.headers[name] for name in ("content-type", "last-modified")}
    etag = plain.headers["etag"].removesuffix('"') + '-gzip"'
    return Response(content, plain.status_code, {**headers, "etag": etag, "content-encoding": "gzip"})


@lru_cache(_FILES)
def _packed(path: Path, _changed_ns: int, _size: int) -> bytes:
    return gzip.compress(path.read_bytes())
