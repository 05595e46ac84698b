"""The keys file, and the ring that follows it."""

import hmac
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from typer.testing import CliRunner

from catalogue.errors import Conflict, InvalidInput, KeysInvalid, NotFound
from service import keys
from service.cli import app
from service.keys import KeyRing, KeyTable, create_key, digest_of, read_keys, revoke_key
from tests.waiting import wait_until


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


class TestFile:
    def test_a_key_is_found_by_itself_and_is_not_in_the_file(self, file: Path) -> None:
        secret = create_key(file, "shop", ["search"], limits={"rate": 5, "quota": 1000})
        other = create_key(file, "feed", ["write"])
        assert secret.startswith("sms_")
        assert len(secret) == 4 + 43  # 256 bits in base64
        assert secret not in file.read_text()
        assert secret[4:] not in file.read_text()
        table = read_keys(file)
        found = table.find(secret)
        assert found is not None
        assert (found.name, found.roles, found.rate, found.capacity, found.quota) == ("shop", ("search",), 5, 5, 1000)
        assert [key.name for key in table.keys if key == table.find(other)] == ["feed"]

    @given(st.text(max_size=300))
    def test_nothing_else_is_a_key(self, secret: str) -> None:
        key = keys.Key(name="a", roles=("admin",), sha256=digest_of("sms_real"), created_at=datetime.now(UTC))
        assert KeyTable(keys=(key,)).find(secret) is None

    def test_an_expired_key_is_none(self, file: Path) -> None:
        now = datetime.now(UTC)
        over = create_key(file, "over", ["search"], expires_at=now - timedelta(seconds=1))
        soon = create_key(file, "soon", ["search"], expires_at=now + timedelta(days=1))
        table = read_keys(file)
        assert table.find(over) is None
        assert table.find(soon) is not None

    @pytest.mark.parametrize(
        ("roles", "granted"),
        [
            (("search",), {"search"}),
            (("write",), {"search", "write"}),
            (("admin",), {"admin"}),
            (("admin", "search"), {"admin", "search"}),
        ],
    )
    def test_who_writes_may_search_and_no_more(self, roles: tuple[keys.Role, ...], granted: set[keys.Role]) -> None:
        key = keys.Key(name="a", roles=roles, sha256="0" * 64, created_at=datetime.now(UTC))
        assert {role for role in ("search", "write", "admin") if key.grants(role)} == granted

    def test_every_digest_is_compared(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However early one fits: the time tells nothing about which."""
        first = create_key(file, "a", ["search"])
        create_key(file, "b", ["search"])
        compared: list[str] = []
        compare = hmac.compare_digest

        def noted(known: str, sent: str) -> bool:
            compared.append(known)
            return compare(known, sent)

        monkeypatch.setattr(hmac, "compare_digest", noted)
        table = read_keys(file)
        assert table.find(first) is not None
        assert table.find("sms_unknown") is None
        assert compared == [key.sha256 for key in table.keys] * 2

    def test_names_are_taken_once(self, file: Path) -> None:
        create_key(file, "shop", ["search"])
        with pytest.raises(Conflict, match="shop"):
            create_key(file, "shop", ["admin"])
        revoke_key(file, "shop")
        create_key(file, "shop", ["admin"])

    def test_only_so_many_fit(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keys, "MAX_KEYS", 1)
        create_key(file, "shop", ["search"])
        with pytest.raises(Conflict, match="Revoke"):
            create_key(file, "feed", ["search"])

    @pytest.mark.parametrize(
        ("name", "roles", "limits"),
        [
            ("a b", ["search"], {}),
            ("", ["search"], {}),
            ("../a", ["search"], {}),
            ("a" * 65, ["search"], {}),
            ("a", ["root"], {}),
            ("a", [], {}),
            ("a", ["search"], {"rate": 0}),
            ("a", ["search"], {"rate": float("nan")}),
            ("a", ["search"], {"quota": 0}),
            ("a", ["search"], {"burst": 5}),
        ],
    )
    def test_what_cannot_be_a_key_is_not_made(
        self, file: Path, name: str, roles: list[str], limits: dict[str, float]
    ) -> None:
        with pytest.raises(InvalidInput):
            create_key(file, name, roles, limits=limits)
        assert not file.exists()

    def test_keys_made_at_once_are_all_there(self, file: Path) -> None:
        names = [f"key-{number}" for number in range(8)]
        threads = [threading.Thread(target=create_key, args=(file, name, ["search"])) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(key.name for key in read_keys(file).keys) == names

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "[]",
            '{"keys": [{}]}',
            '{"schema_version": 2, "keys": []}',
            '{"keys": [], "extra": 1}',
            '{"keys": [{"name": "a", "roles": ["search"], "sha256": "sms_plain", "created_at": "2026-01-01T00:00Z"}]}',
        ],
    )
    def test_a_file_that_is_none_is_refused_without_being_quoted(self, file: Path, content: str) -> None:
        file.write_text(content)
        with pytest.raises(KeysInvalid, match=r"keys\.json") as refused:
            read_keys(file)
        assert "sms_plain" not in str(refused.value)

    def test_a_newer_one_says_that_it_is_newer(self, file: Path) -> None:
        file.write_text('{"schema_version": 9, "keys": [], "more": 1}')
        with pytest.raises(KeysInvalid, match="has schema 9, this version reads up to 1; upgrade samestyle"):
            read_keys(file)

    def test_one_name_twice_is_refused(self, file: Path) -> None:
        create_key(file, "a", ["search"])
        document = json.loads(file.read_text())
        file.write_text(json.dumps({**document, "keys": document["keys"] * 2}))
        with pytest.raises(KeysInvalid, match="same name"):
            read_keys(file)

    def test_who_is_not_there_cannot_be_revoked(self, file: Path) -> None:
        with pytest.raises(KeysInvalid, match="No such file"):
            revoke_key(file, "shop")
        create_key(file, "shop", ["search"])
        with pytest.raises(NotFound, match="feed"):
            revoke_key(file, "feed")


class TestRing:
    @pytest.fixture
    def shop(self, file: Path) -> str:
        return create_key(file, "shop", ["search"])

    def test_follows_the_file(self, file: Path, shop: str) -> None:
        ring = KeyRing(file, watch_s=0.02)
        ring.start()
        try:
            feed = create_key(file, "feed", ["write"])
            wait_until(lambda: ring.find(feed) is not None)
            revoke_key(file, "shop")
            wait_until(lambda: ring.find(shop) is None)
            revoke_key(file, "feed")
            wait_until(lambda: ring.find(feed) is None)  # none is left, and none counts
            assert ring.complaints() == []
        finally:
            ring.close()

    def test_logs_neither_keys_nor_their_names(self, file: Path, shop: str) -> None:
        ring = KeyRing(file, watch_s=0.02)
        with capture_logs() as logs:
            ring.start()
            feed = create_key(file, "feed", ["write"])
            wait_until(lambda: bool(logs))
            ring.close()
        assert logs == [{"event": "file_read", "what": "keys", "log_level": "info"}]
        assert ring.find(feed) is not None

    def test_keeps_the_keys_of_before_when_the_file_cannot_be_read(self, file: Path, shop: str) -> None:
        ring = KeyRing(file, watch_s=0.02)
        ring.start()
        try:
            good = file.read_bytes()
            for damage in (lambda: file.write_text("{"), file.unlink):
                damage()
                wait_until(lambda: ring.complaints() != [])
                assert ring.find(shop) is not None
                assert "still count" in ring.complaints()[0]
                file.write_bytes(good)
                wait_until(lambda: ring.complaints() == [])
        finally:
            ring.close()

    def test_does_not_begin_without_keys(self, file: Path) -> None:
        with pytest.raises(KeysInvalid, match="No such file"):
            KeyRing(file)
        create_key(file, "shop", ["search"])
        revoke_key(file, "shop")
        with pytest.raises(KeysInvalid, match="samestyle keys create"):
            KeyRing(file)


class TestCommands:
    def run(self, *words: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["keys", *words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    def test_a_key_is_printed_once_and_alone(self, file: Path) -> None:
        code, printed, said = self.run("create", "shop", "--role", "search", "--file", str(file))
        assert code == 0
        secret = printed.rstrip("\n")
        found = read_keys(file).find(secret)
        assert found is not None
        assert secret not in said
        _, listed, _ = self.run("list", "--file", str(file))
        assert "shop" in listed
        assert secret not in listed
        assert found.sha256 not in listed

    def test_list_tells_limits_and_what_has_expired(self, file: Path) -> None:
        limits = ("--rate", "50", "--burst", "100", "--quota", "100000")
        self.run("create", "shop", "--role", "search", "--role", "admin", *limits, "--file", str(file))
        self.run("create", "over", "--role", "search", "--expires-days", "0", "--file", str(file))
        _, listed, _ = self.run("list", "--file", str(file), "--json")
        shop, over = json.loads(listed)
        assert (shop["rate"], shop["burst"], shop["quota"], shop["expired"]) == (50, 100, 100_000, False)
        assert over["expired"]
        assert "sha256" not in shop

    def test_in_a_pipe_a_key_is_one_line(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        name = "the-search-box-of-the-autumn-shop"
        self.run("create", name, "--role", "search", "--rate", "50", "--file", str(file))
        _, listed, _ = self.run("list", "--file", str(file))
        (line,) = (line for line in listed.splitlines() if name in line)
        assert "50" in line

    def test_revoke(self, file: Path) -> None:
        self.run("create", "shop", "--role", "search", "--file", str(file))
        assert self.run("revoke", "shop", "--file", str(file))[0] == 0
        assert read_keys(file).keys == ()

    def test_the_file_may_stand_in_the_settings(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SAMESTYLE_KEYS_FILE", str(file))
        assert self.run("create", "shop", "--role", "search")[0] == 0
        assert [key.name for key in read_keys(file).keys] == ["shop"]

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("create", "shop", "--role", "search"), "SAMESTYLE_KEYS_FILE"),
            (("create", "shop", "--role", "root", "--file", "keys.json"), "'search', 'write' or 'admin'"),
            (("list", "--file", "nowhere.json"), "No such file"),
            (("revoke", "shop", "--file", "nowhere.json"), "No such file"),
        ],
    )
    def test_mistakes_are_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("SAMESTYLE_KEYS_FILE", raising=False)
        code, _, said = self.run(*words)
        assert code == 1
        assert says in " ".join(said.split())
