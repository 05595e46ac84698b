import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue.errors import AliasesInvalid, InvalidInput, NotFound
from index.aliases import LIVE, MAX_ALIASES, MAX_HISTORY, AliasTable, activate, read_aliases, rollback

ROOT = Path(__file__).parents[2]

steps = st.lists(
    st.tuples(
        st.sampled_from(["live", "test"]),
        st.sampled_from(["activate", "rollback"]),
        st.sampled_from("abcd"),
        st.sampled_from([None, "a", "s"]),
    ),
    max_size=30,
)


def plain(table: AliasTable) -> dict[str, list[str]]:
    """Each alias with its snapshot and those before it."""
    return {
        alias: [state.snapshot, *(before.snapshot for before in state.history)]
        for alias, state in table.aliases.items()
    }


@settings(max_examples=30, deadline=None)
@given(steps)
def test_it_is_a_stack_for_each_alias(steps: list[tuple[str, str, str, str | None]]) -> None:
    model: dict[str, list[str]] = {}
    with TemporaryDirectory() as folder:
        data = Path(folder)
        for alias, step, snapshot, served in steps:
            if step == "activate":
                stack = model.setdefault(alias, [served] if served else [])
                if stack[:1] != [snapshot]:
                    model[alias] = [snapshot, *stack][: MAX_HISTORY + 1]
                table = activate(data, alias, snapshot, served=served)
            elif len(model.get(alias, ())) > 1:
                model[alias].pop(0)
                table = rollback(data, alias)
            else:
                with pytest.raises(NotFound, match="no previous snapshot"):
                    rollback(data, alias)
                table = read_aliases(data)
            assert plain(table) == plain(read_aliases(data)) == model
            state = table.get(alias)
            before = model.get(alias, [])[1:]
            assert (state.previous if state else None) == (before[0] if before else None)


def test_the_history_is_bounded(tmp_path: Path) -> None:
    for n in range(MAX_HISTORY + 5):
        activate(tmp_path, "live", f"s{n}")
    (stack,) = plain(read_aliases(tmp_path)).values()
    assert stack == [f"s{n}" for n in range(MAX_HISTORY + 4, 3, -1)]


def test_there_are_so_many_and_no_more(tmp_path: Path) -> None:
    for number in range(MAX_ALIASES - 1):
        activate(tmp_path, f"a{number}", "s")
    with pytest.raises(InvalidInput, match=r"16 aliases already \(live, a0, .*Forget one"):
        activate(tmp_path, "one-more", "s")
    activate(tmp_path, LIVE, "s")
    assert plain(activate(tmp_path, "a3", "t"))["a3"] == ["t", "s"]


def test_where_there_is_no_file_there_are_none(tmp_path: Path) -> None:
    assert read_aliases(tmp_path / "nowhere").get("live") is None


def test_what_is_active_stays_as_it_is(tmp_path: Path) -> None:
    before = activate(tmp_path, "live", "a")
    written = (tmp_path / "aliases.json").stat()
    assert activate(tmp_path, "live", "a", served="z") == before
    assert (tmp_path / "aliases.json").stat() == written


def test_the_file_says_since_when(tmp_path: Path) -> None:
    activate(tmp_path, "live", "a")
    first = read_aliases(tmp_path).aliases["live"]
    assert timedelta(0) <= datetime.now(UTC) - first.since < timedelta(minutes=1)
    second = activate(tmp_path, "live", "b").aliases["live"]
    assert (second.history[0].snapshot, second.history[0].since) == ("a", first.since)
    stored = json.loads((tmp_path / "aliases.json").read_bytes())
    assert stored["schema_version"] == 1
    assert stored["aliases"]["live"]["history"][0]["snapshot"] == "a"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", "x" * 65, "größe", "a\n", "a.b"])
def test_names_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name an alias"):
        activate(tmp_path, name, "a")
    with pytest.raises(InvalidInput, match="cannot name an alias"):
        rollback(tmp_path, name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("snapshot", "served"), [("../x", None), ("", None), ("a", "../x")])
def test_snapshots_that_cannot_be_are_refused(tmp_path: Path, snapshot: str, served: str | None) -> None:
    with pytest.raises(InvalidInput, match="cannot name a snapshot"):
        activate(tmp_path, "live", snapshot, served=served)


def test_who_verified_one_snapshot_does_not_land_on_another(tmp_path: Path) -> None:
    for name in "abc":
        activate(tmp_path, "live", name)
    with pytest.raises(InvalidInput, match="would now go back to b, not to a"):
        rollback(tmp_path, "live", to="a")
    assert plain(rollback(tmp_path, "live", to="b")) == {"live": ["b", "a"]}


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"schema_version": 0}', b"[" * 100_000),
        b'{"schema_version": 1, "aliases": {"live": {}}}',
        b'{"schema_version": 1, "aliases": {"a b": {"snapshot": "a", "since": "2026-01-01T00:00:00Z"}}}',
        b'{"schema_version": 1, "aliases": {"live": {"snapshot": "../a", "since": "2026-01-01T00:00:00Z"}}}',
        b'{"schema_version": 1, "aliases": {"live": {"snapshot": "a", "since": "yesterday"}}}',
    ],
    ids=range(12),
)
def test_a_broken_file_is_neither_followed_nor_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "aliases.json").write_bytes(content)
    calls: list[Callable[[], AliasTable]] = [
        lambda: read_aliases(tmp_path),
        lambda: activate(tmp_path, "live", "b"),
        lambda: rollback(tmp_path, "live"),
    ]
    for call in calls:
        with pytest.raises(AliasesInvalid, match=r"aliases\.json"):
            call()
    assert (tmp_path / "aliases.json").read_bytes() == content


def test_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    (tmp_path / "aliases.json").write_text('{"schema_version": 2, "aliases": "elsewhere"}')
    with pytest.raises(AliasesInvalid, match="has schema 2, this version reads up to 1; upgrade samestyle"):
        read_aliases(tmp_path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "aliases.json").mkdir()
    with pytest.raises(AliasesInvalid, match="cannot be read"):
        read_aliases(tmp_path)


@pytest.mark.parametrize("step", ["os.fsync", "Path.replace"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    activate(tmp_path, "live", "a")

    def fails(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(f"catalogue.files.{step}", fails)
        with pytest.raises(OSError, match="disk full"):
            activate(tmp_path, "live", "b")
    assert plain(read_aliases(tmp_path)) == {"live": ["a"]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aliases.json", "aliases.json.lock"]
    assert plain(activate(tmp_path, "live", "b")) == {"live": ["b", "a"]}


_ACTIVATES = """
import sys
from pathlib import Path
from index.aliases import activate
print("ready", flush=True)
sys.stdin.readline()
for turn in range(6):
    activate(Path(sys.argv[1]), "live", f"{sys.argv[2]}-{turn}")
"""


def test_processes_lose_none_of_each_others_changes(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ACTIVATES, str(tmp_path)]
    children = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for name in "abc"
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        assert [child.wait(60) for child in children] == [0, 0, 0]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    (stack,) = plain(read_aliases(tmp_path)).values()
    assert sorted(stack) == sorted(f"{name}-{turn}" for name in "abc" for turn in range(6))
    for name in "abc":
        assert [entry for entry in stack if entry.startswith(name)] == [f"{name}-{turn}" for turn in range(5, -1, -1)]
