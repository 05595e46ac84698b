"""Takes the README's pictures of the page: `python -m tests.e2e.page.pictures DATA`, on an index of the demo shop."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import Gateway
from tests.e2e.page.shop import Shop
from tests.servers.browser import open_browser, require_chromium

IMAGES: Final = Path(__file__).parents[3] / "docs" / "images"
BAG: Final = "kestrel-4265"
Scheme = Literal["light", "dark"]
_GAP: Final = 24


def catalogue(shop: Shop) -> None:
    shop.open()


def product(shop: Shop) -> None:
    shop.open(product=BAG, tab="same")
    shop.page.locator("#product-body").evaluate("body => body.scrollTop = 0")


def like_this(shop: Shop) -> None:
    """A part of a product's photo, words, and why."""
    shop.open(like=BAG)
    shop.find("with waves")
    shop.page.get_by_label("What counts more").fill("44")
    for corner, way in (("top left", ("ArrowRight", "ArrowDown")), ("bottom right", ("ArrowLeft", "ArrowUp"))):
        shop.page.get_by_role("button", name=f"Its {corner} corner").focus()
        for key in way:
            shop.page.keyboard.press(f"Shift+{key}")
    shop.page.locator("#words").focus()
    shop.settled()
    shop.page.get_by_label("Why these?").check()
    shop.page.locator(".apart").first.wait_for()


def similar(shop: Shop) -> None:
    shop.open(product=BAG, tab="similar")


def shot(
    browser: Browser, url: str, state: Callable[[Shop], None], scheme: Scheme, width: int, height: int
) -> Image.Image:
    """The page in a state, in twice as many pixels on a phone."""
    is_phone = width < 500
    scale = 2 if is_phone else 1
    with browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=scale, color_scheme=scheme,
        has_touch=is_phone, is_mobile=is_phone, reduced_motion="reduce",
    ) as context:  # fmt: skip
        page: Page = context.new_page()
        state(Shop(page, url))
        page.wait_for_load_state("networkidle")
        page.evaluate("scrollTo({ top: 0 })")
        return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def side_by_side(pictures: list[Image.Image]) -> Image.Image:
    width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + _GAP
    return sheet


def main(data: Path) -> None:
    with Gateway(data) as gateway, open_browser(require_chromium()) as browser:
        desktop = {"page": catalogue, "page_product": product, "page_like_this": like_this}
        for name, state in desktop.items():
            save(shot(browser, gateway.url, state, "light", 1280, 860), name)
        save(shot(browser, gateway.url, like_this, "dark", 1280, 860), "page_dark")
        on_phone: list[tuple[Callable[[Shop], None], Scheme]] = [
            (catalogue, "light"), (like_this, "dark"), (similar, "light"), (product, "dark"),
        ]  # fmt: skip
        phone = [shot(browser, gateway.url, state, scheme, 360, 740) for state, scheme in on_phone]
        save(side_by_side(phone), "page_phone")


def save(picture: Image.Image, name: str) -> None:
    picture.save(IMAGES / f"{name}.webp", quality=60, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
