"""`POST /v1/events`, the search log beside it, and what is left of a user who is erased."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from pydantic import SecretStr
from typer.testing import CliRunner

from catalogue import process_lock
from catalogue.errors import ConfigurationError, Conflict
from catalogue.settings import EventSettings, Settings
from models import StandInEncoders
from service.cli import app
from service.events import files
from service.events.erasing import erase, file_all
from service.events.secret import ensure_secret, load_secret, user_id
from service.events.spool import Event, Spool
from service.ids import RequestIds
from tests.service.conftest import client_of, photo, style_colour
from tests.service.test_api_products import get
from tests.service.test_api_search import JSON, encoded, search
from tests.waiting import wait_until


@pytest.fixture
def kept(own_shop: Settings, embedder: StandInEncoders) -> Iterator[TestClient]:
    with client_of(own_shop, embedder) as client:
        yield client


def event(answer: dict[str, Any], number: int = 0, **more: Any) -> dict[str, Any]:
    product = answer["hits"][0]["product_id"]
    return {
        "event_id": f"e-{number}",
        "type": "click",
        "request_id": answer["request_id"],
        "product_id": product,
    } | more


def send(api: TestClient, *events: Any) -> dict[str, Any]:
    answer = api.post("/v1/events", json={"events": events})
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


def rows(data: Path, table: str) -> list[dict[str, Any]]:
    """All that is there, in files and in spools."""
    file_all(data / "events")
    found = pa.concat_tables(
        [files.SCHEMAS[table].empty_table()]
        + [pq.ParquetFile(file).read() for file in sorted((data / "events" / table).rglob("*.parquet"))]
    )
    return list(found.to_pylist())


class TestEvents:
    def test_a_batch_is_kept_with_all_it_says(self, kept: TestClient, own_shop: Settings) -> None:
        answer = search(kept, text="mug", user_key="shopper-1")
        at = datetime.now(UTC) - timedelta(hours=1)
        at = max(at, datetime.now(UTC) - timedelta(minutes=4)).replace(microsecond=0)
        more = {"position": 1, "query": "mug", "user_key": "shopper-1", "time": at.isoformat()}
        told = send(kept, event(answer, 1, **more), event(answer, 2, type="purchase", value=0, currency="EUR"))
        assert told == {"accepted": 2, "duplicates": 0, "refused": []}
        first, second = sorted(rows(own_shop.data, "events"), key=lambda row: row["event_id"])
        user = user_id(load_secret(own_shop), "shopper-1")
        assert (first["type"], first["time"], first["position"], first["query"]) == ("click", at, 1, "mug")
        assert (first["user_id"], first["session_id"], first["request_id"]) == (user, None, answer["request_id"])
        assert (second["type"], second["user_id"], second["session_id"]) == ("purchase", None, answer["request_id"])
        assert second["received_at"] >= at
        assert [(row["value"], row["currency"]) for row in (first, second)] == [(None, None), (0.0, "EUR")]

    def test_sent_again_it_counts_once(self, own_shop: Settings, embedder: StandInEncoders) -> None:
        with client_of(own_shop, embedder) as api:
            answer = search(api, text="mug")
            assert send(api, event(answer, 1), event(answer, 1), event(answer, 2))["accepted"] == 2
            file_all(own_shop.data / "events")
            assert send(api, event(answer, 1), event(answer, 3)) == {"accepted": 1, "duplicates": 1, "refused": []}
        with client_of(own_shop, embedder) as api:  # also by the process that comes after
            assert send(api, event(answer, 1), event(answer, 3))["duplicates"] == 2
        assert sorted(row["event_id"] for row in rows(own_shop.data, "events")) == ["e-1", "e-2", "e-3"]

    def test_a_bad_one_is_reported_and_stops_no_other(self, kept: TestClient) -> None:
        answer = search(kept, text="mug")
        good = event(answer, 1)
        bought = event(answer, 9, type="purchase")
        forged = answer["request_id"][:-1] + ("0" if answer["request_id"][-1] != "0" else "1")
        later, older = datetime.now(UTC) + timedelta(minutes=6), datetime.now(UTC) - timedelta(days=8)
        before = datetime.now(UTC) - timedelta(minutes=10)
        bad: list[tuple[Any, str]] = [
            ({**good, "type": "stare"}, "type"),
            ({**good, "event_id": "a b"}, "event_id"),
            ({**good, "request_id": forged}, "not one of this service's answers"),
            ({**good, "request_id": "nonsense"}, "not one of this service's answers"),
            ({**good, "product_id": ""}, "product_id"),
            ({**good, "position": 0}, "position"),
            ({**good, "time": later.isoformat()}, "Set the clock"),
            ({**good, "time": older.isoformat()}, "Set the clock"),
            ({**good, "time": before.isoformat()}, "later than the event"),
            ({**good, "time": "2026-11-27T10:00:00"}, "time"),
            ({**good, "time": "0001-01-01T00:00:00+14:00"}, "Set the clock"),
            ({**good, "user_key": "x" * 201}, "user_key"),
            ({**good, "price": 3}, "price"),
            ({**bought, "value": -0.01, "currency": "EUR"}, "value"),
            ({**bought, "value": 1e13, "currency": "EUR"}, "value"),
            ({**bought, "value": "3", "currency": "EUR"}, "value"),
            ({**bought, "value": 3, "currency": "euro"}, "currency: must be a code of ISO 4217"),
            ({**bought, "value": 3}, "together"),
            ({**bought, "currency": "EUR"}, "together"),
            ({**good, "value": 3, "currency": "EUR"}, "of a purchase"),
            (17, "body"),
            (None, "body"),
        ]
        told = send(kept, *[item for item, _ in bad], good)
        assert (told["accepted"], told["duplicates"], len(told["refused"])) == (1, 0, len(bad))
        for at, ((_, says), refusal) in enumerate(zip(bad, told["refused"], strict=True)):
            assert refusal["index"] == at
            assert (refusal["error"]["status"], says in refusal["error"]["detail"]) == (400, True), refusal
        assert send(kept, good)["duplicates"] == 1

    @pytest.mark.parametrize(
        ("content", "status"),
        [(b"{}", 400), (b'{"events": []}', 400), (b"[1]", 400), (b"\xff", 400),
         (b'{"events": [0' + b",0" * 1000 + b"]}", 400)],
    )  # fmt: skip
    def test_a_body_that_is_no_batch(self, kept: TestClient, content: bytes, status: int) -> None:
        answer = kept.post("/v1/events", content=content, headers=JSON)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")

    def test_a_disk_that_takes_nothing_is_a_503(
        self, kept: TestClient, own_shop: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answer = search(kept, text="mug")
        spool = kept.app.state.attribution.recorder._spool  # type: ignore[attr-defined]
        monkeypatch.setattr(spool, "_db", _Full())
        refused = kept.post("/v1/events", json={"events": [event(answer)]})
        assert (refused.status_code, refused.json()["type"]) == (503, "samestyle:events-unavailable")
        assert "disk is full" in refused.json()["detail"]
        wait_until(lambda: kept.get("/readyz").json()["status"] == "degraded")
        monkeypatch.undo()
        assert send(kept, event(answer))["accepted"] == 1
        wait_until(lambda: kept.get("/readyz").json()["status"] == "ready")

    @settings(max_examples=30, deadline=None)
    @given(
        item=st.dictionaries(
            st.sampled_from(["event_id", "type", "request_id", "product_id", "time", "position", "user_key", "query"]),
            st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=2)),
        )
    )
    def test_whatever_is_sent_is_answered(self, api: TestClient, item: dict[str, Any]) -> None:
        body = json.dumps({"events": [item]}).encode("utf-8", "surrogatepass")
        answer = api.post("/v1/events", content=body, headers=JSON)
        assert answer.status_code in {200, 400}


class _Full:
    """A database on a full disk."""

    in_transaction = False

    def execute(self, *_: Any) -> Any:
        import sqlite3

        raise sqlite3.OperationalError("database or disk is full")

    executemany = execute


class TestSearchLog:
    def test_every_kind_of_answer_is_noted(self, own_shop: Settings, embedder: StandInEncoders) -> None:
        with client_of(own_shop, embedder) as api:
            answers = [
                search(api, text="mug", k=2, user_key="u"),
                search(api, image=encoded(photo(style_colour(4))), k=2),
            ]
            answers.append(search(api, cursor=answers[0]["next_cursor"]))
            refined = {"cursor": answers[0]["refine_cursor"], "text": "lamp"}
            answers.append(api.post("/v1/search/refine", json=refined).json())
            answers += [get(api, f"/v1/products/acme-03/{tab}", user_key="u") for tab in ("same-style", "similar")]
            assert api.post("/v1/search", json={"product_id": "nobody"}).status_code == 404
        noted = {row["request_id"]: row for row in rows(own_shop.data, "searches")}
        assert len(noted) == len(answers) + 1
        found = [noted[answer["request_id"]] for answer in answers]
        assert [row["kind"] for row in found] == ["search", "search", "page", "refine", "same-style", "similar"]
        assert [row["product_id"] for row in found] == [None, None, None, None, "acme-03", "acme-03"]
        assert [row["query"] for row in found[:2]] == ["mug", None]
        assert [row["has_photo"] for row in found[:2]] == [False, True]
        for row, answer in zip(found, answers, strict=True):
            assert row["shown"] == [hit["product_id"] for hit in answer["hits"]]
            assert (row["status"], row["snapshot"], row["arm"]) == (200, "shop-1", None)
            assert row["took_ms"] > 0
        assert found[0]["user_id"] == found[4]["user_id"] == user_id(load_secret(own_shop), "u")
        assert [row["status"] for row in noted.values() if row["status"] != 200] == [404]

    def test_a_full_queue_drops_and_counts_and_never_waits(
        self, kept: TestClient, own_shop: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def dropped() -> float:
            return REGISTRY.get_sample_value("samestyle_search_log_dropped_total") or 0.0

        before = dropped()
        monkeypatch.setattr("service.events.recorder.MAX_WAITING", 0)
        search(kept, text="mug")
        assert dropped() == before + 1
        monkeypatch.undo()
        search(kept, text="mug")
        assert dropped() == before + 1

    def test_long_and_odd_words_are_kept_as_far_as_they_go(self, own_shop: Settings, embedder: StandInEncoders) -> None:
        with client_of(own_shop, embedder) as api:
            search(api, text="mug " * 2_000)
            search(api, text="m\u00fcg \U0001f600 '; DROP TABLE searches")
        queries = {row["query"] for row in rows(own_shop.data, "searches")}
        assert queries == {("mug " * 2_000)[:1_000], "m\u00fcg \U0001f600 '; DROP TABLE searches"}


class TestErasing:
    def test_nothing_of_a_user_is_left_and_all_of_the_others(
        self, own_shop: Settings, embedder: StandInEncoders
    ) -> None:
        names = {key: user_id(ensure_secret(own_shop), key) for key in ("gone-user", "other-user")}
        with client_of(own_shop, embedder) as api:
            for turn in range(2):  # once in files, once in the spool
                for key in names:
                    answer = search(api, text=f"mug of {key}", user_key=key)
                    send(api, event(answer, f"{turn}-{key}", user_key=key, query=f"mug of {key}"))  # type: ignore[arg-type]
                    send(api, event(answer, f"{turn}-{key}-later"))  # type: ignore[arg-type]
                if not turn:
                    wait_until(lambda: len(rows(own_shop.data, "searches")) == 2)
            words = ["events", "erase", "--user-key", "gone-user", "--data", str(own_shop.data), "--json"]
            wait_until(lambda: not api.app.state.attribution.recorder._waiting)  # type: ignore[attr-defined]
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, result.output
            assert json.loads(result.stdout) == {"events": 4, "searches": 2}
            for file in (own_shop.data / "events").rglob("*"):
                content = file.read_bytes() if file.is_file() else b""
                assert b"gone-user" not in content, file
                assert names["gone-user"].encode() not in content, file
            assert json.loads(CliRunner().invoke(app, words).stdout) == {"events": 0, "searches": 0}
        for table, count in (("events", 4), ("searches", 2)):
            left = rows(own_shop.data, table)
            assert len(left) == count
            assert names["gone-user"] not in {row["user_id"] for row in left}
            assert not any("gone-user" in str(row.values()) for row in left)

    @pytest.mark.parametrize("command", [["erase", "--user-key", "u"], ["file"]])
    def test_where_nothing_was_ever_kept_it_says_so(self, tmp_path: Path, command: list[str]) -> None:
        """A mistyped --data must not look as if a user's traces were gone."""
        for secret in ({}, {"SAMESTYLE_EVENTS__SECRET": "one"}):
            words = ["events", *command, "--data", str(tmp_path / "typo")]
            result = CliRunner().invoke(app, words, env=secret)
            assert (result.exit_code, "--data" in result.output) == (1, True), result.output
            assert not (tmp_path / "typo").exists()

    def test_without_the_gateways_secret_nobody_is_erased(self, tmp_path: Path) -> None:
        """The gateway had it by the setting, the operator's shell does not."""
        (tmp_path / "events").mkdir()
        result = CliRunner().invoke(app, ["events", "erase", "--user-key", "u", "--data", str(tmp_path)])
        assert (result.exit_code, "SAMESTYLE_EVENTS__SECRET" in result.output) == (1, True), result.output
        assert list((tmp_path / "events").iterdir()) == []


class TestFiles:
    def test_old_days_go_and_then_the_largest_past(self, tmp_path: Path) -> None:
        now = time.time_ns() // 1_000_000
        for days in (0, 1, 2, 30, 100):
            files.write(tmp_path, "events", f"f{days}", [an_event(days, now - days * 86_400_000).row])
        (tmp_path / "events" / "date=somebody-else").mkdir()
        sizes = [sum(file.stat().st_size for file in folder.iterdir()) for _, folder in files.days(tmp_path, "events")]
        assert files.trim(tmp_path, retention_days=90, max_bytes=10**9) == 1
        assert files.trim(tmp_path, retention_days=90, max_bytes=10**9) == 0
        assert files.trim(tmp_path, retention_days=90, max_bytes=sum(sizes[-2:])) == 2
        assert files.trim(tmp_path, retention_days=1, max_bytes=1) == 1
        assert len(files.days(tmp_path, "events")) == 1

    def test_what_a_process_that_died_had_begun_to_file_is_filed_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It dies after the file is written and before the rows are taken out of the spool."""
        spool = Spool(tmp_path, deadline_s=5)
        now = time.time_ns() // 1_000_000
        spool.add([an_event(number, now) for number in range(3)], 100).result(60)

        def dies(*given: Any) -> None:
            write(*given)
            raise OSError("killed")

        write = files.write
        monkeypatch.setattr(files, "write", dies)
        with pytest.raises(Exception, match="killed"):
            spool.file()
        monkeypatch.undo()
        spool.add([an_event(9, now)], 100).result(60)
        spool.close()
        again = Spool(tmp_path, deadline_s=5)
        assert again.file() == 4
        assert again.file() == 0
        again.close()
        found = files.read(
            tmp_path, "events", datetime.fromtimestamp(0, UTC).date(), ["event_id"], pa.compute.scalar(True)
        )
        assert sorted(found["event_id"].to_pylist()) == ["e-0", "e-1", "e-2", "e-9"]

    def test_what_a_command_has_filed_does_not_wait_any_more(self, tmp_path: Path) -> None:
        spool = Spool(tmp_path, deadline_s=5)
        spool.add([an_event(number) for number in range(3)], 100).result(60)
        assert spool.pending == 3
        assert file_all(tmp_path) == 3
        assert spool.file() == 0
        assert spool.pending == 0  # else the gateway would refuse events some day
        spool.close()

    def test_two_gateways_on_one_directory_have_a_spool_each(self, tmp_path: Path) -> None:
        one, other = Spool(tmp_path, deadline_s=5), Spool(tmp_path, deadline_s=5)
        one.add([an_event(1)], 100).result(60)
        other.add([an_event(2)], 100).result(60)
        assert file_all(tmp_path) == 2
        one.close()
        other.close()

    def test_spools_that_another_machine_has_open_are_kept_off(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SQLite's log is shared through memory of one machine: who opens it from another one may ruin it."""
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(process_lock, "machine", lambda: "another")
            there = Spool(tmp_path, deadline_s=5)
        here = Spool(tmp_path, deadline_s=5)
        there.add([an_event(1)], 100).result(60)
        here.add([an_event(2)], 100).result(60)
        assert file_all(tmp_path) == 1
        with pytest.raises(Conflict, match="Stop the gateway there"):
            erase(tmp_path, "0" * 32)
        there.close()
        assert file_all(tmp_path) == 1
        assert erase(tmp_path, "0" * 32).events == 0
        here.close()

    def test_acknowledged_means_on_the_disk(self, tmp_path: Path) -> None:
        """A process is killed right after it has said so; the next one files what it had acknowledged."""
        code = (
            "import sys; from pathlib import Path; from service.events.spool import Spool\n"
            "from tests.service.test_api_events import an_event\n"
            "spool = Spool(Path(sys.argv[1]), deadline_s=10)\n"
            "for n in range(10**6):\n    spool.add([an_event(n)], 100).result(10); print(n, flush=True)"
        )
        root = str(Path(__file__).parents[2])
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}, cwd=root,
        )  # fmt: skip
        assert child.stdout is not None
        acknowledged = [int(child.stdout.readline()) for _ in range(20)]
        child.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in child.stdout.read().splitlines() if line.strip()]
        child.wait(10)
        child.stdout.close()
        spool = Spool(tmp_path, deadline_s=5)
        assert spool.file() >= len(acknowledged)
        spool.close()


def an_event(number: int, at_ms: int | None = None) -> Event:
    at_ms = at_ms or time.time_ns() // 1_000_000
    return Event(f"e-{number}", "click", at_ms, "p", None, "u", None, "r", 1, None, None, at_ms)


class TestIds:
    @given(arm=st.integers(0, 255))
    def test_an_id_says_its_arm_and_when(self, arm: int) -> None:
        ids = RequestIds(b"secret")
        made = ids.new(arm)
        read = ids.read(made.upper())
        assert (read.request_id, read.arm) == (made, arm)
        assert abs(read.at_ms - time.time() * 1000) < 60_000
        assert made[14] == "7"
        assert made[19] in "89ab"

    @given(arm=st.integers(0, 255), bit=st.integers(0, 127))
    def test_no_bit_of_it_can_be_changed(self, arm: int, bit: int) -> None:
        import uuid

        ids = RequestIds(b"secret")
        changed = str(uuid.UUID(int=uuid.UUID(ids.new(arm)).int ^ 1 << bit))
        with pytest.raises(Exception, match="not one of this service's answers"):
            ids.read(changed)
        with pytest.raises(Exception, match="not one of this service's answers"):
            RequestIds(b"another").read(ids.new(arm))

    def test_none_comes_twice(self) -> None:
        ids = RequestIds(b"secret")
        assert len({ids.new() for _ in range(20_000)}) == 20_000


class TestSecret:
    def test_made_once_and_kept(self, tmp_path: Path) -> None:
        data = Settings(data=tmp_path)
        with pytest.raises(ConfigurationError, match="--data"):
            load_secret(data)
        secret = ensure_secret(data)
        assert ensure_secret(data) == load_secret(data) == secret
        assert (tmp_path / "events" / "secret").stat().st_mode & 0o77 == 0
        assert [file.name for file in (tmp_path / "events").iterdir()] == ["secret"]
        (tmp_path / "events" / "secret").write_bytes(b"short")
        with pytest.raises(Exception, match="Restore it"):
            load_secret(data)

    def test_or_set(self, tmp_path: Path) -> None:
        given_ = Settings(data=tmp_path, events=EventSettings(secret=SecretStr("x")))
        assert ensure_secret(given_) == load_secret(given_)
        assert not (tmp_path / "events").exists()
        assert user_id(b"a", "u") != user_id(b"b", "u")
