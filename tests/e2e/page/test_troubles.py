"""What the page says where something goes wrong, and what it offers to do."""

import re
import struct
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Route, expect

from tests.e2e.page.shop import Shop, expect_photo


def refuse(status: int, detail: str, times: int = 1, headers: dict[str, str] | None = None) -> Any:
    """A route that answers with a problem, and then lets requests through."""
    left = [times]

    def answer(route: Route) -> None:
        left[0] -= 1
        if left[0] < 0:
            route.continue_()
            return
        route.fulfill(status=status, json={"status": status, "detail": detail}, headers=headers)

    return answer


def choose(shop: Shop, photo: FilePayload | Path) -> None:
    shop.page.get_by_label("Search by photo", exact=True).set_input_files(photo)


def test_a_text_renamed_to_jpg_is_told(troubled: Shop, tmp_path: Path) -> None:
    troubled.open()
    text = tmp_path / "holiday.jpg"
    text.write_text("not a photo")
    with troubled.page.expect_response("**/v1/search/upload") as answered:
        choose(troubled, text)
    assert answered.value.status == 422
    expect(troubled.alert).to_contain_text(answered.value.json()["detail"])
    expect(troubled.alert.get_by_role("button", name="Choose another photo")).to_be_visible()

    troubled.page.get_by_role("button", name="Remove the photo").click()
    expect(troubled.cards().first).to_be_visible()
    expect(troubled.alert).to_be_hidden()


def test_a_heic_photo_is_told_with_what_to_do(shop: Shop) -> None:
    shop.open()
    heic = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(1_000)
    choose(shop, {"name": "IMG_1.HEIC", "mimeType": "image/heic", "buffer": heic})
    expect(shop.alert).to_contain_text("HEIC")
    expect(shop.alert).to_contain_text("Save it as JPEG")
    with shop.page.expect_file_chooser():
        shop.alert.get_by_role("button", name="Choose another photo").click()
    expect(shop.cards().first).to_be_visible()  # what was there stays


@pytest.mark.heavy
def test_an_empty_file_is_told(shop: Shop) -> None:
    shop.open()
    choose(shop, {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b""})
    expect(shop.alert).to_contain_text("empty")


def test_a_photo_of_40_mb_is_made_smaller_and_found(shop: Shop, tmp_path: Path) -> None:
    product = shop.products(1)[0]
    shop.open()
    large = tmp_path / "large.jpg"
    jpeg = shop.photo_of(product)["buffer"]
    comment = b"\xff\xfe" + struct.pack(">H", 65_535) + bytes(65_533)
    large.write_bytes(jpeg[:2] + comment * 620 + jpeg[2:])
    assert large.stat().st_size > 40_000_000
    with shop.page.expect_response("**/v1/search/upload") as answered:
        choose(shop, large)
    assert answered.value.ok  # the service would refuse it as it is
    expect(shop.cards().first.locator("h3")).to_have_text(product["title"])


@pytest.mark.heavy
def test_40_mb_that_are_no_photo_are_not_sent(shop: Shop, tmp_path: Path) -> None:
    shop.open()
    large = tmp_path / "large.jpg"
    large.write_bytes(b"x" * 40_000_000)
    choose(shop, large)
    expect(shop.alert).to_contain_text("over 20 MB")
    expect(shop.alert.get_by_role("button", name="Choose another photo")).to_be_visible()


@pytest.mark.heavy
def test_an_unreachable_service_is_told_and_asked_again_by_hand(troubled: Shop) -> None:
    troubled.open()
    troubled.page.route("**/v1/search", lambda route: route.abort())
    troubled.find("mug")
    expect(troubled.alert).to_contain_text("cannot be reached")
    troubled.page.unroute("**/v1/search")
    troubled.page.get_by_role("button", name="Try again").click()
    troubled.expect_products(troubled.search(text="mug"))


def test_a_lost_connection_is_told_and_what_was_asked_comes_with_the_next_one(troubled: Shop) -> None:
    troubled.open()
    troubled.page.context.set_offline(True)
    troubled.find("mug")
    expect(troubled.alert).to_contain_text("Check your connection")
    troubled.page.context.set_offline(False)
    troubled.expect_products(troubled.search(text="mug"))
    expect(troubled.alert).to_be_hidden()


def test_photos_that_were_missed_offline_come_with_the_connection(troubled: Shop) -> None:
    troubled.open()
    last = troubled.cards().last
    troubled.page.context.set_offline(True)
    last.scroll_into_view_if_needed()
    expect(last.locator(".no-photo")).to_be_visible()
    troubled.page.context.set_offline(False)
    expect_photo(last.locator("img"))


def test_an_overloaded_service_is_asked_again_when_it_said(troubled: Shop) -> None:
    first = refuse(429, "Too many", times=2, headers={"Retry-After": "1"})  # products, and what they can be filtered by
    troubled.page.route("**/v1/products?*", first)
    troubled.visit()
    expect(troubled.alert).to_contain_text("Trying again in a second.")
    expect(troubled.page.get_by_role("navigation", name="Categories").get_by_role("link").nth(1)).to_be_visible()
    troubled.page.unroute("**/v1/products?*")
    expect(troubled.cards().first).to_be_visible()
    troubled.page.route("**/v1/search", refuse(429, "Too many", headers={"Retry-After": "1"}))
    troubled.find("mug")
    expect(troubled.alert).to_contain_text("Many people are asking right now. Trying again in a second.")
    troubled.expect_products(troubled.search(text="mug"))


def test_an_empty_catalogue_is_told(shop: Shop) -> None:
    facets: dict[str, Any] = {"category": [], "supplier": [], "price": [], "currency": [], "in_stock": []}
    empty = {"snapshot": "none", "total": 0, "products": [], "facets": facets, "next_cursor": None}
    shop.page.route("**/v1/products?**", lambda route: route.fulfill(json=empty))
    shop.visit()
    expect(shop.page.get_by_role("status").filter(has_text="nothing in this shop yet")).to_be_visible()
    expect(shop.page.get_by_role("button", name="Look again")).to_be_visible()
    for choice in ("#supplier", "#stock"):  # of nothing
        expect(shop.page.locator(choice)).to_be_hidden()


@pytest.mark.heavy
def test_a_catalogue_that_changes_while_it_is_paged_is_told(troubled: Shop) -> None:
    troubled.open()
    troubled.page.route("**/v1/products?*cursor=*", refuse(410, "The catalogue has changed.", times=9))
    troubled.page.get_by_role("button", name="Show more").click()
    expect(troubled.alert).to_contain_text("The catalogue has changed.")
    expect(troubled.cards()).to_have_count(48)


def test_a_deleted_product_in_the_history_is_told(troubled: Shop) -> None:
    troubled.open()
    product = troubled.products(1)[0]
    troubled.cards().first.locator("h3 a").click()
    expect(troubled.dialog).to_be_visible()
    troubled.page.keyboard.press("Escape")
    expect(troubled.page).not_to_have_url(re.compile("product="))  # the dialog is hidden a moment before
    address = f"**/v1/products/{product['product_id']}"
    troubled.page.route(address, refuse(404, "There is no such product.", times=9))
    troubled.page.go_back()
    expect(troubled.dialog.get_by_role("alert")).to_contain_text("not in the catalogue any more")
    troubled.page.get_by_role("button", name="Back to the other products").click()
    expect(troubled.dialog).to_be_hidden()
    expect(troubled.cards().first).to_be_visible()


@pytest.mark.heavy
@pytest.mark.parametrize(("words", "way_out"), [("frog", "Search with the words alone"), ("", "See all products")])
def test_a_search_from_a_deleted_product_is_told(troubled: Shop, words: str, way_out: str) -> None:
    troubled.visit(like="no-such-product", q=words)
    expect(troubled.alert).to_contain_text("no longer in the catalogue")
    troubled.page.get_by_role("button", name=way_out).click()
    expect(troubled.cards().first).to_be_visible()


@pytest.mark.heavy
def test_a_deleted_product_to_be_unlike_does_not_matter(troubled: Shop) -> None:
    troubled.open(q="mug", less="no-such-product")
    expect(troubled.chips).to_have_count(2)


@pytest.mark.heavy
def test_a_service_that_takes_no_events_goes_unnoticed(troubled: Shop) -> None:
    troubled.page.route("**/v1/events", refuse(404, "There is no such route.", times=99))
    asked: list[str] = []
    troubled.page.on("request", lambda request: asked.append(request.url) if "events" in request.url else None)
    troubled.open()
    with troubled.page.expect_response("**/v1/events"):
        troubled.find("mug")
    troubled.cards().first.locator("h3 a").click()
    expect(troubled.cards("#panel-similar").first).to_be_attached()
    assert troubled.alert.count() == 0
    assert len([url for url in asked if url.endswith("/v1/events")]) == 1
