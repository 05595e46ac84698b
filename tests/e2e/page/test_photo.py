"""Searching by photo: every way it comes in, and the part of it that counts."""

import base64
import re

import pytest
from playwright.sync_api import FilePayload, Locator, expect

from tests.e2e.page.shop import Shop, expect_photo

_GIVE = """async ([kind, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
        : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    document.body.dispatchEvent(event);
}"""


def give_by(shop: Shop, kind: str, photo: FilePayload) -> None:
    shop.page.evaluate(_GIVE, [kind, base64.b64encode(photo["buffer"]).decode()])


def drag(shop: Shop, control: Locator, right: float, down: float) -> None:
    box = control.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    shop.page.mouse.move(x, y)
    shop.page.mouse.down()
    shop.page.mouse.move(x + right / 2, y + down / 2, steps=3)
    shop.page.mouse.move(x + right, y + down, steps=3)
    shop.page.mouse.up()


def crop_of(shop: Shop) -> list[float]:
    shop.page.wait_for_url(re.compile("crop="))
    return [float(side) for side in shop.state()["crop"].split(",")]


def test_a_photo_finds_its_product_first_and_survives_a_reload(shop: Shop) -> None:
    product = shop.products(4)[3]
    shop.open().give(shop.photo_of(product))
    expect(shop.heading).to_have_text("Like your photo")
    expect(shop.cards().first.locator("h3")).to_have_text(product["title"])
    expect_photo(shop.page.locator(".crop img"))
    shop.page.reload()
    expect(shop.cards().first.locator("h3")).to_have_text(product["title"])
    expect_photo(shop.page.locator(".crop img"))


def test_the_camera_button_offers_the_camera_and_files(shop: Shop) -> None:
    shop.open()
    shop.page.get_by_role("button", name="Search by photo").click()
    taking = shop.page.locator("#take")
    assert (taking.get_attribute("capture"), taking.get_attribute("accept")) == ("environment", "image/*")
    with shop.page.expect_file_chooser() as chosen:
        shop.page.get_by_role("button", name="Choose a photo").click()
    chosen.value.set_files(shop.photo_of(shop.products(1)[0]))
    expect(shop.heading).to_have_text("Like your photo")
    expect(shop.page.locator("#camera-menu")).to_be_hidden()


def test_a_pasted_photo_and_a_dropped_one_are_searched_with(shop: Shop) -> None:
    shop.open()
    first, second = shop.products(2)
    give_by(shop, "paste", shop.photo_of(first))
    expect(shop.heading).to_have_text("Like your photo")
    expect(shop.cards().first.locator("h3")).to_have_text(first["title"])

    give_by(shop, "dragover", shop.photo_of(second))
    expect(shop.page.get_by_text("Drop a photo to find the product")).to_be_visible()
    give_by(shop, "drop", shop.photo_of(second))
    expect(shop.page.get_by_text("Drop a photo to find the product")).to_be_hidden()
    expect(shop.cards().first.locator("h3")).to_have_text(second["title"])


def test_where_to_drop_a_photo_is_seen_over_an_open_product(shop: Shop) -> None:
    product, other = shop.products(2)
    shop.open(product=product["product_id"])
    give_by(shop, "dragover", shop.photo_of(other))
    words = shop.page.get_by_text("Drop a photo to find the product")
    expect(words).to_be_visible()
    assert words.evaluate("words => words.parentElement.matches(':popover-open')")  # in the top layer, as the dialog is
    give_by(shop, "drop", shop.photo_of(other))
    expect(shop.dialog).to_be_hidden()
    expect(shop.cards().first.locator("h3")).to_have_text(other["title"])


@pytest.mark.heavy
def test_a_photo_and_words_search_together_and_clear_one_by_one(shop: Shop) -> None:
    photo = shop.photo_of(shop.products(1)[0])
    shop.open().give(photo)
    shop.find("white")
    shop.expect_products(shop.upload(photo, text="white"))
    expect(shop.chips).to_have_count(2)

    shop.page.get_by_role("button", name="Remove the photo").click()
    expect(shop.heading).to_have_text("Results for “white”")
    shop.page.go_back()
    expect(shop.chips).to_have_count(2)


def test_the_crop_box_is_resized_and_moved_by_mouse(shop: Shop) -> None:
    photo = shop.photo_of(shop.products(3)[2])
    shop.open().give(photo)
    size = shop.page.locator(".crop").bounding_box()
    assert size is not None
    with shop.page.expect_response("**/v1/search/upload"):
        drag(shop, shop.page.locator(".crop-handle.se"), -size["width"] / 2, -size["height"] / 2)
    x0, y0, x1, y1 = crop_of(shop)
    assert (x0, y0) == (0, 0)
    assert 0.4 < x1 < 0.6
    assert 0.4 < y1 < 0.6
    with shop.page.expect_response("**/v1/search/upload"):
        drag(shop, shop.page.locator(".crop-box"), size["width"] / 4, size["height"])
    expect(shop.page.locator(".crop")).to_be_visible()
    shop.settled()
    moved = crop_of(shop)
    assert 0.2 < moved[0] < 0.3
    assert moved[3] == 1  # not beyond the photo
    assert abs((moved[2] - moved[0]) - x1) < 0.01
    shop.expect_products(shop.upload(photo, crop=str(moved)))

    shop.page.go_back()
    expect(shop.page.locator(".crop")).to_have_css("--x1", str(x1))
    shop.page.get_by_role("button", name="Whole photo").click()
    shop.expect_products(shop.upload(photo))
    assert "crop" not in shop.state()


@pytest.mark.heavy
def test_the_crop_box_obeys_the_keyboard_in_one_step_back(shop: Shop) -> None:
    shop.open().give(shop.photo_of(shop.products(1)[0]))
    corner = shop.page.get_by_role("button", name="Its top left corner")
    corner.focus()
    for key in ("Shift+ArrowRight", "ArrowRight", "Shift+ArrowDown"):
        shop.page.keyboard.press(key)
    assert crop_of(shop) == [0.12, 0.1, 1, 1]
    frame = shop.page.get_by_role("button", name="The part of the photo to search with")
    frame.focus()
    shop.page.keyboard.press("ArrowLeft")
    shop.page.wait_for_url(re.compile("crop=0.1%2C"))
    assert crop_of(shop) == [0.1, 0.1, 0.98, 1]
    shop.page.go_back()
    assert crop_of(shop) == [0.12, 0.1, 1, 1]
    shop.page.go_back()
    expect(shop.page.get_by_role("button", name="Whole photo")).to_be_hidden()


@pytest.mark.heavy
def test_a_shared_link_with_a_photo_says_that_the_photo_is_missing(shop: Shop) -> None:
    shop.visit(photo="elsewhere", q="white")
    note = shop.page.get_by_role("status").filter(has_text="not on this device any more")
    expect(note).to_be_visible()
    with shop.page.expect_file_chooser() as chosen:
        note.get_by_role("button", name="Choose the photo").click()
    photo = shop.photo_of(shop.products(1)[0])
    chosen.value.set_files(photo)
    shop.expect_products(shop.upload(photo, text="white"))
