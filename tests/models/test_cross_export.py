"""From a training run to a bundle that serves."""

from pathlib import Path

import numpy as np
import pytest

from models import Encoders, ProductInput
from models.bundle import Bundle
from tests.models.shops import draw, write_shop

pytestmark = pytest.mark.heavy

TINY = {
    "network": {
        "photo": "tiny", "text": "tiny", "width": 32, "layers": 2, "heads": 2, "max_text_tokens": 32,
        "frozen_photo_blocks": 0, "frozen_text_layers": 0,
    },
    "views": {"side": 64},
    "steps": 4,
    "rows": 8,
    "chunk": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a few steps with tiny networks."""
    from rich.console import Console

    from models.export.cross import About, export_run
    from models.training.config import parse_config
    from models.training.run import Run

    folder = tmp_path_factory.mktemp("cross")
    write_shop(folder / "shop.parquet")
    data = {"catalogues": [{"path": str(folder / "shop.parquet")}], "cache_side": 64, "dev_share": 0.3}
    run = Run(parse_config({"data": data, **TINY}, "test"), folder / "run", resume=False, threads=1)
    run.train(run.read(), lambda _: None)
    about = About("tiny", "For tests only", "Drawn for tests.")
    export_run(folder / "run", folder / "bundle", about, side=64, console=Console(quiet=True))
    return folder / "bundle"


def test_the_bundle_serves_every_mode(bundle: Path) -> None:
    encoders = Encoders.load(bundle, threads=1)
    photo = draw(3, "red")
    vectors = encoders.embed(
        [
            ProductInput(photo, "red bar"),
            ProductInput(photo),
            ProductInput(text="red bar"),
            ProductInput(photo, "a " * 99),
        ]
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-3


def test_a_vector_does_not_depend_on_its_batch(bundle: Path) -> None:
    encoders = Encoders.load(bundle, threads=1)
    items = [ProductInput(draw(style, "blue"), "blue thing " * (1 + style)) for style in range(5)]
    items += [ProductInput(text="green"), ProductInput(draw(7, "black"))]
    together = encoders.embed(items)
    alone = np.concatenate([encoders.embed([item]) for item in items])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_bundle_says_what_it_is(bundle: Path) -> None:
    loaded = Bundle.load(bundle)
    assert (loaded.config.family, loaded.config.embedding_dim, loaded.preprocessor.fit) == ("cross", 32, "stretch")
    assert loaded.config.licence == "For tests only"
    assert loaded.config.thresholds.keys() >= {"m-m", "i-t"}
    card = (bundle / "README.md").read_text()
    assert "Drawn for tests." in card
    assert "| m-m |" in card


def test_what_is_no_number_or_of_another_shape_is_as_far_off_as_can_be() -> None:
    from models.export.parity import difference

    wanted = np.zeros((2, 3), np.float32)
    odd = (np.full((2, 3), np.nan, np.float32), np.zeros((2, 1), np.float32), wanted[:1])
    assert [difference(found, wanted) for found in odd] == [np.inf] * 3
    assert difference(wanted + np.float32(0.5), wanted) == 0.5


def test_what_fusion_makes_of_each_alone_is_added() -> None:
    torch = pytest.importorskip("torch")
    from models.export.summed import REACH, SummedFusion
    from models.training.config import NetworkConfig
    from models.training.network import FusionEncoder

    torch.manual_seed(0)
    fusion = FusionEncoder(NetworkConfig.model_validate(TINY["network"])).eval()
    summed = SummedFusion(fusion).eval()
    image, text = torch.randn(3, 5, 32), torch.randn(3, 4, 32)
    on, words = torch.ones(3, 5, dtype=torch.long), torch.tensor([[1, 1, 1, 0]] * 3)
    off, nothing = torch.zeros(3, 1, dtype=torch.long), torch.zeros(3, 1, 32)
    with torch.inference_mode():
        both, photo, told = (
            fusion(image, on, text, words), fusion(image, on, nothing, off), fusion(nothing, off, text, words)
        )  # fmt: skip
        torch.testing.assert_close(summed(image, on, nothing, off), photo)
        torch.testing.assert_close(summed(nothing, off, text, words), told)
        for bias, weight in ((0.0, 1.0), (9.0, 1 + REACH)):  # no number heard; many
            summed.numbers.bias.fill_(bias)
            wanted = torch.nn.functional.normalize(both + photo + weight * told, dim=1)
            torch.testing.assert_close(summed(image, on, text, words), wanted)


def test_numbers_are_heard_in_the_tokens() -> None:
    torch = pytest.importorskip("torch")
    from tokenizers import Tokenizer

    from models.export.summed import SummedFusion, hear_numbers
    from models.training.config import NetworkConfig
    from models.training.network import CrossEncoder, mean_token
    from models.training.run import TOKENIZER
    from models.training.texts import tokenise

    torch.manual_seed(0)
    model = CrossEncoder(NetworkConfig.model_validate(TINY["network"])).eval()
    summed, tokenizer = SummedFusion(model.fusion), Tokenizer.from_file(str(TOKENIZER))
    things = ["red mug", "oak table", "steel pot", "long blue coat", "ball bearing", "lamp"]
    texts = [f"{thing}{size}" for thing in things for size in ("", " with handle", " 12 x 28 mm", " 450 ml 9 cm")]
    hear_numbers(summed, model.text, tokenizer, texts, 32)
    ids = tokenise(tokenizer, texts, 32)
    with torch.inference_mode():
        heard = [
            float(summed.numbers(mean_token(model.text(row[None], on[None]), on[None])))
            for row, on in ((torch.tensor(one), torch.ones(len(one), dtype=torch.long)) for one in ids)
        ]
    with_numbers = [value for value, text in zip(heard, texts, strict=True) if any(c.isdigit() for c in text)]
    without = [value for value, text in zip(heard, texts, strict=True) if not any(c.isdigit() for c in text)]
    assert min(with_numbers) > max(without)
