"""What a shopper does on the page, and what the service answers, for comparison."""

from typing import Any, Protocol, cast
from urllib.parse import urlencode

from playwright.sync_api import FilePayload, Locator, Page, expect


class Gateway(Protocol):
    url: str


class Shop:
    """The page at a gateway, as one shopper has it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.grid = page.locator("#grid")
        self.heading = page.get_by_role("heading", level=1)
        self.words = page.get_by_role("searchbox", name="Search by words")
        self.dialog = page.get_by_role("dialog")
        self.alert = page.get_by_role("alert")
        self.chips = page.get_by_role("list", name="What is searched for").get_by_role("listitem")
        self.steps = page.get_by_role("navigation", name="Your steps").get_by_role("link")

    def open(self, **state: str) -> "Shop":
        """Go to a state and wait for its products."""
        self.visit(**state)
        expect(self.cards().first).to_be_visible()
        self.settled()
        return self

    def visit(self, **state: str) -> "Shop":
        """Go to a state, which may be an error."""
        self.page.goto(f"{self.url}/#{urlencode(state)}" if state else f"{self.url}/")
        return self

    def settled(self) -> None:
        """Wait until the grid shows what was asked for last."""
        expect(self.grid).not_to_have_attribute("aria-busy", "true")

    def cards(self, within: str = "#grid") -> Locator:
        return self.page.locator(f"{within} .card:not(.skeleton)")

    def ids(self, within: str = "#grid") -> list[str]:
        return cast("list[str]", self.cards(within).evaluate_all("cards => cards.map(card => card.dataset.id)"))

    def expect_products(self, products: list[dict[str, Any]], within: str = "#grid") -> None:
        """These are shown, in this order."""
        names = [product["title"] or product["product_id"] for product in products]
        expect(self.cards(within).locator("h3")).to_have_text(names)

    def state(self) -> dict[str, str]:
        script = "Object.fromEntries(new URLSearchParams(location.hash.slice(1)))"
        return cast("dict[str, str]", self.page.evaluate(script))

    def find(self, words: str) -> None:
        self.words.fill(words)
        self.page.keyboard.press("Enter")
        self.settled()

    def give(self, photo: FilePayload) -> None:
        """Choose a photo to search with, and wait for what is like it."""
        self.page.get_by_label("Search by photo", exact=True).set_input_files(photo)
        expect(self.page.get_by_role("button", name="Remove the photo")).to_be_visible()
        self.settled()

    def ask(self, path: str) -> dict[str, Any]:
        """What the service answers."""
        answer = self.page.request.get(self.url + path)
        assert answer.ok, answer.text()
        return cast("dict[str, Any]", answer.json())

    def search(self, **fields: Any) -> list[dict[str, Any]]:
        """The hits that the service answers a search with."""
        answer = self.page.request.post(f"{self.url}/v1/search", data={"k": 48, **fields})
        assert answer.ok, answer.text()
        return cast("list[dict[str, Any]]", answer.json()["hits"])

    def upload(self, photo: FilePayload, **fields: str) -> list[dict[str, Any]]:
        """The hits that the service answers an uploaded photo with."""
        form: dict[str, str | float | bool | bytes | FilePayload] = {"image": photo, "k": "48", **fields}
        answer = self.page.request.post(f"{self.url}/v1/search/upload", multipart=form)
        assert answer.ok, answer.text()
        return cast("list[dict[str, Any]]", answer.json()["hits"])

    def products(self, limit: int = 48) -> list[dict[str, Any]]:
        return cast("list[dict[str, Any]]", self.ask(f"/v1/products?limit={limit}")["products"])

    def photo_of(self, product: dict[str, Any]) -> FilePayload:
        answer = self.page.request.get(f"{self.url}{product['image_url']}&w=1280")
        assert answer.ok
        return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": answer.body()}

    def product_with_both_tabs(self) -> dict[str, Any]:
        for product in self.products():
            tabs = [f"/v1/products/{product['product_id']}/{tab}" for tab in ("same-style", "similar")]
            if all(len(self.ask(tab)["hits"]) > 1 for tab in tabs):
                return product
        raise AssertionError("no product has both the same from more suppliers and similar ones")


def expect_photo(photo: Locator) -> None:
    """It arrives and can be decoded."""
    photo.scroll_into_view_if_needed()
    photo.evaluate("image => image.decode()")
    assert photo.evaluate("image => image.naturalWidth") > 0
    assert photo.get_attribute("alt")
