"""The grid in a real browser, on the running service: browsing, filters, paging, search by words."""

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Response, Route, expect

from tests.e2e.page.shop import Shop, expect_photo


def test_the_grid_shows_the_catalogue_with_photos(shop: Shop) -> None:
    shop.open()
    expected = shop.ask("/v1/products?limit=48")
    shop.expect_products(expected["products"])
    expect(shop.page.get_by_role("status").filter(has_text=f"of {expected['total']:,} products")).to_be_visible()
    for photo in shop.cards().locator("img").all()[:8]:
        expect_photo(photo)
    prices = shop.cards().locator(".price").all_inner_texts()
    assert any(re.search(r"[$€£¥]\s?\d", price) for price in prices)


@pytest.mark.heavy
def test_photos_are_lazy_and_as_wide_as_they_are_shown(shop: Shop) -> None:
    shop.open()
    for photo in shop.cards().locator("img").all()[:4]:
        assert photo.get_attribute("loading") == "lazy"
        assert re.search(r"w=320 1x, .*w=640 2x", photo.get_attribute("srcset") or "")
    far = shop.cards().locator("img").last
    assert far.evaluate("image => image.currentSrc") == ""


def test_more_products_follow_and_keep_the_keyboard_in_place(shop: Shop) -> None:
    shop.open()
    more = shop.page.get_by_role("button", name="Show more")
    more.click()
    expect(shop.cards().nth(48)).to_be_visible()
    expect(shop.cards().nth(48).locator("h3 a")).to_be_focused()
    ids = shop.ids()
    assert ids == [product["product_id"] for product in shop.products(96)]

    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    shop.page.route("**/v1/products?*cursor=*", hold)
    with shop.page.expect_request("**/v1/products?*cursor=*"):
        more.click()
    shop.page.get_by_label("Sort by").select_option("title")  # before they came
    shop.settled()
    expect(more).to_be_enabled()
    for route in held:
        route.abort()


def test_facets_and_sort_narrow_and_order_the_grid_and_the_way_back_is_open(shop: Shop) -> None:
    product = shop.products(1)[0]["product_id"]
    shop.open(product=product)
    shop.page.keyboard.press("Escape")
    expect(shop.page.get_by_label("In stock")).to_be_visible()
    expect(shop.page).not_to_have_url(re.compile("product="))
    shop.page.get_by_label("Sort by").select_option("-price")
    expect(shop.page).to_have_url(re.compile("sort="))
    shop.settled()  # the categories are drawn anew with the products
    category = shop.page.get_by_role("navigation", name="Categories").get_by_role("link").nth(1)
    category.press("Enter")
    shop.page.wait_for_url(re.compile("category="))
    expect(category).to_have_attribute("aria-current", "true")
    expect(category).to_be_focused()
    shop.page.get_by_label("Supplier", exact=True).select_option(index=1)
    chosen = shop.state()
    assert set(chosen) == {"category", "sort", "supplier"}
    expected = shop.ask(f"/v1/products?limit=48&{urlencode(chosen)}")
    assert expected["products"]
    shop.expect_products(expected["products"])

    for _ in range(3):
        shop.page.go_back()
    shop.expect_products(shop.products())


@pytest.mark.heavy
def test_a_price_range_is_one_of_a_currency(shop: Shop) -> None:
    shop.open()
    shop.page.get_by_label("Currency").select_option("USD")
    price = shop.page.get_by_label("Price", exact=True)
    expect(price.locator("option").nth(2)).to_contain_text("$")
    price.select_option(index=2)
    low, high = (float(end) for end in shop.state()["price"].split(".."))
    shop.settled()
    query = urlencode({"limit": 48, "filter": f"currency=USD price={low}..{high}"})
    expected = shop.ask(f"/v1/products?{query}")["products"]
    assert expected
    shop.expect_products(expected)
    assert all(low <= product["price"] <= high for product in expected)


def test_prices_of_several_currencies_are_not_compared_unsaid(shop: Shop) -> None:
    shop.open()
    price = shop.page.get_by_label("Price", exact=True)
    expect(shop.page.get_by_label("Currency")).to_be_visible()
    expect(price).to_be_hidden()  # ranges of what?
    shop.page.get_by_label("Sort by").select_option("price")
    said = shop.page.get_by_text(re.compile(r"Prices are in \d currencies"))
    expect(said).to_be_visible()
    shop.page.get_by_label("Currency").select_option("USD")
    expect(price).to_be_visible()
    expect(said).to_be_hidden()


@pytest.mark.heavy
def test_filters_that_leave_nothing_can_be_cleared(shop: Shop) -> None:
    shop.visit(supplier="bluepeak", currency="USD")
    expect(shop.page.get_by_role("status").filter(has_text="No product matches")).to_be_visible()
    shop.page.get_by_role("button", name="Clear the filters").click()
    shop.expect_products(shop.products())


def test_words_find_products(shop: Shop) -> None:
    shop.open()
    words = shop.cards().nth(5).locator("h3").inner_text()
    shop.page.evaluate("scrollTo(0, 9999)")
    shop.find(words)
    shop.page.wait_for_function("scrollY === 0")  # at the best match
    expect(shop.heading).to_have_text(f"Results for “{words}”")
    shop.expect_products(shop.search(text=words))
    expect_photo(shop.cards().first.locator("img"))

    shop.page.get_by_role("button", name="Remove the words").click()
    expect(shop.heading).to_have_text("All products")
    expect(shop.words).to_have_value("")


@pytest.mark.heavy
def test_a_search_has_more_pages_and_filters(shop: Shop) -> None:
    shop.open()
    shop.find("mug")
    expect(shop.page.locator("#count")).to_have_text("The best 48 matches")  # there are more
    shop.page.get_by_label("Supplier").select_option("kestrel")
    shop.expect_products(shop.search(text="mug", filters={"suppliers": ["kestrel"]}))
    shop.page.get_by_role("button", name="Show more").click()
    hits = shop.search(text="mug", filters={"suppliers": ["kestrel"]}, k=96)
    shop.expect_products(hits)


_SHIFTS = """new PerformanceObserver((seen) => {
    for (const shift of seen.getEntries()) window.shifted = (window.shifted ?? 0) + shift.value;
}).observe({ type: "layout-shift", buffered: true })"""


def test_the_first_view_is_light_and_stays_where_it_is(shop: Shop) -> None:
    shop.page.set_viewport_size({"width": 360, "height": 740})
    shop.page.add_init_script(_SHIFTS)
    answers: list[Response] = []

    def collect(answer: Response) -> None:
        answers.append(answer)

    shop.page.on("response", collect)
    shop.open()
    shop.page.wait_for_load_state("networkidle")
    assert sum(len(answer.body()) for answer in answers if answer.request.resource_type != "image") < 200_000
    scripts = {answer.url.removeprefix(shop.url) for answer in answers if answer.request.resource_type == "script"}
    links = "links => links.map((link) => link.getAttribute('href'))"
    ahead = set(shop.page.locator("link[rel=modulepreload]").evaluate_all(links))
    assert ahead == scripts - {"/web/main.js"}  # none waits for another to be read
    assert shop.page.evaluate("window.shifted ?? 0") < 0.05


def test_the_description_of_the_api_is_a_page_too_without_a_network(shop: Shop) -> None:
    shop.page.goto(f"{shop.url}/docs")
    expect(shop.page.locator(".opblock-summary-path").first).to_have_text("/v1/search")
    expect(shop.page.get_by_text("/v1/search", exact=True).first).to_be_visible()
    assert shop.page.locator(".opblock").count() >= 9


def test_a_scanned_barcode_finds_its_listings(shop: Shop) -> None:
    shop.open()
    codes = {"scanned-1": {"EAN": "4006381333931"}, "scanned-2": {"upc": "0-40063 8133393-1"}}
    try:
        for product_id, attributes in codes.items():
            body = {"title": "Highlighter, yellow", "supplier_id": product_id, "attributes": attributes}
            assert shop.page.request.put(f"{shop.url}/v1/products/{product_id}", data=body).ok
        shop.find("4006381333931")
        expect(shop.page.get_by_role("heading", name="Barcode 4006381333931")).to_be_visible()
        expect(shop.cards()).to_have_count(2)
        assert sorted(shop.ids()) == sorted(codes)
        shop.page.get_by_label("Supplier").select_option("scanned-2")
        expect(shop.cards()).to_have_count(1)
        shop.find("9783161484100")
        expect(shop.page.get_by_text("No product has this barcode.")).to_be_visible()
        shop.page.get_by_role("button", name="See all products").press("Enter")
        expect(shop.page.locator("#results")).to_be_focused()  # the button is gone
    finally:
        for product_id in codes:
            shop.page.request.delete(f"{shop.url}/v1/products/{product_id}")
