"""The running service keeps to its own description, whatever is made up from that."""

from pathlib import Path

import pytest

from bench.contract import ROLES, check
from service.keys import create_key
from tests.e2e.conftest import Gateway


@pytest.mark.heavy
def test_every_answer_is_one_that_is_described(own_demo: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key = create_key(keys, "contract", ROLES)
    with Gateway(own_demo, KEYS_FILE=str(keys)) as server:
        outcome = check(server.url, key, 3_000)
    assert outcome.found is None, outcome.found
    assert outcome.cases >= 3_000
