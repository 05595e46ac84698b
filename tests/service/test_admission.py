"""The door: bounds on what is under way, who is turned away unread, and who has left."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from catalogue.errors import Overloaded
from catalogue.settings import EncoderSettings, Settings
from service.admission import MAX_BYTES_IN_FLIGHT, MAX_IN_FLIGHT, SMALL_BODY, Admission, Attention
from service.app import create_app
from service.encoding import Modality
from service.middleware import MAX_BODY_BYTES
from service.swapping import open_serving
from tests.service.conftest import StandIns, client_of, photo
from tests.service.gated import Gated, until, words


class Ajar:
    """A door that is shut for some; see `Door`."""

    def __init__(self, **waits: float) -> None:
        self._waits = waits

    def retry_after(self, modality: Modality, under_way: int) -> float | None:
        return self._waits.get(modality)


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(body)(scope, receive, send)


def scope_of(path: str = "/v1/search", method: str = "POST", **headers: str) -> Scope:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": named}


async def call(app: Any, scope: Scope, receive: Receive) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1].get("body", b"")


def of_body(body: bytes) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await never()

    return receive


async def never() -> Message:
    await asyncio.sleep(60)
    raise AssertionError("nobody should have waited so long")


@pytest.mark.parametrize(
    ("headers", "fit"),
    [
        ({"content_length": str(MAX_BODY_BYTES)}, MAX_BYTES_IN_FLIGHT // MAX_BODY_BYTES),
        ({"transfer_encoding": "chunked"}, MAX_IN_FLIGHT),
        ({"content_length": "100"}, MAX_IN_FLIGHT),
    ],
)
def test_requests_and_their_bytes_are_bounded_together(headers: dict[str, str], fit: int) -> None:
    async def run() -> list[int]:
        leave = asyncio.Event()

        async def wait(scope: Scope, receive: Receive, send: Send) -> None:
            await leave.wait()
            await PlainTextResponse("ok")(scope, receive, send)

        app = Admission(wait, Ajar())
        calls = [asyncio.create_task(call(app, scope_of(**headers), never)) for _ in range(fit + 1)]
        assert (await calls[-1])[0] == 429
        leave.set()
        answers = await asyncio.gather(*calls[:-1])
        assert (await call(app, scope_of(**headers), never))[0] == 200
        return [status for status, _, _ in answers]

    assert set(asyncio.run(run())) == {200}


CHUNK = 1_000_000


class Chunks:
    """A body in chunks of 1 MB, which come as they are let."""

    def __init__(self) -> None:
        self.let = asyncio.Queue[bool]()
        self.came = 0

    async def __call__(self) -> Message:
        is_last = await self.let.get()
        self.came += 1
        return {"type": "http.request", "body": b"x" * CHUNK, "more_body": not is_last}


def test_a_body_in_chunks_counts_as_far_as_it_has_come() -> None:
    async def run() -> None:
        app = Admission(read_all, Ajar())
        chunked = scope_of(transfer_encoding="chunked")
        bodies = [Chunks() for _ in range(MAX_BYTES_IN_FLIGHT // MAX_BODY_BYTES + 1)]
        calls = [asyncio.create_task(call(app, chunked, body)) for body in bodies]
        room = MAX_BYTES_IN_FLIGHT // CHUNK
        for number in range(room):
            await bodies[number % len(bodies)].let.put(False)
        await until(lambda: sum(body.came for body in bodies) == room)
        assert not any(task.done() for task in calls)
        await bodies[-1].let.put(False)  # one chunk more than there is room for
        with pytest.raises(Overloaded):  # the application answers it
            await calls[-1]
        for body in bodies[:-1]:
            await body.let.put(True)  # the room of the one that was refused is free again
        answers = await asyncio.gather(*calls[:-1])
        assert {status for status, _, _ in answers} == {200}
        assert sum(len(body) for _, _, body in answers) == sum(body.came for body in bodies[:-1]) * CHUNK
        assert app._bytes == 0

    asyncio.run(run())


@pytest.mark.parametrize("few", [16, 0], ids=["unseen", "looked into at the door"])
def test_a_body_in_chunks_that_no_longer_fits_is_refused(
    api: TestClient, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("service.admission._FEW", few)
    monkeypatch.setattr("service.admission.MAX_BYTES_IN_FLIGHT", 100)
    json_type = {"content-type": "application/json"}
    small = api.post("/v1/search", content=iter([b'{"text":', b'"mug"}']), headers=json_type)
    assert small.status_code == 200
    refused = api.post("/v1/search", content=iter([b'{"text":', b'"mug"}', b" " * 100]), headers=json_type)
    assert (refused.status_code, refused.json()["type"]) == (429, "samestyle:overloaded")
    assert refused.headers["retry-after"] == "1"
    whole = api.post("/v1/search", content=iter([b'{"text":"mug"}' + b" " * 100]), headers=json_type)
    assert (whole.status_code, whole.json()["type"]) == (429, "samestyle:overloaded")


def test_of_an_endless_body_no_more_counts_than_is_ever_kept() -> None:
    async def run() -> None:
        body = Chunks()
        for number in range(1, 301):
            body.let.put_nowait(number == 300)

        async def forget(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive()).get("more_body"):
                assert app._bytes <= MAX_BODY_BYTES
            await PlainTextResponse("ok")(scope, receive, send)

        app = Admission(forget, Ajar())
        bulk = scope_of("/v1/products/bulk", transfer_encoding="chunked")
        assert (await call(app, bulk, body))[0] == 200
        assert (body.came, app._bytes) == (300, 0)

    asyncio.run(run())


LARGE = str(SMALL_BODY + 1)
UPLOAD = "/v1/search/upload"
ID, TEXT = b'{"product_id": "p"}', b'{"text" : "red mug"}'
MANY_TEXTS = b'{"inputs":[' + b",".join([TEXT] * 128) + b"]}"
CURSOR = b'{"cursor":"' + b"a" * SMALL_BODY + b'"}'
PHOTO = b'{"image":"aGVsbG8=","weights":{"fused":1,"text":0}}'


@pytest.mark.parametrize(
    ("door", "scope", "body"),
    [
        (Ajar(image=3), scope_of(UPLOAD, content_length="10"), None),
        (Ajar(image=3), scope_of(UPLOAD, transfer_encoding="chunked"), None),
        (Ajar(image=3), scope_of(content_length=LARGE), None),
        (Ajar(image=3), scope_of(content_length=LARGE), PHOTO),
        (Ajar(image=3), scope_of("/v1/embed", content_length=LARGE), None),
        (Ajar(image=3), scope_of("/v1/embed", content_length=LARGE, expect="100-continue"), MANY_TEXTS),
        (Ajar(text=3), scope_of("/v1/embed", content_length=LARGE), MANY_TEXTS),
        (Ajar(image=3), scope_of("/v1/products/p", "PUT", content_length=LARGE), None),
        (Ajar(image=3), scope_of(content_length="50"), PHOTO),
        (Ajar(image=3), scope_of(content_length="50"), b'{"product_id":"p","text":"in white"}'),
        (Ajar(text=3), scope_of(content_length="50"), TEXT),
        (Ajar(text=3), scope_of("/v1/search/batch", content_length="50"), b'{"queries":[{"text":"a"}]}'),
        (Ajar(text=2.1, image=1), scope_of(content_length="50"), b'{"text":"a","image":"aGVsbG8="}'),
    ],
)
def test_work_for_a_busy_encoder_is_turned_away(door: Ajar, scope: Scope, body: bytes | None) -> None:
    status, headers, answer = asyncio.run(
        call(Admission(read_all, door), scope, of_body(body) if body is not None else never)
    )
    assert status == 429
    assert headers["retry-after"] == "3"
    assert json.loads(answer)["type"] == "samestyle:overloaded"


@pytest.mark.parametrize(
    ("door", "scope", "body"),
    [
        (Ajar(image=3, text=3), scope_of(content_length="50"), ID),
        (
            Ajar(image=3, text=3),
            scope_of(content_length="50"),
            b'{"product_id":"p","weights":{"image":1,"text":0,"fused":0},"target":"image"}',
        ),
        (Ajar(image=3), scope_of(content_length="50"), TEXT),
        (Ajar(image=3), scope_of("/v1/search/batch", content_length=LARGE), MANY_TEXTS),
        (Ajar(image=3, text=3), scope_of(content_length=LARGE), CURSOR),
        (Ajar(text=3), scope_of(content_length="50"), PHOTO),
        (Ajar(text=3), scope_of(UPLOAD, content_length=LARGE), b"photo"),
        (Ajar(image=3, text=3), scope_of("/v1/products/p", "PUT", content_length="50"), b'{"price": 3}'),
        (Ajar(image=3, text=3), scope_of("/v1/products", "GET"), b""),
        (Ajar(image=3, text=3), scope_of("/v1/products/p/image", "GET"), b""),
        (Ajar(image=3, text=3), scope_of("/v1/products/bulk", content_length=LARGE), b"{}"),
        (Ajar(image=3, text=3), scope_of("/v1/events", content_length=LARGE), b"{}"),
    ],
)
def test_what_needs_no_busy_encoder_is_let_in_with_its_whole_body(door: Ajar, scope: Scope, body: bytes) -> None:
    status, _, answer = asyncio.run(call(Admission(read_all, door), scope, of_body(body)))
    assert (status, answer) == (200, body)


class Counting(Ajar):
    """Writes down how many it is told are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[Modality, int]] = []

    def retry_after(self, modality: Modality, under_way: int) -> float | None:
        self.told.append((modality, under_way))
        return None


def test_who_is_let_in_counts_until_it_is_answered_but_not_while_its_body_does_not_come() -> None:
    async def run() -> None:
        door, leave = Counting(), asyncio.Event()

        async def stay(scope: Scope, receive: Receive, send: Send) -> None:
            await Request(scope, receive).body()
            await leave.wait()
            await PlainTextResponse("ok")(scope, receive, send)

        async def under_way() -> set[tuple[Modality, int]]:
            door.told.clear()
            asking = asyncio.create_task(call(app, scope_of(UPLOAD, content_length=LARGE), never))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            return set(door.told)

        app = Admission(stay, door)
        some = [asyncio.create_task(call(app, scope_of("/v1/products", "GET"), of_body(b""))) for _ in range(20)]
        some += [
            asyncio.create_task(call(app, scope_of(UPLOAD, content_length=LARGE), of_body(b"photo"))) for _ in range(3)
        ]
        some += [asyncio.create_task(call(app, scope_of(content_length="50"), of_body(TEXT))) for _ in range(2)]
        slow = [asyncio.create_task(call(app, scope_of(UPLOAD, content_length=LARGE), never)) for _ in range(4)]
        await asyncio.sleep(0.1)
        assert await under_way() == {("image", 3)}
        assert app._under_way == {"image": 3, "text": 2}
        leave.set()
        assert {(await task)[0] for task in some} == {200}
        assert not any(app._under_way.values())
        for task in slow:
            task.cancel()
        await asyncio.wait(slow)

    asyncio.run(run())


def test_a_small_body_that_does_not_come_is_let_in_unread() -> None:
    async def run() -> None:
        came = asyncio.Event()

        async def receive() -> Message:
            await came.wait()
            return {"type": "http.request", "body": TEXT, "more_body": False}

        app = Admission(read_all, Ajar(text=3))
        asking = asyncio.create_task(call(app, scope_of(content_length="50"), receive))
        await asyncio.sleep(0.1)
        came.set()
        assert (await asking)[0] == 200  # the queue will say no

    asyncio.run(run())


def test_a_request_whose_client_has_gone_is_given_up() -> None:
    async def run() -> None:
        messages = asyncio.Queue[Message]()
        given_up = asyncio.Event()

        async def linger(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                given_up.set()
                raise

        await messages.put({"type": "http.request", "body": b"", "more_body": False})
        asking = asyncio.create_task(call(Attention(linger), scope_of(), messages.get))
        await asyncio.sleep(0.1)
        assert not asking.done()
        await messages.put({"type": "http.disconnect"})
        assert (await asking)[0] == 499
        assert given_up.is_set()

    asyncio.run(run())


def test_a_cancellation_that_is_not_the_clients_goes_on() -> None:
    async def run() -> None:
        async def linger(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await asyncio.sleep(60)

        asking = asyncio.create_task(call(Attention(linger), scope_of(), of_body(b"")))
        await asyncio.sleep(0.1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(run())


@pytest.fixture
def gated() -> Iterator[Gated]:
    embedder = Gated()
    yield embedder
    embedder.open()


@contextmanager
def served(settings: Settings, embedder: Gated) -> Iterator[str]:
    """The address of a real server, with sockets to hang up on."""
    serving, swaps = open_serving(settings, StandIns(embedder))
    server = uvicorn.Server(uvicorn.Config(create_app(serving, swaps, cursor_secret=b"test"), log_config=None))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        embedder.open()
        server.should_exit = True
        thread.join()
        listener.close()


def test_nothing_is_encoded_for_clients_that_hung_up(own_shop: Settings, gated: Gated) -> None:
    searches = 'samestyle_search_seconds_count{arm="live",modality="text"}'

    async def run(url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            stays = asyncio.create_task(client.post("/v1/search", json={"text": words(1)}))
            await until(lambda: gated.count("text") == 1)
            async with httpx.AsyncClient(base_url=url, timeout=30) as leaving:
                gone = [asyncio.create_task(leaving.post("/v1/search", json={"text": words(n)})) for n in (2, 3, 4)]
                abandoned = await counter(client, "samestyle_abandoned_total")
                told = await counter(client, searches)
                await asyncio.sleep(0.2)
                for task in gone:
                    task.cancel()
                await asyncio.wait(gone)
            deadline = time.monotonic() + 30
            while await counter(client, "samestyle_abandoned_total") < abandoned + 3:
                assert time.monotonic() < deadline
            assert await counter(client, searches) == told + 3  # they waited as others do
            gated.open()
            assert (await stays).status_code == 200
        assert gated.count("text") == 1

    async def counter(client: httpx.AsyncClient, name: str) -> float:
        lines = (await client.get("/metrics")).text.splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    with served(own_shop, gated) as url:
        asyncio.run(run(url))


def test_five_times_too_many_are_refused_at_once_and_the_others_answered(own_shop: Settings, gated: Gated) -> None:
    """While the encoder is busy photos are refused, product ids are answered, and what was let in is answered later."""
    settings = own_shop.model_copy(update={"encoder": EncoderSettings(max_queue=8), "deadline_s": 60.0})
    image = photo((1, 2, 3))

    async def run(url: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=None)) as client:

            def upload(number: int) -> asyncio.Task[httpx.Response]:
                files = {"image": photo((1, 2, 3), (20 + number, 20))}
                return asyncio.create_task(client.post("/v1/search/upload", files=files))

            gated.gates["decode"].set()
            first = upload(-1)
            await until(lambda: gated.count("image") == 1)
            many = [upload(number) for number in range(40)]
            await until(lambda: sum(task.done() for task in many) >= 25)
            started = time.monotonic()
            refused = await client.post("/v1/search/upload", files={"image": image})
            took = time.monotonic() - started
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) >= 1
            assert took < 30  # half of what the others have to wait; benches measure it
            by_id = await client.post("/v1/search", json={"product_id": "acme-03"})
            assert by_id.status_code == 200
            assert (await client.get("/v1/products")).status_code == 200
            by_words = asyncio.create_task(client.post("/v1/search", json={"text": "mug"}))
            gated.open()
            assert (await by_words).status_code == 200
            answers = [(await task).status_code for task in [first, *many]]
            assert set(answers) == {200, 429}
            assert 7 <= answers.count(200) <= 12
            again = await client.post("/v1/search/upload", files={"image": image})
            assert again.status_code == 200  # at once

    with served(settings, gated) as url:
        asyncio.run(run(url))


def test_an_answer_that_is_late_is_504_and_what_waits_is_never_begun(own_shop: Settings, gated: Gated) -> None:
    settings = own_shop.model_copy(update={"deadline_s": 0.3})
    with client_of(settings, gated) as api:
        assert _ask(api, words(1)) == 504  # it is in the encoder, at the gate
        assert _ask(api, words(2)) == 504
        assert gated.count("text") == 1
        gated.open()


def _ask(api: TestClient, text: str) -> int:
    return api.post("/v1/search", json={"text": text}).status_code
