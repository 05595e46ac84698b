"""`python -m bench.dense`: its crowds are what they are said to be, and a small try asks for all of it."""

import re
from pathlib import Path

import numpy as np
import pytest

from bench import dense
from catalogue.gtin import gtins_of
from catalogue.variants import contradict


def test_crowds_are_as_alike_as_they_are_said_to_be() -> None:
    of = {crowd.name: crowd for crowd in dense.crowds(percent=10)}
    assert all(len(crowd.products) == len(crowd.vectors) for crowd in of.values())
    for name, low, high in (("3,000 listings", 0.76, 0.97), ("20 GTINs, unlike", -0.4, 0), ("3,000 models", 0.8, 1)):
        own, *others = of[name].vectors
        assert low < np.min(others @ own) <= np.max(others @ own) < high
    first, *others = [listing.product for listing in of["20 GTINs, contradict"].products]
    assert len(gtins_of(first.attributes)) == 20
    assert {code for other in others for code in gtins_of(other.attributes)} == {*gtins_of(first.attributes)}
    assert all(contradict(first, other) for other in others[:20])


def test_all_of_it_on_a_small_shop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "RUNS", 1)
    dense.main(products=10_000, work=tmp_path, percent=1)
    printed = capsys.readouterr().out
    assert len(re.findall("same-style, two pages", printed)) == 7
    assert "504" not in printed
