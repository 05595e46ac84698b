"""`PUT`, `PATCH`, `DELETE` and bulk on `/v1/products`: the live catalogue is changed."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import IO, Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse

from catalogue.errors import Overloaded, ProductChanged, RateLimited, SamestyleError, TooLarge
from service.bodies import NDJSON, expect, from_json, json_body, lines_of
from service.limits import Allowance
from service.problems import problem_of, responses
from service.routes.deps import CurrentAllowance, CurrentServing, CurrentWriter
from service.routes.products import ProductId
from service.schemas import BulkLine, BulkOutcome, BulkPatch, BulkSums, ProductPatch, ProductWrite, WriteAnswer
from service.writing import Delete, Outcome, Write, Writer

router = APIRouter(prefix="/v1/products", tags=["products"])

MERGE_PATCH: Final = "application/merge-patch+json"
_ERRORS: Final = responses(400, 408, 413, 415, 422, 429, 503, 504)
_REPORT: Final[dict[str, Any]] = {
    "content": lines_of(BulkOutcome, BulkSums),
    "description": "a `BulkOutcome` for each line, and at the end a line of `BulkSums`",
}
_MAX_LINE: Final = 28_000_000
"""A photo of 20 MB in base64, and its words."""
_TOGETHER: Final = 8
"""Lines embedded and committed at once: few, so that searches between them wait for few."""
_TOGETHER_BYTES: Final = 8_000_000
_REPORT_IN_MEMORY: Final = 1_000_000
_TRIES: Final = 30
_PATIENCE_S: Final = 30
"""How long lines wait for their key's rate."""
_PAUSE_S: Final = 0.1


@router.put("/{product_id}", responses={**_ERRORS, **responses(409)}, openapi_extra=json_body(ProductWrite))
async def put_product(
    product_id: ProductId, request: Request, serving: CurrentServing, writer: CurrentWriter
) -> WriteAnswer:
    """Put a product in place of what was there; it is durable and found by searches when this answers."""
    expect(request, "application/json")
    body = await request.body()
    with serving.pools.one_deadline():
        write = await serving.pools.off_loop(lambda: from_json(ProductWrite, body).upsert(product_id))
        return WriteAnswer(product_id=product_id, position=await writer.write(write))


@router.patch(
    "/{product_id}", responses={**_ERRORS, **responses(404, 409)}, openapi_extra=json_body(ProductPatch, MERGE_PATCH)
)
async def patch_product(
    product_id: ProductId, request: Request, serving: CurrentServing, writer: CurrentWriter
) -> WriteAnswer:
    """Change some of a product that is there, as its price or stock; the rest stays as it is, the photo too.

    `application/json` is taken, too.
    """
    expect(request, MERGE_PATCH, "application/json")
    body = await request.body()
    with serving.pools.one_deadline():
        write = await serving.pools.off_loop(lambda: from_json(ProductPatch, body).patch(product_id))
        return WriteAnswer(product_id=product_id, position=await writer.write(write))


@router.delete("/{product_id}", status_code=204, responses=responses(400, 429, 503, 504))
async def delete_product(product_id: ProductId, writer: CurrentWriter) -> Response:
    """Take a product away, whether or not it is there."""
    await writer.write(Delete(product_id))
    return Response(status_code=204)


@router.post(
    "/bulk",
    response_class=StreamingResponse,
    responses={200: _REPORT, **_ERRORS},
    openapi_extra={"requestBody": {"required": True, "content": lines_of(BulkLine, BulkPatch)}},
)
async def write_products(
    request: Request, serving: CurrentServing, writer: CurrentWriter, allowance: CurrentAllowance
) -> StreamingResponse:
    """Many changes, one JSON object a line; a line that cannot be used is reported and the others are written.

    A line is a `BulkLine`, or with `"patch": true` a `BulkPatch`, which changes what it says of a product and leaves
    the rest.

    The answer begins when the last line is done: many clients do not read before they have sent everything. Each line
    counts as a request against the limits of an API key; above its rate lines wait, and where that takes over half a
    minute, or its quota is used up, the report ends with the reason.
    """
    expect(request, NDJSON)
    report, paid = _Report(), 1
    try:
        async for lines in _batches(request):
            await _pay(allowance, len(lines) - paid)
            paid = 0
            parsed = await serving.pools.off_loop(lambda lines=lines: [_parse(*line) for line in lines])  # type: ignore[misc]
            for some in _without_repetition(parsed):
                report.add(some, await _write(writer, [line.write for line in some if line.write is not None]))
    except (TooLarge, Overloaded) as error:  # what comes after is not read, but what came before was written
        report.end(error)
    except BaseException:
        report.close()
        raise
    return StreamingResponse(report.stream(), media_type=NDJSON)


class _Line:
    """A line that was read: its change, or why there is none."""

    def __init__(self, number: int, write: Write | None, error: Exception | None = None) -> None:
        self.number = number
        self.write = write
        self.error = error


class _Report:
    """What became of each line, on disk where it is long."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_REPORT_IN_MEMORY)  # noqa: SIM115  # closed by `stream`
        self._written = self._refused = 0
        self._error: dict[str, Any] = {}

    def add(self, lines: Sequence[_Line], outcomes: Sequence[Outcome]) -> None:
        """Note lines and the outcomes of those that had a change."""
        remaining = iter(outcomes)
        for line in lines:
            outcome: Any = line.error if line.write is None else next(remaining)
            self._note(line, outcome)

    def _note(self, line: _Line, outcome: int | Exception) -> None:
        entry: dict[str, Any] = {"line": line.number}
        if line.write is not None:
            entry["product_id"] = line.write.product_id
        if isinstance(outcome, int):
            self._written += 1
            entry["position"] = outcome
        else:
            self._refused += 1
            entry |= _problem(outcome)
        self._file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))

    def end(self, error: SamestyleError) -> None:
        """Say at the end why no more was read."""
        self._error = _problem(error)

    def stream(self) -> Iterator[bytes]:
        """The report, ended by its sums, and by why the rest was not read where it was not."""
        with self._file as file:
            sums = {"lines": self._written + self._refused, "written": self._written, "refused": self._refused}
            sums |= self._error
            file.write(orjson.dumps(sums, option=orjson.OPT_APPEND_NEWLINE))
            file.seek(0)
            while part := file.read(65_536):
                yield part

    def close(self) -> None:
        """Throw it away."""
        self._file.close()


async def _batches(request: Request) -> AsyncIterator[list[tuple[int, bytes]]]:
    """The lines that are not blank, numbered from 1, a few at a time; raises TooLarge for one that never ends."""
    waiting, number, batch = bytearray(), 0, []
    async for part in request.stream():
        *lines, rest = part.split(b"\n")
        for line in lines:
            waiting += line
            number += 1
            if waiting.strip():
                batch.append((number, bytes(waiting)))
            waiting.clear()
            if len(batch) == _TOGETHER or sum(len(line) for _, line in batch) > _TOGETHER_BYTES:
                yield batch
                batch = []
        waiting += rest
        if len(waiting) > _MAX_LINE:
            if batch:
                yield batch
            raise TooLarge(f"Line {number + 1} is over {_MAX_LINE // 1_000_000} MB. Send a smaller photo.")
    if waiting.strip():
        batch.append((number + 1, bytes(waiting)))
    if batch:
        yield batch


async def _pay(allowance: Allowance, lines: int) -> None:
    """Count lines against the key, and wait for its rate; raises RateLimited, QuotaExceeded."""
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            await allowance.charge(lines, again=True)
        except RateLimited as error:
            if time.monotonic() + error.retry_after > until:
                raise
            await asyncio.sleep(_PAUSE_S)
        else:
            return


def _parse(number: int, line: bytes) -> _Line:
    try:
        read = from_json(BulkPatch, line) if _is_patch(line) else from_json(BulkLine, line)
        return _Line(number, read.write())
    except (SamestyleError, RequestValidationError) as error:
        return _Line(number, None, error)


def _is_patch(line: bytes) -> bool:
    if b'"patch"' not in line:  # it may be long
        return False
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and "patch" in said


def _without_repetition(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """Stretches in which no product comes twice, so that the last change of each wins."""
    some: list[_Line] = []
    seen: set[str] = set()
    for line in lines:
        product_id = line.write.product_id if line.write is not None else None
        if product_id in seen:
            yield some
            some, seen = [], set()
        some.append(line)
        if product_id is not None:
            seen.add(product_id)
    yield some


async def _write(writer: Writer, writes: list[Write]) -> list[Outcome]:
    """The outcome of each; a bulk has time, so what had no room, or met others' writes, is tried again."""
    outcomes: dict[int, Outcome] = {}
    left = list(range(len(writes)))
    for _ in range(_TRIES):
        try:
            made = await writer.write_all([writes[at] for at in left])
        except SamestyleError as error:
            made = [error] * len(left)
        outcomes |= dict(zip(left, made, strict=True))
        left = [at for at in left if isinstance(outcomes[at], Overloaded | ProductChanged)]
        if not left:
            break
        await asyncio.sleep(1)
    return [outcomes[at] for at in range(len(writes))]


def _problem(error: Exception) -> dict[str, Any]:
    """As in a problem answer."""
    assert isinstance(error, SamestyleError | RequestValidationError)  # noqa: S101  # nothing else is caught
    return problem_of(error).model_dump(include={"status", "type", "detail"})
