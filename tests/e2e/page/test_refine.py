""" "Like this, but …": a product or photo with words, their balance, what to be unlike, and the way back."""

import re
from typing import Any

import pytest
from playwright.sync_api import Request, Route, expect

from tests.e2e.page.shop import Shop
from tests.e2e.page.test_troubles import refuse


@pytest.fixture
def mug(shop: Shop) -> dict[str, Any]:
    """A product with a photo."""
    hits = shop.search(text="mug with an owl", k=1)
    return dict(hits[0])


def test_a_card_starts_a_search_from_its_product(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open().find("mug with an owl")
    card = shop.cards().first
    card.hover()
    card.get_by_role("button", name=f"Like this, but …: {mug['title']}").click()
    expect(shop.words).to_be_focused()
    expect(shop.heading).to_have_text("Like this product")
    shop.expect_products(shop.search(product_id=mug["product_id"]))

    shop.words.press_sequentially("frog")  # no Enter: results follow the typing
    expect(shop.heading).to_have_text("Like this, but “frog”")
    shop.expect_products(shop.search(product_id=mug["product_id"], text="frog"))
    shop.page.keyboard.press("Enter")
    shop.page.go_back()
    expect(shop.heading).to_have_text("Like this product")  # all the typing is one step


@pytest.mark.heavy
def test_an_open_product_is_searched_from_with_words(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open(product=mug["product_id"])
    shop.dialog.get_by_label("Like this, but …", exact=True).fill("frog")
    shop.dialog.get_by_role("button", name="Find").click()
    expect(shop.dialog).to_be_hidden()
    shop.expect_products(shop.search(product_id=mug["product_id"], text="frog"))
    expect(shop.page.locator("#base img")).to_be_visible()


def test_the_slider_moves_between_photo_and_words(shop: Shop, mug: dict[str, Any]) -> None:
    query = {"product_id": mug["product_id"], "text": "frog"}
    shop.open(like=mug["product_id"], q="frog")
    slider = shop.page.get_by_label("What counts more")
    slider.focus()
    shop.page.keyboard.press("End")
    shop.expect_products(shop.search(**query, weights={"fused": 0, "text": 1}))
    expect(shop.page.get_by_text("The words alone")).to_be_visible()
    shop.page.keyboard.press("Home")
    shop.expect_products(shop.search(**query, weights={"fused": 0, "image": 1}))
    slider.fill("48")
    shop.expect_products(shop.search(**query, weights={"fused": 0.52, "text": 0.48}))
    assert shop.state()["mix"] == "48"
    shop.page.reload()
    expect(slider).to_have_value("48")


def test_a_product_without_a_photo_has_nothing_to_balance(troubled: Shop) -> None:
    mug = troubled.search(text="mug with an owl", k=1)[0]
    address = f"/v1/products/{mug['product_id']}"
    plain = {**troubled.ask(address), "image_url": None}
    troubled.page.route(f"**{address}", lambda route: route.fulfill(json=plain))
    troubled.open(like=mug["product_id"], q="frog")
    slider = troubled.page.get_by_label("What counts more")
    expect(troubled.page.locator("#base .no-photo")).to_be_visible()
    expect(slider).to_be_hidden()

    searches = re.compile("/v1/search(/refine)?$")
    troubled.page.route(searches, refuse(400, "weights.image is set, but the query has no image.", times=9))
    troubled.visit(like=mug["product_id"], q="frog", mix="-100")
    expect(troubled.alert).to_contain_text("This product has no photo that could count more than the words.")
    troubled.page.unroute(searches)
    troubled.page.get_by_role("button", name="Let both count").click()
    troubled.expect_products(troubled.search(product_id=mug["product_id"], text="frog"))


def test_a_photo_is_sent_once_and_gone_on_with(troubled: Shop) -> None:
    shop = troubled
    photo = shop.photo_of(shop.products(1)[0])
    sent: list[tuple[str, int]] = []

    def note(request: Request) -> None:
        if "/v1/search" in request.url:
            sent.append((request.url.removeprefix(f"{shop.url}/v1/"), len(request.post_data_buffer or b"")))

    shop.page.on("request", note)
    shop.open().give(photo)
    shop.find("white")
    shop.expect_products(shop.upload(photo, text="white"))
    shop.page.get_by_label("What counts more").fill("40")
    shop.expect_products(shop.upload(photo, text="white", weights='{"fused": 0.6, "text": 0.4}'))
    assert [path for path, _ in sent] == ["search/upload", "search/refine", "search/refine"]
    assert all(size < 50_000 for path, size in sent if path == "search/refine")

    gone = {"status": 410, "detail": "The photo cannot be gone on with: another model serves by now."}
    shop.page.route("**/v1/search/refine", lambda route: route.fulfill(status=410, json=gone), times=1)
    shop.find("red")
    shop.expect_products(shop.upload(photo, text="red", weights='{"fused": 0.6, "text": 0.4}'))
    shop.find("white")
    assert [path for path, _ in sent[3:]] == ["search/refine", "search/upload", "search/refine"]


def test_a_part_of_a_product_is_searched_with(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open(like=mug["product_id"])
    corner = shop.page.get_by_role("button", name="Its top left corner")
    corner.focus()
    for _ in range(3):
        shop.page.keyboard.press("Shift+ArrowDown")
    shop.page.wait_for_url(re.compile("crop=0%2C0.3%2C1%2C1"))
    crop = {"product_id": mug["product_id"], "crop": [0, 0.3, 1, 1]}
    shop.expect_products(shop.search(**crop))
    shop.find("frog")
    shop.expect_products(shop.search(**crop, text="frog"))
    expect(shop.steps).to_have_text(["Like this product", "part of the photo", "“frog”"])
    shop.page.get_by_role("button", name="Whole photo").press("Enter")
    expect(shop.page.locator(".crop-box")).to_be_focused()
    shop.expect_products(shop.search(product_id=mug["product_id"], text="frog"))
    shop.chips.get_by_role("link", name=mug["title"]).click()
    expect(shop.page.get_by_role("dialog", name=mug["title"])).to_be_visible()


def test_the_keyboard_keeps_its_place_among_results_that_change(shop: Shop) -> None:
    shop.open().find("mug")
    less = shop.cards().nth(2).get_by_role("button", name="Less like this")
    shop.cards().nth(2).get_by_role("button", name="Like this, but").focus()
    shop.page.keyboard.press("Tab")
    expect(less).to_be_focused()
    shop.page.keyboard.press("Enter")
    expect(shop.chips).to_have_count(2)
    shop.settled()
    expect(shop.cards().first.locator("h3 a")).to_be_focused()


@pytest.mark.heavy
def test_less_like_this_on_a_result_and_back(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open().find("mug")
    unwanted = shop.ids()[0]
    shop.cards().first.hover()
    shop.cards().first.get_by_role("button", name="Less like this").click()
    hits = shop.search(text="mug", negatives=[unwanted])
    shop.expect_products(hits)
    expect(shop.chips).to_have_count(2)
    second = shop.ids()[1]
    shop.cards().nth(1).hover()
    shop.cards().nth(1).get_by_role("button", name="Less like this").click()
    shop.expect_products(shop.search(text="mug", negatives=[unwanted, second]))

    shop.page.get_by_role("button", name=re.compile("Do not avoid")).last.click()
    shop.expect_products(hits)


def test_what_one_search_avoids_is_not_avoided_by_the_next(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open(q="mug", less=mug["product_id"])
    expect(shop.chips).to_have_count(2)
    shop.find("")
    expect(shop.heading).to_have_text("All products")
    assert shop.state() == {}
    shop.find("lamp")
    shop.expect_products(shop.search(text="lamp"))

    shop.visit(q="mug", less=mug["product_id"])
    shop.page.get_by_role("button", name="Remove the words").click()
    expect(shop.heading).to_have_text("All products")
    assert shop.state() == {}


def test_the_steps_lead_back_and_the_address_can_be_shared(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open(like=mug["product_id"])
    shop.find("frog")
    shop.page.get_by_label("What counts more").fill("40")
    shop.page.wait_for_url(re.compile("mix=40"))
    expect(shop.steps).to_have_text(["Like this product", "“frog”", "words +40 %"])
    shop.page.reload()
    expect(shop.steps).to_have_text(["Like this product", "“frog”", "words +40 %"])
    shop.settled()
    shared, ids = shop.page.evaluate("location.href"), shop.ids()
    shop.steps.nth(1).press("Enter")
    expect(shop.steps.nth(1)).to_be_focused()
    shop.expect_products(shop.search(product_id=mug["product_id"], text="frog"))
    expect(shop.steps.nth(1)).to_have_attribute("aria-current", "step")
    shop.page.go_back()
    expect(shop.page.get_by_text("40 % towards the words")).to_be_visible()

    other = shop.page.context.new_page()
    other.goto(shared)
    theirs = Shop(other, shop.url)
    expect(theirs.cards().first).to_be_visible()
    assert theirs.ids() == ids


def test_reasons_are_given_on_demand(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open(like=mug["product_id"], q="frog", less=mug["product_id"], mix="20")
    assert shop.page.locator(".why").count() == 0
    expect(shop.chips.last).to_have_text(f"Less like {mug['title']}")
    shop.page.get_by_label("Why these?").check()
    query = {"product_id": mug["product_id"], "text": "frog", "negatives": [mug["product_id"]]}
    best = shop.search(**query, weights={"fused": 0.8, "text": 0.2}, explain=True)[0]
    why = shop.cards().first.locator(".why")
    said = round(100 * best["words_said"])
    expect(why.locator(".score")).to_have_text(f"Score {best['score']:.2f}, says {said} % of the words")
    expect(why).to_contain_text(re.compile(r"Photo and words together\+0\.\d\d"))
    expect(why).to_contain_text(re.compile(r"Less like\S\d\.\d\d"))
    alone = {"product_id": mug["product_id"], "text": "frog", "filters": {"ids": [best["product_id"]]}}
    by_words = shop.search(**alone, weights={"fused": 0, "text": 1})[0]["score"]
    expect(why.locator(".apart dd").nth(1)).to_have_text(f"{by_words:.2f}")


@pytest.mark.heavy
def test_an_answer_that_comes_late_is_dropped(shop: Shop) -> None:
    shop.open()
    held: list[Route] = []

    def hold(route: Route) -> None:
        if (route.request.post_data_json or {}).get("text") == "slow":
            held.append(route)
        else:
            route.continue_()

    shop.page.route("**/v1/search", hold)
    shop.words.fill("slow")
    shop.page.keyboard.press("Enter")
    expect(shop.heading).to_have_text("Results for “slow”")
    shop.find("mug")
    shop.expect_products(shop.search(text="mug"))
    for route in held:
        route.abort()  # the page has let go of it
    shop.expect_products(shop.search(text="mug"))
    assert held


@pytest.mark.heavy
def test_what_is_felt_for_is_one_step(shop: Shop, mug: dict[str, Any]) -> None:
    shop.open(like=mug["product_id"], q="frog")
    slider = shop.page.get_by_label("What counts more")
    for mix in ("40", "-40", "60"):
        slider.fill(mix)
        shop.page.wait_for_url(re.compile(f"mix={mix}"))
    expect(shop.steps).to_have_text(["Like this, but “frog”", "words +60 %"])
