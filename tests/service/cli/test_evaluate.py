"""`samestyle evaluate`, as a stranger types it, with the shipped bundle."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.bundle import Bundle
from service.cli import app
from tests.models.bundles import SHIPPED, copy_bundle, edit_json
from tests.models.evaluation.shops import COLOURS, rows, shop, write_jsonl
from tests.models.evaluation.test_pairs import published, write


def run(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["evaluate", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, result.stderr


def report_of(*words: str | Path) -> dict[str, Any]:
    code, out, _ = run(*words, "--json")
    assert code == 0
    report: dict[str, Any] = json.loads(out)
    return report


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    return shop(tmp_path, rows(tmp_path, styles=4))


def test_the_table_the_report_and_the_sheet(tmp_path: Path, catalogue: Path) -> None:
    code, out, said = run(catalogue, "--out", tmp_path / "out", "--category-level", "2", "--worst", "2")
    assert code == 0
    assert "v1: 12 queries among 12 products" in out
    for word in ("i-t", "m-m", "recall@1", "what m-m gains over", "late fusion", "Home > Bowls"):
        assert word in out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["bundles"][0]["modes"]) == 9
    assert report["bundles"][0]["licence"].startswith("Research use")
    sheet = (tmp_path / "out" / "worst.html").read_text()
    assert "v1 on shop.jsonl: the worst cases" in sheet
    assert str(tmp_path / "out" / "worst.html") in said


def test_bundles_side_by_side(tmp_path: Path, catalogue: Path) -> None:
    other = copy_bundle(tmp_path / "other")
    edit_json(other / "config.json", lambda config: config.update(name="other"))
    words = (catalogue, "--bundle", SHIPPED, "--bundle", other)
    code, out, _ = run(*words, "--out", tmp_path / "out")
    assert code == 0
    assert "what other gains over v1" in out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.json", "worst-1.html", "worst-2.html"]
    gained = json.loads((tmp_path / "out" / "report.json").read_text())["compared_with_first"][0]
    assert gained["bundle"] == "other"
    assert gained["modes"]["m-m"]["mrr"] == {"value": 0, "interval": [0, 0]}


def test_text_views_poor_photos_and_triplets(tmp_path: Path, catalogue: Path) -> None:
    content = [
        {"reference_id": "p0-red", "target_id": f"p0-{colour}", "target_colour": colour} for colour in COLOURS[1:]
    ]
    report = report_of(
        *(catalogue, "--query-text", "{title}", "--gallery-text", "{description} {colour}"),
        *("--triplets", write(tmp_path / "t.csv", content), "--words", "{target_colour}", "--poor-photos"),
    )
    (figures,) = report["bundles"]
    assert set(figures["composed"]) == {"photo and words", "photo alone", "words alone"}
    assert figures["composed"]["photo and words"]["queries"] == 2
    assert set(figures["modes_with_poor_photos"]) == {"i-i", "i-t", "i-m", "m-i", "m-t", "m-m"}


def test_the_published_format(tmp_path: Path) -> None:
    content = rows(tmp_path, styles=3)
    path = write(tmp_path / "esspr.csv", published(content, [(0, 1, 1), (3, 4, "1"), (0, 3, 0)]))
    report = report_of(path)
    assert (report["products"], report["queries"]) == (4, 2)
    assert report["bundles"][0]["modes"]["i-i"]["queries"] == 2


def test_mined_pairs(tmp_path: Path, catalogue: Path) -> None:
    pairs = write(tmp_path / "mined.parquet", [{"trigger_id": "p0-red", "recall_id": "p0-blue"}])
    report = report_of(pairs, "--catalogue", catalogue)
    assert (report["products"], report["queries"]) == (12, 1)


def test_thresholds_are_written_and_the_space_stays(tmp_path: Path, catalogue: Path) -> None:
    bundle = copy_bundle(tmp_path / "bundle")
    before = Bundle.load(bundle)
    code, out, said = run(catalogue, "--bundle", bundle, "--calibrate")
    assert code == 0
    after = Bundle.load(bundle)
    assert after.fingerprint == before.fingerprint
    assert after.config.thresholds != before.config.thresholds
    assert after.config.model_copy(update={"thresholds": before.config.thresholds}) == before.config
    old, new = before.config.thresholds["i-i"].similar, after.config.thresholds["i-i"].similar
    assert old is not None
    assert f"{old.score:.4f}" in out
    assert new is None or f"{new.score:.4f}" in out
    assert "Written into" in said
    assert Bundle.load(SHIPPED).config == before.config


def test_calibration_keeps_to_what_is_not_held_out(tmp_path: Path) -> None:
    from catalogue.demo import is_held_out

    content = rows(tmp_path, styles=10)
    kept = [row for row in content if not is_held_out(row["style_id"])]
    bundles = [copy_bundle(tmp_path / name) for name in ("one", "two")]
    assert run(shop(tmp_path, content), "--bundle", bundles[0], "--held-out", "--calibrate")[0] == 0
    assert run(write_jsonl(tmp_path / "kept.jsonl", kept), "--bundle", bundles[1], "--calibrate")[0] == 0
    one, two = (Bundle.load(bundle).config.thresholds for bundle in bundles)
    assert one == two


@pytest.mark.heavy
def test_tuned_weights_make_another_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one whose weights lie beside its ONNX files. The shop's photos mislead and its titles do not."""
    from models.export.source import read_source
    from models.export.zoo import Wanted, export_zoo
    from tests.models.zoo_sources import save_clip

    content = rows(tmp_path, styles=25)
    images = [row["images"] for row in content]
    random.Random(0).shuffle(images)
    for row, others in zip(content, images, strict=True):
        row |= {"images": others, "category": "", "description": ""}
    products, old, new = shop(tmp_path, content), tmp_path / "old", tmp_path / "new"
    photos: list[bytes | None] = [(tmp_path / row["images"][0]).read_bytes() for row in content[:12]]
    sample = (photos, [row["title"] for row in content[:12]])
    wanted = Wanted(name="tiny", licence="mit", origin="tests", variants=("float32",), sample=sample)
    monkeypatch.setattr("models.export.onnx_weights.MAX_ONE_FILE", 60_000)
    export_zoo(read_source(save_clip(tmp_path / "source")), old, wanted)
    code, out, said = run(products, "--bundle", old, "--tune-weights", new)
    assert code == 0
    assert "instead of 0.5 of 1" in out
    assert "Written into" in said
    before, after = Bundle.load(old), Bundle.load(new)
    assert after.fingerprint != before.fingerprint
    assert after.config.name == "tiny-photo05"
    assert after.data == before.data
    assert any(after.data.values())
    assert "Weights tuned" in (new / "README.md").read_text()
    assert report_of(products, "--bundle", new)["bundles"][0]["fingerprint"] == after.fingerprint
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    code, _, said = run(products, "--bundle", old, "--tune-weights", new)
    assert (code, "is there already" in said) == (1, True)


def test_too_little_to_calibrate_on_leaves_the_bundle(tmp_path: Path) -> None:
    bundle = copy_bundle(tmp_path / "bundle")
    before = (bundle / "config.json").read_bytes()
    code, _, said = run(shop(tmp_path, rows(tmp_path, styles=2)[:4]), "--bundle", bundle, "--calibrate")
    assert code == 1
    assert "too few pairs to calibrate on" in said
    assert (bundle / "config.json").read_bytes() == before


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    content = rows(tmp_path, styles=3)
    content[0]["images"] = ["nowhere.jpg"]
    content[1]["images"] = []
    (tmp_path / content[2]["images"][0]).write_bytes(b"no photo")
    code, out, said = run(shop(tmp_path, content))
    assert code == 0
    assert "products without a photo: 1" in said
    assert "photos that cannot be used: 2" in said
    assert "nowhere.jpg" in said
    assert "m-m" in out


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("change", "there", "said"),
    [
        (lambda row: {**row, "images": []}, "t-t", "products without a photo: 9"),
        (
            lambda row: {name: row[name] for name in ("product_id", "style_id", "images")},
            "i-i",
            "products without a title: 9",
        ),
    ],
)
def test_a_catalogue_without_photos_or_without_texts(tmp_path: Path, change: Change, there: str, said: str) -> None:
    code, out, error = run(shop(tmp_path, [change(row) for row in rows(tmp_path, styles=3)]))
    assert code == 0
    assert there in out
    assert "m-m" not in out
    assert said in error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere.jsonl",), "no such file"),
        (("shop.xls",), "unknown kind of file"),
        (("shop.jsonl", "--bundle", "nowhere"), "There is no model bundle at nowhere"),
        (("shop.jsonl", "--bundle", SHIPPED, "--bundle", SHIPPED), "named twice"),
        (("shop.jsonl", "--calibrate"), "Name it with --bundle"),
        (("shop.jsonl", "--bundle", SHIPPED, "--calibrate", "--query-text", "{title}"), "Leave --query-text"),
        (
            ("shop.jsonl", "--bundle", SHIPPED, "--calibrate", "--same-photo-column", "photo_id"),
            "texts that are served",
        ),
        (("pairs.csv", "--bundle", SHIPPED, "--calibrate"), "Give one, or no --calibrate"),
        (("shop.jsonl", "--tune-weights", "new"), "--tune-weights is for one bundle"),
        (("shop.jsonl", "--bundle", SHIPPED, "--tune-weights", "new", "--query-text", "{title}"), "Leave --query-text"),
        (("shop.jsonl", "--bundle", SHIPPED, "--tune-weights", "new"), "only dual bundles have weights"),
        (("shop.jsonl", "--catalogue", "shop.jsonl"), "--catalogue is for pairs"),
        (("pairs.csv", "--held-out"), "--held-out goes by style_id"),
        (("ids.csv",), "Give the catalogue they are from as --catalogue"),
        (("wrong.csv",), "has the label 'perhaps'"),
        (("ids.csv", "--catalogue", "shop.jsonl"), "Is it the right catalogue?"),
        (("no-styles.jsonl",), "no product has a style_id"),
        (("blank.jsonl",), "not one query has anything to find"),
        (("shop.jsonl", "--query-text", "{size}"), "no product has"),
        (("shop.jsonl", "--triplets", "ids.csv"), "triplets need a column reference_id"),
        (("shop.jsonl", "--out", "pairs.csv/folder"), "directory"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str | Path, ...], says: str
) -> None:
    content = rows(tmp_path, styles=2)
    shop(tmp_path, content)
    write(tmp_path / "pairs.csv", published(content, [(0, 1, 1)]))
    write(tmp_path / "wrong.csv", published(content, [(0, 1, "perhaps")]))
    write(tmp_path / "ids.csv", [{"trigger_id": "a", "recall_id": "b"}])
    write_jsonl(tmp_path / "no-styles.jsonl", [row | {"style_id": ""} for row in content])
    write_jsonl(
        tmp_path / "blank.jsonl", [{"product_id": f"p{n}", "style_id": "s", "images": ["no.jpg"]} for n in range(2)]
    )
    monkeypatch.chdir(tmp_path)
    code, _, said = run(*words)
    assert code == 1
    assert says in " ".join(said.split())
