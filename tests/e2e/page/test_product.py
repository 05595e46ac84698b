"""A product in its dialog: opened from a card, with the same from more suppliers and what is similar."""

from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.page.shop import Shop, expect_photo


def test_spot_alike_opens_the_product_with_both_tabs(shop: Shop) -> None:
    product = shop.product_with_both_tabs()
    address = f"/v1/products/{product['product_id']}"
    shop.open()
    icon = shop.page.get_by_role("link", name=f"Spot alike: {product['title']}", exact=True).first
    shop.page.locator(f'.card[data-id="{product["product_id"]}"] .spot').click()
    expect(icon).to_be_attached()
    dialog = shop.page.get_by_role("dialog", name=product["title"])
    expect(dialog).to_be_visible()
    expect_photo(dialog.locator(".product img"))
    for text in (product["supplier_id"], *product["attributes"].values()):
        expect(dialog.locator(".about")).to_contain_text(text)
    expect(dialog.get_by_role("tablist")).to_be_in_viewport()

    shop.expect_products(shop.ask(f"{address}/same-style?k=24")["hits"], "#panel-same")
    expect_photo(shop.cards("#panel-same").locator("img").first)
    same = dialog.get_by_role("tab", name="From more suppliers")
    expect(same).to_have_attribute("aria-selected", "true")

    same.focus()
    shop.page.keyboard.press("ArrowRight")
    similar = dialog.get_by_role("tab", name="Similar products")
    expect(similar).to_be_focused()
    expect(similar).to_have_attribute("aria-selected", "true")
    expect(shop.page.locator("#panel-same")).to_be_hidden()
    shop.expect_products(shop.ask(f"{address}/similar?k=24")["hits"], "#panel-similar")


@pytest.mark.heavy
def test_offers_are_sorted_by_price_within_a_currency(shop: Shop) -> None:
    product = shop.product_with_both_tabs()
    shop.open(product=product["product_id"], tab="similar")
    hits = shop.ask(f"/v1/products/{product['product_id']}/similar?k=24")["hits"]
    shop.expect_products(hits, "#panel-similar")
    shop.page.get_by_label("Sort offers by").select_option("price")
    shown = shop.ids("#panel-similar")
    by_id = {hit["product_id"]: hit for hit in hits}
    order = [
        (by_id[one]["currency"] != product["currency"], by_id[one]["currency"], by_id[one]["price"]) for one in shown
    ]
    assert sorted(shown) == sorted(by_id)
    assert order == sorted(order)
    assert shop.state()["by"] == "price"


def test_offers_are_counted_and_the_cheapest_named(shop: Shop) -> None:
    product = shop.product_with_both_tabs()
    path = f"/v1/products/{product['product_id']}/same-style"
    by_price = shop.ask(f"{path}?k=24&sort=price")
    shop.open(product=product["product_id"])
    said = shop.page.locator("#panel-same").get_by_role("status")
    expect(said).to_have_text(f"{by_price['total']} offers from {cheapest(by_price['hits'], product['currency'])}")
    expect(shop.dialog.get_by_role("tab", selected=True)).to_have_text(f"From more suppliers{by_price['total']}")

    order = shop.dialog.get_by_label("Sort offers by")
    order.focus()
    with shop.page.expect_response(f"**{path}?*sort=price*"):
        shop.page.keyboard.press("ArrowDown")
    own = product["currency"]
    shop.expect_products(
        sorted(by_price["hits"], key=lambda hit: (hit["currency"] != own, hit["currency"], hit["price"])), "#panel-same"
    )
    expect(order).to_be_focused()


def test_a_tab_says_what_it_leaves_out(shop: Shop) -> None:
    """Listings of one supplier that stand once, further offers, and pages that are not sorted yet."""
    product = shop.product_with_both_tabs()
    path = f"/v1/products/{product['product_id']}"
    same, similar = (shop.ask(f"{path}/{tab}?k=2") for tab in ("same-style", "similar"))
    first, second = same["hits"]
    first["group"] = {"key": first["supplier_id"], "size": 3}
    priced = {"currency": "GBP", "in_stock": True}
    same |= {
        "total": 1200,
        "total_is_exact": False,
        "next_cursor": "more",
        "hits": [first, {**second, **priced, "price": 9}],
    }
    by_price = {**same, "hits": [{**second, **priced, "price": 5, "in_stock": False}, {**first, **priced, "price": 6}]}

    def fulfil(route: Route) -> None:
        route.fulfill(json=by_price if "sort=price" in route.request.url else same)

    shop.page.route(f"**{path}/same-style?*", fulfil)
    shop.page.route(f"**{path}/similar?*", lambda route: route.fulfill(json={**similar, "next_cursor": "more"}))
    shop.open(product=product["product_id"])
    expect(shop.cards("#panel-same").first).to_contain_text("· 3 listings")
    expect(shop.cards("#panel-same").nth(1)).not_to_contain_text("listings")
    expect(shop.page.locator("#panel-same").get_by_role("status")).to_have_text("1,200+ offers from £6.00")
    shop.page.get_by_label("Sort offers by").select_option("price")
    expect(shop.page.get_by_text("The 2 cheapest, each currency by itself")).to_be_visible()
    assert shop.ids("#panel-same") == [hit["product_id"] for hit in by_price["hits"]]
    shop.page.get_by_role("tab", name="Similar products").click()
    expect(shop.page.get_by_text("The 2 best matches by price")).to_be_visible()


@pytest.mark.heavy
def test_a_tab_says_scores_and_reasons_when_asked(shop: Shop) -> None:
    product = shop.product_with_both_tabs()
    shop.open(product=product["product_id"])
    expect(shop.cards("#panel-same").first).to_be_visible()
    assert shop.page.locator(".why").count() == 0
    shop.dialog.get_by_label("Why these?").check()
    best = shop.ask(f"/v1/products/{product['product_id']}/same-style")["hits"][0]
    first = shop.cards("#panel-same").first
    expect(first.locator(".score")).to_have_text(f"Score {best['score']:.2f}")
    expect(first.locator(".apart")).to_contain_text("By photo")
    expect(first.locator(".apart")).to_contain_text("By words")


def test_the_back_button_goes_from_product_to_product_to_grid(shop: Shop) -> None:
    product = shop.product_with_both_tabs()
    shop.open()
    shop.page.evaluate("address => location.hash = address", urlencode({"product": product["product_id"]}))
    title = shop.page.locator("#product-title")
    expect(title).to_have_text(product["title"])

    first = shop.cards("#panel-same").first.locator("h3 a")
    other = first.inner_text()
    first.click()
    expect(title).to_have_text(other)
    expect(shop.page).to_have_title(f"{other} | samestyle")
    shop.page.reload()
    expect(title).to_have_text(other)
    shop.page.go_back()
    expect(title).to_have_text(product["title"])
    shop.page.go_back()
    expect(shop.dialog).to_be_hidden()
    expect(shop.page).to_have_title("samestyle")


@pytest.mark.heavy
def test_a_card_opens_by_keyboard_and_escape_closes(shop: Shop) -> None:
    shop.open()
    link = shop.cards().nth(2).locator("h3 a")
    link.focus()
    shop.page.keyboard.press("Enter")
    expect(shop.page.get_by_role("dialog", name=link.inner_text())).to_be_visible()
    shop.page.keyboard.press("Escape")
    expect(shop.dialog).to_be_hidden()
    expect(link).to_be_focused()
    expect(shop.page).to_have_url(f"{shop.url}/")


def test_impressions_and_clicks_are_told(shop: Shop, events: list[dict[str, Any]]) -> None:
    shop.open()
    with shop.page.expect_request("**/v1/events"), shop.page.expect_response("**/v1/search") as answered:
        shop.find("mug")
    answer = answered.value.json()
    shown = [event for event in events if event["type"] == "impression"]
    assert [event["product_id"] for event in shown] == [hit["product_id"] for hit in answer["hits"]]
    assert [event["position"] for event in shown] == [*range(1, 49)]
    with shop.page.expect_response("**/v1/events") as told, shop.page.expect_request("**/v1/events"):
        shop.cards().nth(1).locator("h3 a").click()
    clicks = [event for event in events if event["type"] == "click"]
    assert [(click["product_id"], click["position"]) for click in clicks] == [(answer["hits"][1]["product_id"], 2)]
    taken = told.value.json()  # maybe that of what was shown, still under way
    assert (taken["accepted"] > 0, taken["duplicates"], taken["refused"]) == (True, 0, [])
    assert {event["request_id"] for event in (*shown, *clicks)} == {answer["request_id"]}
    assert len({event["user_key"] for event in events}) == 1
    assert len({event["event_id"] for event in events}) == len(events)


def test_data_is_shown_as_text_and_missing_parts_have_a_stand_in(shop: Shop) -> None:
    nasty = "<img src=x onerror=alert(1)><b>bold</b>" + "x" * 300
    many = {nasty: nasty, **dict.fromkeys(map(str, range(200)), "value")}
    plain = {
        "product_id": nasty, "title": nasty, "description": nasty, "category": nasty, "supplier_id": nasty,
        "price": None, "currency": None, "in_stock": None, "attributes": many, "image_url": None,
        "url": "javascript:alert(1)",
    }  # fmt: skip
    odd = {**plain, "product_id": "odd", "title": "", "price": 1234.5, "currency": "doubloons"}
    arabic = {**plain, "product_id": "arabic", "title": "قميص XL", "price": 10**12, "currency": "IDR"}
    values = [{"value": nasty, "count": 2}, {"value": "other", "count": 1}]
    facets = {"category": values, "supplier": values, "currency": values, "price": []}
    listing = {"total": 3, "products": [plain, odd, arabic], "facets": facets, "next_cursor": None}
    answer = {**plain, "score": 0.5, "request_id": nasty, "hits": [{**plain, "score": 0.5}], "next_cursor": None}

    def fulfil(route: Route) -> None:
        path = route.request.url.split("?")[0]
        route.fulfill(json=listing if path.endswith("/products") else answer)

    shop.page.route("**/v1/products**", fulfil)
    shop.page.route("**/v1/products/**", fulfil)
    shop.open()
    expect(shop.cards().first.locator("h3")).to_have_text(nasty)
    expect(shop.cards().first.get_by_role("img", name="No photo")).to_be_visible()
    expect(shop.cards().first.locator(".price")).to_have_text("Price on request")
    expect(shop.cards().nth(1).locator("h3")).to_have_text("odd")
    expect(shop.cards().nth(1).locator(".price")).to_have_text("1,234.50 doubloons")
    expect(shop.cards().nth(2).locator("h3 a")).to_have_css("direction", "rtl")
    shop.cards().first.locator("h3 a").click()
    expect(shop.page.locator("#product-title")).to_have_text(nasty)
    expect(shop.cards("#panel-same").locator("h3")).to_have_text(nasty)
    assert shop.page.locator(".about dl").evaluate("list => list.clientHeight") < 500  # the tabs are near
    for width in (1280, 768, 360):
        shop.page.set_viewport_size({"width": width, "height": 740})
        for part in ("html", "#product-body", ".card .price >> nth=2", ".about dl >> nth=0"):
            assert shop.page.locator(part).evaluate("part => part.scrollWidth <= part.clientWidth"), (part, width)
    assert shop.page.locator("main img, main b, dialog img").count() == 0
    assert shop.page.locator("a[href^=javascript]").count() == 0


def cheapest(hits: list[dict[str, Any]], own: str) -> str:
    """The lowest price in each currency of what is not sold out, as the page writes them."""
    lowest: dict[str, float] = {}
    for hit in hits:
        if hit["in_stock"]:
            lowest[hit["currency"]] = min(hit["price"], lowest.get(hit["currency"], hit["price"]))
    signs = {"EUR": "€", "GBP": "£", "USD": "$", "CNY": "CN¥"}
    written = [f"{signs[one]}{lowest[one]:.2f}" for one in sorted(lowest, key=lambda one: (one != own, one))]
    return " or ".join(filter(None, [", ".join(written[:-1]), written[-1]]))
