"""The eight suppliers: how each one photographs, and how it counts money."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Listing, Style, seeded


@dataclass(frozen=True)
class Supplier:
    """A supplier's habits. Weights say how often a backdrop or an extra is used."""

    name: str
    currency: str
    margin: float
    backdrops: dict[str, int]
    rigs: tuple[str, ...]
    lens: tuple[float, float]
    fill: tuple[float, float]
    extras: dict[str, float]
    exposure: float = 0.0
    whiten: bool = False  # the background is pulled to white afterwards
    warmth: float = 0.0
    blur: float = 0.0  # aperture in studio units
    careless: float = 0.0  # crooked horizon, subject off the middle
    watermark: str = ""


SUPPLIERS: dict[str, Supplier] = {
    "kestrel": Supplier(
        "Kestrel Trade Supply",
        "USD",
        1.0,
        {"white": 1},
        ("tent", "softbox"),
        (70, 100),
        (0.74, 0.86),
        {"pair": 0.12},
        exposure=-0.3,
        whiten=True,
    ),
    "nordhaus": Supplier(
        "Nordhaus GmbH",
        "EUR",
        1.12,
        {"grey": 3, "white": 2},
        ("softbox",),
        (60, 90),
        (0.64, 0.78),
        {"box": 0.12, "pair": 0.1},
        exposure=0.25,
        watermark="corner",
    ),
    "bluepeak": Supplier(
        "BluePeak Import",
        "CNY",
        0.72,
        {"blue": 2, "yellow": 2, "pink": 1, "white": 2},
        ("softbox", "tent"),
        (45, 70),
        (0.72, 0.9),
        {"pair": 0.4, "ruler": 0.12},
        exposure=0.2,
        watermark="tiled",
    ),
    "oakandco": Supplier(
        "Oak & Co",
        "GBP",
        1.25,
        {"oak": 4, "linen": 2},
        ("window",),
        (50, 85),
        (0.56, 0.72),
        {"pair": 0.1},
        exposure=0.25,
        warmth=0.05,
        blur=0.09,
    ),
    "tallerrio": Supplier(
        "Taller del Río",
        "EUR",
        1.05,
        {"kraft": 3, "sand": 2, "mint": 1},
        ("window", "softbox"),
        (50, 80),
        (0.6, 0.76),
        {"pair": 0.15, "box": 0.08},
        exposure=0.2,
        warmth=0.04,
        blur=0.05,
    ),
    "gridline": Supplier(
        "Gridline Components",
        "USD",
        1.08,
        {"grey": 3, "white": 1},
        ("tent", "workshop"),
        (70, 100),
        (0.68, 0.8),
        {"ruler": 0.55},
        exposure=0.15,
        watermark="",
    ),
    "mistral": Supplier(
        "Mistral Fournitures",
        "EUR",
        1.3,
        {"slate": 3, "walnut": 2},
        ("low",),
        (60, 100),
        (0.6, 0.76),
        {"box": 0.15},
        exposure=0.3,
        blur=0.08,
        watermark="corner",
    ),
    "pennyworth": Supplier(
        "Pennyworth Surplus",
        "GBP",
        0.8,
        {"concrete": 2, "bench": 2, "oak": 1},
        ("flash", "workshop"),
        (32, 48),
        (0.5, 0.74),
        {"box": 0.25, "pair": 0.15},
        exposure=0.1,
        warmth=0.05,
        careless=1.0,
    ),
}

RATES = {"USD": 1.0, "EUR": 0.92, "GBP": 0.79, "CNY": 7.1}


def price_of(listing: Listing) -> float:
    """The style's price with the supplier's margin, currency and rounding habit."""
    supplier = SUPPLIERS[listing.supplier]
    raw = listing.style.price * supplier.margin * RATES[supplier.currency]
    raw *= listing.rng("price").uniform(0.92, 1.08)
    ending = {"USD": 0.99, "EUR": 0.95, "GBP": 0.5, "CNY": 0.0}[supplier.currency]
    return round(max(0.0, int(raw)) + ending if raw >= 2 else raw, 2)


def listings_of(styles: tuple[Style, ...]) -> list[Listing]:
    """Give every style to three to five suppliers; numbers say nothing about styles."""
    out: list[Listing] = []
    taken: set[str] = set()
    for style in styles:
        names = sorted(SUPPLIERS)
        seeded(style.style_id, "suppliers").shuffle(names)
        for name in names[: seeded(style.style_id, "offers").choice((3, 3, 3, 4, 4, 5))]:
            number = seeded(style.style_id, name, "number")
            product_id = f"{name}-{number.randrange(10000):04d}"
            while product_id in taken:
                product_id = f"{name}-{number.randrange(10000):04d}"
            taken.add(product_id)
            out.append(Listing(product_id, style, name))
    return out
