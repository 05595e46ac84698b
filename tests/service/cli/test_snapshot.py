"""`samestyle snapshot`, as a stranger types it."""

import io
import json
import os
import shutil
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from catalogue.errors import BundleInvalid
from catalogue.photos import PhotoStore
from catalogue.settings import Settings
from index import Journal
from index.aliases import read_aliases
from models import StandInEncoders
from models.bundle import Bundle
from service.build import build as build_from_catalogue
from service.cli import app, common, snapshot
from service.models import DEFAULT_BUNDLE, find_bundle
from tests.index.builders import build, edit_manifest
from tests.index.changes import sqlite, upsert
from tests.models.bundles import copy_bundle, edit_json
from tests.service.conftest import write_shop


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["snapshot", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def printed(*words: object) -> list[str]:
    result = CliRunner().invoke(app, ["snapshot", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def good(*words: object) -> str:
    code, text = run(*words)
    assert code == 0, text
    return text


def bad(*words: object) -> str:
    code, text = run(*words)
    assert code == 1, text
    assert text.startswith("error: ")
    assert "Traceback" not in text
    return text


@pytest.fixture(scope="session")
def fingerprint() -> str:
    return Bundle.load(DEFAULT_BUNDLE).fingerprint


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, fingerprint: str) -> Path:
    """A data directory with a, b, c of the default model, the newest last, and then one of nobody's."""
    data = tmp_path_factory.mktemp("snapshots") / "data"
    for at, name in enumerate("abc"):
        build(data / "snapshots", name, 10 + at, fingerprint=fingerprint, journal_position=at)
    build(data / "snapshots", "alien", fingerprint="0" * 64)
    return data


@pytest.fixture
def data(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "300")
    data = Path(shutil.copytree(template, tmp_path / "data"))
    monkeypatch.setenv("SAMESTYLE_DATA", str(data))
    return data


def live(data: Path) -> tuple[str | None, str | None]:
    state = read_aliases(data).get("live")
    return (state.snapshot, state.previous) if state else (None, None)


def corrupt(data: Path, name: str) -> None:
    file = data / "snapshots" / name / "vectors" / "fusion.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"?")


def test_list_says_which_alias_points_where(data: Path) -> None:
    for name in ("a", "b"):
        good("activate", name)
    good("activate", "c", "--alias", "next")
    listed = json.loads(good("list", "--json"))
    assert [(one["name"], one["aliases"], one["previous_of"]) for one in listed] == [
        ("alien", [], []),
        ("c", ["next"], []),
        ("b", ["live"], []),
        ("a", [], ["live"]),
    ]
    text = good("list")
    for part in ("b │ live ", "a │ (live) ", "c │ next ", "where a rollback goes"):
        assert part in text


LONG = "autumn-2026-11-23-of-the-whole-catalogue"


@pytest.fixture
def long_name(data: Path, fingerprint: str) -> str:
    build(data / "snapshots", LONG, 1_234, fingerprint=fingerprint)
    return LONG


def test_in_a_pipe_a_snapshot_is_one_line(long_name: str, monkeypatch: pytest.MonkeyPatch, fingerprint: str) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    (line,) = (line for line in printed("list") if long_name in line)
    for part in ("1,234", fingerprint[:12], "flat 1.000"):
        assert part in line


def test_on_a_narrow_terminal_nothing_of_it_is_cut(
    long_name: str, monkeypatch: pytest.MonkeyPatch, fingerprint: str
) -> None:
    screen = Console(width=80, force_terminal=True, color_system=None, file=io.StringIO())
    for module in (common, snapshot):
        monkeypatch.setattr(module, "out", screen)
    printed("list")
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]  # it is the one above
    assert max(map(cell_len, lines)) <= 80
    assert not any("…" in line for line in lines)
    assert long_name in "".join(line.split("│")[1].strip() for line in lines if line.startswith("│"))
    assert any(fingerprint[:12] in line for line in lines)


def test_list_says_what_is_wrong(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "snapshots" / "c" / "manifest.json").write_bytes(b"{")
    assert "refused: snapshot c: manifest.json" in good("list")  # which nothing stands for
    good("activate", "b")
    (data / "snapshots" / "b" / "manifest.json").write_bytes(b"{")
    monkeypatch.setattr(snapshot, "err", Console(stderr=True, width=40))
    for words in (["list"], ["list", "--json"]):
        result = CliRunner().invoke(app, ["snapshot", *words])
        assert result.exit_code == 1
        told = result.stderr.splitlines()
        assert [line[:34] for line in told[:2]] == [f"refused: snapshot {name}: manifest.json" for name in "bc"]
        assert told[2:] == ["alias live names b, which cannot be served."]
    assert [one["name"] for one in json.loads(result.stdout)] == ["alien", "a"]
    (data / "aliases.json").write_bytes(b"{")
    assert "aliases.json" in bad("list")


def test_an_empty_data_directory(tmp_path: Path) -> None:
    assert "There are no snapshots yet" in good("list", "--data", tmp_path)
    assert json.loads(good("list", "--data", tmp_path, "--json")) == []
    assert "Kept: nothing. Removed: nothing." in good("gc", "--data", tmp_path)


def test_activate_and_rollback(data: Path) -> None:
    assert "live is now a" in good("activate", "a")
    assert live(data) == ("a", "c")  # what gateways served before: the newest that has a bundle
    assert "live is now b (before: a)." in good("activate", "b")
    assert live(data) == ("b", "a")
    assert "live is now a again (before: b)." in good("rollback")
    assert live(data) == ("a", "c")
    good("rollback")
    assert "has no previous snapshot" in bad("rollback")
    assert live(data) == ("c", None)


def test_other_aliases_have_a_history_of_their_own(data: Path) -> None:
    assert "test is now a." in good("activate", "a", "--alias", "test")
    assert "no previous" in bad("rollback", "--alias", "test")
    assert live(data) == (None, None)
    assert "cannot name an alias" in bad("activate", "a", "--alias", "a b")


def test_what_must_not_be_served_is_not_activated(data: Path) -> None:
    good("activate", "a")
    before = (data / "aliases.json").read_bytes()
    corrupt(data, "b")
    assert "snapshot b: vectors/fusion.npy is corrupt" in bad("activate", "b")
    assert "No bundle has the fingerprint 000000000000" in bad("activate", "alien")
    assert "snapshot nothing: there is none of this name" in bad("activate", "nothing")
    assert "cannot name a snapshot" in bad("activate", "../a")
    assert (data / "aliases.json").read_bytes() == before


def test_a_rollback_verifies_where_it_goes(data: Path) -> None:
    for name in ("a", "b"):
        good("activate", name)
    corrupt(data, "a")
    assert "snapshot a: vectors/fusion.npy is corrupt" in bad("rollback")
    assert live(data) == ("b", "a")


def test_a_second_activation_reads_nothing_and_verify_everything(data: Path) -> None:
    good("activate", "a")
    file = data / "snapshots" / "a" / "vectors" / "fusion.npy"
    before = file.stat()
    with file.open("r+b") as handle:
        handle.seek(-1, 2)
        handle.write(b"?")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    good("activate", "a", "--alias", "test")
    assert "is corrupt" in bad("verify", "a")
    assert "is corrupt" in bad("activate", "a", "--alias", "other")


def test_a_build_is_remembered(tmp_path: Path) -> None:
    build_from_catalogue(write_shop(tmp_path), tmp_path / "data", "s", StandInEncoders(), decode_threads=1)
    assert [path.name for path in (tmp_path / "data" / "verified").iterdir()] == ["s.json"]


def test_verify(data: Path) -> None:
    assert "a: 4 files, 10 products, all as written." in good("verify", "a")
    assert [path.name for path in (data / "verified").iterdir()] == ["a.json"]


def test_diff(data: Path) -> None:
    text = good("diff", "a", "c", "--first", "1")
    assert "journal_position: 0 -> 2" in text
    assert "added │ 2 │ p10, ... │" in text
    assert "unchanged │ 10" in text
    found = json.loads(good("diff", "c", "alien", "--json"))
    assert (found["added"]["count"], found["vectors"]) == (8, None)
    assert "another model" in good("diff", "c", "alien")
    assert "there is none of this name" in bad("diff", "a", "nothing")


def test_gc_keeps_what_is_needed_and_trims_the_journal(data: Path) -> None:
    for name in ("b", "c"):
        good("activate", name)
    with Journal.open(sqlite(data)) as journal:  # as a running gateway has it
        journal.append([upsert(f"p{n}") for n in range(5)])
        for name in "abc":
            edit_manifest(data / "snapshots" / name, lambda manifest: manifest.update(journal=journal.id))
        text = good("gc", "--keep", "1", "--dry-run")
        assert "Kept: alien, c, b. Would remove: a." in text
        (data / "snapshots" / "alien").rename(data / "alien")
        assert "and 1 changes of the journal" in good("gc", "--keep", "1")
        assert journal.bounds() == (1, 5)
    assert sorted(path.name for path in (data / "snapshots").iterdir()) == ["b", "c"]
    assert json.loads(good("gc", "--json"))["kept"] == ["c", "b"]


def test_gc_takes_photos_where_that_is_asked_for(data: Path) -> None:
    shutil.rmtree(data / "snapshots" / "alien")
    with Journal.open(sqlite(data)):
        store = PhotoStore(data / "photos")
        name = store.put(b"unneeded")
        os.utime(data / "photos" / name[:2] / name, (0, 0))
        assert "photos" not in good("gc")
        assert "Would remove: 1 photos, 8 bytes" in good("gc", "--photos", "--dry-run")
        assert json.loads(good("gc", "--photos", "--json"))["photos"] == 1
        assert "Removed: 0 photos" in good("gc", "--photos")
    sqlite(data).unlink()
    assert "Give SAMESTYLE_JOURNAL as the gateway has it" in bad("gc", "--photos")


def test_gc_says_what_it_left_alone(data: Path) -> None:
    (data / "snapshots" / "a").rename(data / "snapshots" / "a.bak")
    assert "Left alone, and the journal with it: a.bak" in good("gc")


def test_push_and_pull(data: Path, tmp_path: Path) -> None:
    store, other = tmp_path / "store", tmp_path / "other"
    assert f"a is at {store}/a." in good("push", "a", store)
    text = good("pull", store / "a", "--data", other, "--name", "first")
    assert "`samestyle snapshot activate first` serves it" in text
    assert [path.name for path in (other / "verified").iterdir()] == ["first.json"]
    assert "live is now first" in good("activate", "first", "--data", other)
    assert "there is no manifest.json" in bad("pull", store / "b")
    assert "cannot be used" in bad("push", "a", "nosuch://x")
    corrupt(data, "b")
    assert "is corrupt" in bad("push", "b", store)


def test_help_names_the_commands() -> None:
    text = good("--help")
    for command in ("list", "verify", "activate", "rollback", "diff", "gc", "push", "pull"):
        assert f" {command} " in text


# Bundles.


def other_space(path: Path) -> str:
    """A copy of the shipped bundle whose space is another; returns its fingerprint."""
    copy_bundle(path)
    edit_json(path / "config.json", lambda config: config.update(max_text_tokens=config["max_text_tokens"] - 1))
    return Bundle.load(path).fingerprint


def test_bundles_are_found_by_fingerprint(tmp_path: Path, fingerprint: str) -> None:
    named = other_space(tmp_path / "named")
    settings = Settings(data=tmp_path / "data", bundle=tmp_path / "named")
    assert find_bundle(settings, named) == tmp_path / "named"
    with pytest.raises(BundleInvalid, match="named is"):  # in place of the default one
        find_bundle(settings, fingerprint)
    (tmp_path / "data" / "bundles" / "broken").mkdir(parents=True)
    shutil.move(tmp_path / "named", tmp_path / "data" / "bundles" / "second")
    settings = Settings(data=tmp_path / "data")
    assert find_bundle(settings, fingerprint) == DEFAULT_BUNDLE
    assert find_bundle(settings, named) == tmp_path / "data" / "bundles" / "second"
    with pytest.raises(
        BundleInvalid, match=r"No bundle has the fingerprint ffffffffffff: .*default is .*broken.*second is"
    ):
        find_bundle(settings, "f" * 64)
