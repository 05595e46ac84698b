"""A bundle whose weights lie beside its ONNX files, as those do that are too many for one: all that is done with it."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalogue.errors import BundleInvalid
from catalogue.settings import Settings
from models import Bundle, Encoders, ProductInput
from service.backup import create, restore
from service.models import Bundles, find_bundle
from tests.models.bundles import SHIPPED, copy_bundle, part_weights, replace
from tests.service.cli.test_main import run

WHOLE = "0fbd460de06bfa6c4220d5854b5aae8ac3768d93a73e3ed739dfe2774bde9761"
"""The fingerprint of the default bundle, which indexes out there were built with."""
NAME = "fusion_encoder.onnx.data"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = copy_bundle(tmp_path_factory.mktemp("parted") / "bundle")
    assert part_weights(bundle / "onnx" / "fusion_encoder.onnx").stat().st_size > 1_000_000
    return bundle


@pytest.fixture
def parted(made: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return copy_bundle(tmp_path / "bundle", made)


def test_it_gives_the_same_vectors_in_a_space_of_its_own(made: Path, encoders: Encoders) -> None:
    found = Encoders.load(made, threads=1)
    items = [ProductInput(text="red mug"), ProductInput(text="M8 x 40 hex bolt")]
    np.testing.assert_array_equal(found.embed(items), encoders.embed(items))
    assert encoders.fingerprint == WHOLE != found.fingerprint
    assert Bundle.load(made).data["onnx/fusion_encoder.onnx"] == (f"onnx/{NAME}",)


def test_the_fingerprint_is_of_the_weights_beside_too(parted: Path) -> None:
    before, file = Bundle.load(parted).fingerprint, parted / "onnx" / NAME
    content = file.read_bytes()
    replace(file, content[:-1] + bytes([content[-1] ^ 1]))
    assert Bundle.load(parted).fingerprint != before
    replace(file, content)
    assert Bundle.load(parted).fingerprint == before


def cut(file: Path) -> None:
    replace(file, file.read_bytes()[:-1])


def lead_out(file: Path) -> None:
    outside = file.parents[2] / "outside"
    file.rename(outside)
    file.symlink_to(outside)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (Path.unlink, "is missing"),
        (folder, "no regular file"),
        (pipe, "no regular file"),
        (cut, "takes weights up to byte"),
        (lead_out, "leads out of the bundle"),
    ],
)
def test_weights_that_are_not_there_whole_are_refused(
    parted: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(parted / "onnx" / NAME)
    with pytest.raises(BundleInvalid, match=rf"{NAME}.*{reason}.*(Fetch|Put)"):
        Encoders.load(parted, threads=1)


def test_lengths_that_are_not_those_of_the_weights_are_refused(parted: Path) -> None:
    """They are inside the file, so it is for ONNX Runtime to see."""
    file = parted / "onnx" / "fusion_encoder.onnx"
    content, length = file.read_bytes(), b"length\x12\x06262144"
    assert length in content
    replace(file, content.replace(length, b"length\x12\x06262140"))
    Bundle.load(parted)
    with pytest.raises(BundleInvalid, match="cannot be loaded"):
        Encoders.load(parted, threads=1)


def test_its_memory_is_counted_and_it_is_found(made: Path, tmp_path: Path) -> None:
    copy_bundle(tmp_path / "bundles" / "parted", made)
    settings = Settings(data=tmp_path)
    fingerprint = Bundle.load(made).fingerprint
    assert find_bundle(settings, fingerprint) == tmp_path / "bundles" / "parted"
    whole, needed = (Bundles(settings).needs(one) for one in (WHOLE, fingerprint))
    assert needed == pytest.approx(whole, rel=0.01)


def test_the_command_line_takes_it(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    copy_bundle(tmp_path / "bundles" / "parted", made)
    fingerprint = Bundle.load(made).fingerprint
    code, text = run("model", "list", "--data", str(tmp_path), "--json")
    assert code == 0
    assert [row["fingerprint"] for row in json.loads(text)] == [WHOLE, fingerprint]
    code, text = run("model", "verify", str(made), "--json")
    assert (code, json.loads(text)["fingerprint"]) == (0, fingerprint)
    assert run("model", "card", str(made)) == run("model", "card", str(SHIPPED))


def test_a_backup_holds_all_of_it(made: Path, tmp_path: Path) -> None:
    copy_bundle(tmp_path / "data" / "bundles" / "parted", made)
    create(Settings(data=tmp_path / "data"), tmp_path / "backup")
    restore(tmp_path / "backup", Settings(data=tmp_path / "restored"))
    assert Bundle.load(tmp_path / "restored" / "bundles" / "parted").fingerprint == Bundle.load(made).fingerprint
