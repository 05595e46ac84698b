"""The running service keeps to its own description, whatever is made up from that."""

from pathlib import Path

import pytest

from bench.contract import check
from tests.e2e.conftest import Gateway


@pytest.mark.heavy
def test_every_answer_is_one_that_is_described(own_demo: Path) -> None:
    with Gateway(own_demo) as server:
        outcome = check(server.url, 3_000)
    assert outcome.found is None, outcome.found
    assert outcome.cases >= 3_000
