"""The web page in a real browser, on the running service."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import urlencode

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Response, Route, expect


class Gateway(Protocol):
    url: str


@pytest.fixture
def quiet(page: Page, gateway: Gateway) -> Iterator[Page]:
    """A page that must neither complain nor ask anyone but the service."""
    complaints: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    yield page
    assert complaints == []
    assert [url for url in asked if not url.startswith((f"{gateway.url}/", "blob:"))] == []


def ask(page: Page, gateway: Gateway, path: str) -> dict[str, Any]:
    """What the service answers, for comparison."""
    answer = page.request.get(gateway.url + path)
    assert answer.ok, answer.text()
    return cast("dict[str, Any]", answer.json())


def cards(page: Page, within: str = "#grid") -> Locator:
    return page.locator(f"{within} .card:not(.skeleton)")


def expect_names(found: Locator, products: list[dict[str, Any]]) -> None:
    expect(found.locator("h3")).to_have_text([product["title"] or product["product_id"] for product in products])


def expect_photo(photo: Locator) -> None:
    """It arrives and can be decoded."""
    photo.scroll_into_view_if_needed()
    photo.evaluate("image => image.decode()")
    assert photo.evaluate("image => image.naturalWidth") > 0
    assert photo.get_attribute("alt")


def open_shop(page: Page, gateway: Gateway, **state: str) -> None:
    page.goto(f"{gateway.url}/#{urlencode(state)}" if state else f"{gateway.url}/")
    expect(cards(page).first).to_be_visible()


def find(page: Page, words: str) -> None:
    page.get_by_role("searchbox", name="Search by words").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator("#grid")).not_to_have_attribute("aria-busy", "true")


def photo_of(page: Page, gateway: Gateway, product: dict[str, Any]) -> FilePayload:
    answer = page.request.get(f"{gateway.url}{product['image_url']}&w=1280")
    assert answer.ok
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": answer.body()}


def product_with_both_tabs(page: Page, gateway: Gateway) -> dict[str, Any]:
    for product in ask(page, gateway, "/v1/products?limit=50")["products"]:
        tabs = [f"/v1/products/{product['product_id']}/{tab}" for tab in ("same-style", "similar")]
        if all(ask(page, gateway, tab)["hits"] for tab in tabs):
            return cast("dict[str, Any]", product)
    pytest.fail("no product has both the same from more suppliers and similar ones")


def test_the_grid_shows_the_catalogue_with_photos(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    expected = ask(quiet, gateway, "/v1/products?limit=48")
    expect_names(cards(quiet), expected["products"])
    expect(quiet.get_by_role("status").filter(has_text=f"of {expected['total']:,} products")).to_be_visible()
    for photo in cards(quiet).locator("img").all()[:8]:
        expect_photo(photo)
    prices = cards(quiet).locator(".price").all_inner_texts()
    assert any(re.search(r"[$€£¥]\s?\d", price) for price in prices)


def test_more_products_follow_and_keep_the_keyboard_in_place(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    before = cards(quiet).count()
    quiet.get_by_role("button", name="Show more").click()
    expect(cards(quiet).nth(before)).to_be_visible()
    expect(cards(quiet).nth(before).get_by_role("link")).to_be_focused()
    ids = cards(quiet).locator("a").evaluate_all("links => links.map(link => link.href)")
    assert len(ids) == len(set(ids))


def test_category_supplier_and_sort_narrow_and_order_the_grid(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    quiet.get_by_role("navigation", name="Categories").get_by_role("link").nth(1).click()
    quiet.wait_for_url(re.compile("category="))
    quiet.get_by_label("Sort by").select_option("-price")
    quiet.get_by_label("Supplier").select_option(index=1)
    chosen = quiet.evaluate("Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")
    assert set(chosen) == {"category", "sort", "supplier"}
    expected = ask(quiet, gateway, f"/v1/products?limit=48&{urlencode(chosen)}")
    assert expected["products"]
    expect_names(cards(quiet), expected["products"])

    quiet.go_back()
    quiet.go_back()
    quiet.go_back()
    expect_names(cards(quiet), ask(quiet, gateway, "/v1/products?limit=48")["products"])


def test_words_find_products(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    words = cards(quiet).nth(5).locator("h3").inner_text()
    find(quiet, words)
    expect(quiet.get_by_role("heading", level=1)).to_have_text(f"Results for “{words}”")
    answer = quiet.request.post(f"{gateway.url}/v1/search", data={"text": words, "k": 60})
    expect_names(cards(quiet), answer.json()["hits"])
    expect_photo(cards(quiet).first.locator("img"))

    quiet.get_by_role("button", name="Remove the words").click()
    expect(quiet.get_by_role("heading", level=1)).to_have_text("All products")
    expect(quiet.get_by_role("searchbox")).to_have_value("")


def test_a_photo_finds_its_product_first(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    product = ask(quiet, gateway, "/v1/products?limit=4")["products"][3]
    quiet.get_by_label("Search by photo").set_input_files(photo_of(quiet, gateway, product))
    expect(quiet.get_by_role("heading", level=1)).to_have_text("Like your photo")
    expect(cards(quiet).first.locator("h3")).to_have_text(product["title"])
    expect_photo(quiet.get_by_role("list", name="Your search").locator("img"))


def test_a_photo_and_words_search_together_and_clear_one_by_one(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    product = ask(quiet, gateway, "/v1/products?limit=1")["products"][0]
    photo = photo_of(quiet, gateway, product)
    quiet.get_by_label("Search by photo").set_input_files(photo)
    expect(quiet.get_by_role("button", name="Remove the photo")).to_be_visible()
    find(quiet, "white")
    form: dict[str, str | float | bool | bytes | FilePayload] = {"image": photo, "text": "white", "k": "60"}
    expect_names(cards(quiet), quiet.request.post(f"{gateway.url}/v1/search/upload", multipart=form).json()["hits"])
    chips = quiet.get_by_role("list", name="Your search").get_by_role("listitem")
    expect(chips).to_have_count(2)

    quiet.get_by_role("button", name="Remove the photo").click()
    expect(quiet.get_by_role("heading", level=1)).to_have_text("Results for “white”")
    quiet.go_back()
    expect(chips).to_have_count(2)


def test_a_pasted_photo_is_searched_with(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    quiet.evaluate(
        """async () => {
            const photo = await (await fetch(document.querySelector("#grid img").src)).blob();
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([photo], "pasted.jpg", { type: "image/jpeg" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }"""
    )
    expect(quiet.get_by_role("heading", level=1)).to_have_text("Like your photo")
    expect(cards(quiet).first).to_be_visible()


def test_a_product_opens_with_both_tabs(quiet: Page, gateway: Gateway) -> None:
    product = product_with_both_tabs(quiet, gateway)
    address = f"/v1/products/{product['product_id']}"
    open_shop(quiet, gateway, product=product["product_id"])
    dialog = quiet.get_by_role("dialog", name=product["title"])
    expect(dialog).to_be_visible()
    expect_photo(dialog.locator(".product img"))
    for text in (product["supplier_id"], *product["attributes"].values()):
        expect(dialog.locator(".about")).to_contain_text(text)

    expect_names(cards(quiet, "#panel-same"), ask(quiet, gateway, f"{address}/same-style?k=24")["hits"])
    expect_photo(cards(quiet, "#panel-same").locator("img").first)
    same = dialog.get_by_role("tab", name="From more suppliers")
    expect(same).to_have_attribute("aria-selected", "true")

    same.focus()
    quiet.keyboard.press("ArrowRight")
    similar = dialog.get_by_role("tab", name="Similar products")
    expect(similar).to_be_focused()
    expect(similar).to_have_attribute("aria-selected", "true")
    expect(quiet.locator("#panel-same")).to_be_hidden()
    expect_names(cards(quiet, "#panel-similar"), ask(quiet, gateway, f"{address}/similar?k=24")["hits"])
    expect_photo(cards(quiet, "#panel-similar").locator("img").first)


def test_the_back_button_goes_from_product_to_product_to_grid(quiet: Page, gateway: Gateway) -> None:
    product = product_with_both_tabs(quiet, gateway)
    open_shop(quiet, gateway)
    quiet.evaluate("address => location.hash = address", urlencode({"product": product["product_id"]}))
    title = quiet.locator("#product-title")
    expect(title).to_have_text(product["title"])

    first = cards(quiet, "#panel-same").first.get_by_role("link")
    other = first.inner_text()
    first.click()
    expect(title).to_have_text(other)
    expect(quiet).to_have_title(f"{other} | samestyle")
    quiet.reload()
    expect(title).to_have_text(other)
    quiet.go_back()
    expect(title).to_have_text(product["title"])
    quiet.go_back()
    expect(quiet.get_by_role("dialog")).to_be_hidden()
    expect(quiet).to_have_title("samestyle")


def test_a_card_opens_by_keyboard_and_escape_closes(quiet: Page, gateway: Gateway) -> None:
    open_shop(quiet, gateway)
    link = cards(quiet).nth(2).get_by_role("link")
    link.focus()
    quiet.keyboard.press("Enter")
    expect(quiet.get_by_role("dialog", name=link.inner_text())).to_be_visible()
    quiet.keyboard.press("Escape")
    expect(quiet.get_by_role("dialog")).to_be_hidden()
    expect(link).to_be_focused()
    assert quiet.url == f"{gateway.url}/"


def test_what_the_service_cannot_do_is_told(page: Page, gateway: Gateway, tmp_path: Path) -> None:
    open_shop(page, gateway)
    text = tmp_path / "holiday.jpg"
    text.write_text("not a photo")
    with page.expect_response("**/v1/search/upload") as answered:
        page.get_by_label("Search by photo").set_input_files(text)
    assert answered.value.status == 422
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(answered.value.json()["detail"])
    expect(alert.get_by_role("button", name="Choose another photo")).to_be_visible()

    page.get_by_role("button", name="Remove the photo").click()
    expect(cards(page).first).to_be_visible()
    expect(alert).to_be_hidden()


def test_an_unknown_product_is_told(page: Page, gateway: Gateway) -> None:
    open_shop(page, gateway, product="no-such-product")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("no-such-product")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_an_unreachable_service_is_told_and_tried_again(page: Page, gateway: Gateway) -> None:
    open_shop(page, gateway)
    page.route("**/v1/search", lambda route: route.abort())
    find(page, "mug")
    expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    page.unroute("**/v1/search")
    page.get_by_role("button", name="Try again").click()
    expect(cards(page).first).to_be_visible()


def test_data_is_shown_as_text_and_missing_parts_have_a_stand_in(quiet: Page, gateway: Gateway) -> None:
    nasty = "<img src=x onerror=alert(1)><b>bold</b>"
    plain = {
        "product_id": nasty, "title": nasty, "description": nasty, "category": nasty, "supplier_id": nasty,
        "price": None, "currency": None, "in_stock": None, "attributes": {nasty: nasty}, "image_url": None,
        "url": "javascript:alert(1)",
    }  # fmt: skip
    odd = {**plain, "product_id": "odd", "title": "", "price": 2.5, "currency": "doubloons"}

    def answer(route: Route) -> None:
        path = route.request.url.split("?")[0]
        listing = {"total": 2, "products": [plain, odd], "facets": {}, "next_cursor": None}
        listing["facets"] = {"category": [{"value": nasty, "count": 2}], "supplier": [{"value": nasty, "count": 2}]}
        route.fulfill(json=listing if path.endswith("/products") else {**plain, "hits": [plain]})

    quiet.route("**/v1/**", answer)
    open_shop(quiet, gateway)
    expect(cards(quiet).first.locator("h3")).to_have_text(nasty)
    expect(cards(quiet).first.get_by_role("img", name="No photo")).to_be_visible()
    expect(cards(quiet).first.locator(".price")).to_have_text("Price on request")
    expect(cards(quiet).nth(1).locator("h3")).to_have_text("odd")
    expect(cards(quiet).nth(1).locator(".price")).to_have_text("2.5 doubloons")
    cards(quiet).first.get_by_role("link").click()
    expect(quiet.locator("#product-title")).to_have_text(nasty)
    expect(cards(quiet, "#panel-same").locator("h3")).to_have_text(nasty)
    assert quiet.locator("main img, main b, dialog img").count() == 0
    assert quiet.locator("a[href^=javascript]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_phone_never_scrolls_sideways(quiet: Page, gateway: Gateway, scheme: str) -> None:
    quiet.set_viewport_size({"width": 360, "height": 740})
    quiet.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    product = product_with_both_tabs(quiet, gateway)
    open_shop(quiet, gateway, product=product["product_id"])
    expect(cards(quiet, "#panel-same").first).to_be_visible()
    for part in ("html", "#product-body"):
        assert quiet.locator(part).evaluate("part => part.scrollWidth - part.clientWidth") == 0
    background = quiet.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    brightness = max(int(number) for number in re.findall(r"\d+", background))
    assert (brightness < 60) == (scheme == "dark")


def test_the_first_view_is_light(quiet: Page, gateway: Gateway) -> None:
    answers: list[Response] = []

    def collect(answer: Response) -> None:
        answers.append(answer)

    quiet.on("response", collect)
    open_shop(quiet, gateway)
    quiet.wait_for_load_state("networkidle")
    assert sum(len(answer.body()) for answer in answers if answer.request.resource_type != "image") < 200_000


def test_the_api_description_is_shown_without_a_network(quiet: Page, gateway: Gateway) -> None:
    quiet.goto(f"{gateway.url}/docs")
    expect(quiet.locator(".opblock-summary-path").first).to_have_text("/v1/search")
    assert quiet.locator(".opblock").count() >= 9


def test_the_description_of_the_api_is_a_page_too(quiet: Page, gateway: Gateway) -> None:
    quiet.goto(f"{gateway.url}/docs")
    expect(quiet.locator(".opblock").first).to_be_visible()
    expect(quiet.get_by_text("/v1/search", exact=True).first).to_be_visible()
