"""The page on a small phone and a desktop, light and dark, for everyone: axe finds nothing serious."""

import re
from collections.abc import Callable
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.page.shop import Shop

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def serious(shop: Shop) -> list[tuple[str, list[Any]]]:
    """What axe finds that keeps people out."""
    found = Axe().run(shop.page).response["violations"]
    return [
        (rule["id"], [node["html"][:200] for node in rule["nodes"]])
        for rule in found
        if rule["impact"] in {"serious", "critical"}
    ]


def catalogue(shop: Shop) -> None:
    shop.open()


def product(shop: Shop) -> None:
    shop.open(product=shop.product_with_both_tabs()["product_id"])
    expect(shop.cards("#panel-same").first).to_be_visible()


def search_by_photo(shop: Shop) -> None:
    shop.open().give(shop.photo_of(shop.products(1)[0]))
    shop.find("white")
    shop.cards().first.hover()
    shop.cards().first.get_by_role("button", name="Less like this").click()
    shop.settled()
    shop.page.get_by_label("Why these?").check()
    expect(shop.page.locator(".apart").first).to_be_visible()


def camera(shop: Shop) -> None:
    shop.open()
    shop.page.get_by_role("button", name="Search by photo").click()


def nothing(shop: Shop) -> None:
    shop.visit(supplier="bluepeak", currency="USD")
    expect(shop.page.get_by_role("button", name="Clear the filters")).to_be_visible()


def failed_photo(shop: Shop) -> None:
    shop.open()
    shop.page.get_by_label("Search by photo", exact=True).set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b""}
    )
    expect(shop.alert).to_be_visible()


STATES = [catalogue, product, search_by_photo, camera, nothing, failed_photo]


def test_axe_finds_nothing_serious_in_a_search(shop: Shop) -> None:
    """The state with the most to get wrong, in both schemes."""
    search_by_photo(shop)
    for scheme in SCHEMES:
        shop.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert serious(shop) == []


@pytest.mark.heavy
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing_serious_on_a_phone(shop: Shop, state: Callable[[Shop], None], scheme: Scheme) -> None:
    shop.page.set_viewport_size({"width": 360, "height": 740})
    shop.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    state(shop)
    assert serious(shop) == []


def test_a_small_phone_never_scrolls_sideways(shop: Shop) -> None:
    shop.page.set_viewport_size({"width": 360, "height": 740})
    for state in (product, search_by_photo, nothing):
        state(shop)
        for part in ("html", "#product-body"):
            assert shop.page.locator(part).evaluate("part => part.scrollWidth - part.clientWidth") == 0


def test_the_page_is_light_or_dark_as_the_device_is(shop: Shop) -> None:
    shop.open()
    for scheme in SCHEMES:
        shop.page.emulate_media(color_scheme=scheme)
        background = shop.page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        brightness = max(int(number) for number in re.findall(r"\d+", background))
        assert (brightness < 60) == (scheme == "dark")


def test_the_keyboard_alone_reaches_search_camera_and_products(shop: Shop) -> None:
    shop.open()
    reached = []
    for _ in range(6):
        shop.page.keyboard.press("Tab")
        reached.append(shop.page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert reached[:5] == ["skip", "brand", "words", "camera", ""]
    shop.page.locator("#skip").focus()
    shop.page.keyboard.press("Enter")
    expect(shop.page.locator("#results")).to_be_focused()


def test_what_is_chosen_is_seen_where_colours_are_forced(shop: Shop) -> None:
    shop.page.emulate_media(forced_colors="active")
    product(shop)
    for alike in ("[role=tab]", "#categories a"):
        colours = "all => all.map((one) => getComputedStyle(one).backgroundColor)"
        chosen, *others = shop.page.locator(alike).evaluate_all(colours)
        assert chosen not in others
    shop.page.keyboard.press("Escape")
    shop.words.focus()
    assert shop.page.locator(".search").evaluate("search => getComputedStyle(search).outlineStyle") == "solid"
