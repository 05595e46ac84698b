import pytest

from models import Embedder, Encoders, StandInEncoders
from tests.models.bundles import SHIPPED


@pytest.fixture(scope="session")
def encoders() -> Encoders:
    return Encoders.load(SHIPPED, threads=1)


@pytest.fixture(params=["stand-in", "shipped"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    """Every implementation of the seam, for the tests all of them must pass."""
    if request.param == "stand-in":
        return StandInEncoders()
    encoders: Encoders = request.getfixturevalue("encoders")
    return encoders
