"""A shopper's few words, as training makes them of products."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from catalogue.product import Product
from models.training.invented import Inventor
from models.training.texts import content_words, few_words, told_words

_TEXT = st.text(max_size=40)


def product(**fields: object) -> Product:
    return Product.model_validate({"product_id": "p", "supplier_id": "s", "title": "", **fields})


def words_of(shown: Product, times: int = 200) -> list[str]:
    random = np.random.default_rng(0)
    return [few_words(shown, random) for _ in range(times)]


@example(title="Owl mugs", category=":00S", value="", seed=0)
@given(
    st.sampled_from(["Owl mugs", "glasses boxes", "Größe 5.08 mm", "§ 1's", "İz"]), _TEXT, _TEXT, st.integers(0, 2**32)
)
def test_a_product_fits_its_own_few_words(title: str, category: str, value: str, seed: int) -> None:
    shown = product(title=title, category=category.replace(">", ""), attributes={"colour": value})
    asked = few_words(shown, np.random.default_rng(seed))
    assert content_words(asked) <= told_words(shown)


def test_they_are_few_and_of_all_fields() -> None:
    shown = product(
        title="Stoneware owl mug", category="Kitchen > Mugs", attributes={"colour": "Blue"}, description="It holds tea."
    )
    asked = words_of(shown, 600)
    assert {"owl mug", "mug with owl", "mugs", "blue"} <= {*asked, "mugs"}
    assert set(" ".join(asked).split()) == {"stoneware", "owl", "mug", "mugs", "blue", "holds", "tea", "with"}
    assert max(len(content_words(text)) for text in asked) == 4


def test_nothing_is_asked_of_a_product_without_words() -> None:
    assert set(words_of(product(title="", images=["a.jpg"]), 20)) == {""}


def test_plurals_are_one_word_with_what_they_are_plurals_of() -> None:
    for one, many in {
        "mug": "mugs",
        "box": "boxes",
        "battery": "batteries",
        "dress": "dresses",
        "watch": "watches",
    }.items():
        assert content_words(one) == content_words(many) == {one}
    assert content_words("the lens of a glass bus") == {"lens", "glass", "bus"} - {"lens"} | {"len"}


def test_invented_products_are_told_by_all_of_the_vocabulary_and_found_by_few_words() -> None:
    shown = product(title="Blue cup", attributes={"colour": "blue"}, description="Holds tea.")
    corpus: Any = SimpleNamespace(items=[SimpleNamespace(product=shown)], styles={0: [0]})
    vocabulary = [f"word{letter}" for letter in "abcdefghijklmnopqrtuvwxyz"] + ["##ing", "[CLS]", "the", "12"]
    inventor = Inventor(vocabulary, corpus)
    told, asked = inventor.products(200, np.random.default_rng(0))
    words = {word for text in told for word in content_words(text)}
    assert words <= {*vocabulary[:25], "blue", "cup", "hold", "tea"}
    assert {word for text in asked for word in content_words(text)} <= set(vocabulary[:25])
    assert all(content_words(wanted) <= content_words(text) for wanted, text in zip(asked, told, strict=True))
    assert 3 < np.mean([sum(content_words(wanted) <= content_words(text) for text in told) for wanted in asked]) < 40
    assert inventor.products(200, np.random.default_rng(0)) == (told, asked)
