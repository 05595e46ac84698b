"""`samestyle bench gateway`: its queries, its figures, and what it prints; the measurements themselves are heavy."""

import io
from pathlib import Path

import numpy as np
from rich.console import Console
from typer.testing import CliRunner

from bench.gateway import queries
from bench.gateway.report import show
from bench.gateway.steps import Row
from bench.load import Answer, Request, rate
from catalogue.images import decode_image
from service.cli import app


def test_no_two_queries_are_alike_and_equal_numbers_are() -> None:
    numbers = range(0, 4_000, 3)
    assert len({queries.words(number) for number in numbers}) == len(numbers)
    assert len({queries.photo(number) for number in numbers}) == len(numbers)
    assert queries.photo(7) == queries.photo(7)
    assert queries.item("image+text", 7).text == queries.words(7)


def test_a_photo_is_another_file_of_the_same_picture() -> None:
    one, other = (queries.photo(number) for number in (5, 5 + 785))
    assert one != other
    assert np.array_equal(np.asarray(decode_image(one)), np.asarray(decode_image(other)))


def test_an_id_in_a_body_of_a_size() -> None:
    assert len(queries.id_request("acme-1", 5_000).content) == 5_000
    assert queries.id_request("acme-1", 5_000).content.strip() == queries.id_request("acme-1").content


def test_a_form_on_the_wire() -> None:
    head, _, body = Request.upload("/v1/search/upload", b"\xff\xd8", k="3").wire.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert b'name="k"\r\n\r\n3\r\n' in body
    assert b"\r\n\r\n\xff\xd8\r\n" in body


def test_a_rate_counts_what_was_answered_until_the_last_answer() -> None:
    answers = [Answer(0.0, 0.0, 0.5, 200), Answer(1.0, 1.5, 1.0, 200), Answer(1.0, 1.0, 0.1, 429)]
    assert rate(answers) == 1.0
    assert answers[1].since_sent == 0.5


def test_what_is_asked_is_compared_with_what_was_measured() -> None:
    rows = [Row("more", 2, "ms", 3, at_most=True), Row("less", 0.7, "", 0.8), Row("told", 5, "s", detail="so")]
    assert [row.is_met for row in rows] == [True, False, None]
    about = {"date": "2026-01-01", "machine": "here", "products": 3, "snapshot": "a", "seconds": 1}
    about |= {"load_at_start": [0.0], "load_at_end": [0.0]}
    written = io.StringIO()
    show({"about": about, "steps": {"one": [row.as_json() for row in rows]}}, Console(file=written, width=120))
    for text in ("<= 3.00 ms", ">= 0.80", "NO", "yes", "so"):
        assert text in written.getvalue()


def test_a_step_there_is_not() -> None:
    ran = CliRunner().invoke(app, ["bench", "gateway", "--only", "speeed"])
    assert ran.exit_code == 1
    assert "no step 'speeed'" in ran.output


def test_data_without_a_snapshot(tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["bench", "gateway", "--data", str(tmp_path)])
    assert ran.exit_code == 1
    assert "no snapshot to serve" in ran.output
