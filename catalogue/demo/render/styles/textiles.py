"""Bags and cushions."""

from __future__ import annotations

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "tote bag": Vocabulary(
        "Bags > Shopping Bags > Tote Bags",
        {
            "en": ("tote bag", "canvas shopper", "cotton carrier bag", "shoulder bag with print"),
            "de": ("Stofftasche", "Baumwollbeutel", "Einkaufstasche bedruckt"),
            "es": ("bolsa de tela", "tote de algodón", "bolsa de la compra"),
        },
        {
            "en": ("for shopping, books and the beach", "folds into any pocket", "for market days"),
            "de": ("für Einkauf und Strand", "für den Wochenmarkt"),
            "es": ("para la compra y la playa", "para libros y mercado"),
        },
        {
            "en": ("reinforced seams", "water-based screen print", "handles sewn with a cross"),
            "de": ("verstärkte Nähte", "Siebdruck"),
            "es": ("costuras reforzadas", "serigrafía"),
        },
    ),
    "cushion": Vocabulary(
        "Home & Kitchen > Home Textiles > Cushions",
        {
            "en": ("throw pillow", "scatter cushion", "decorative cushion", "filled cushion with cover"),
            "de": ("Zierkissen", "Dekokissen mit Füllung", "Kissen"),
            "es": ("cojín decorativo", "cojín con relleno", "cojín"),
        },
        {
            "en": ("for living room and bedroom", "softens a hard seat", "for a quick change of scene"),
            "de": ("für Wohn- und Schlafzimmer", "macht jede Bank bequemer"),
            "es": ("para salón y dormitorio", "para cambiar de ambiente"),
        },
        {
            "en": ("cover comes off for washing", "plumps up again after use", "tightly woven, no pilling"),
            "de": ("Bezug abnehmbar", "bleibt in Form"),
            "es": ("funda desenfundable", "recupera su forma"),
        },
    ),
}


TRANSLATIONS: Translations = {
    "de": {
        "weight": "Gewicht",
        "handles": "Henkel",
        "cotton canvas": "Baumwollcanvas",
        "220 gsm": "220 g/m²",
        "long": "lang",
        "cover": "Bezug",
        "filling": "Füllung",
        "closure": "Verschluss",
        "care": "Pflege",
        "wash at 30 °C": "waschbar bei 30 °C",
        "cotton": "Baumwolle",
        "polyester fibre": "Polyesterfaser",
        "hidden zip": "verdeckter Reißverschluss",
    },
    "es": {
        "weight": "gramaje",
        "handles": "asas",
        "cotton canvas": "lona de algodón",
        "220 gsm": "220 g/m²",
        "long": "largas",
        "cover": "funda",
        "filling": "relleno",
        "closure": "cierre",
        "care": "cuidado",
        "wash at 30 °C": "lavable a 30 °C",
        "cotton": "algodón",
        "polyester fibre": "fibra de poliéster",
        "hidden zip": "cremallera oculta",
    },
}

SHORT: dict[str, str] = {"cotton canvas": "CVS", "polyester fibre": "POLY FILL"}

# motif: what the texts call it
TOTES: dict[str, Words] = {
    "leaf": {"en": ("leaf",), "de": ("Blatt",), "es": ("hoja",)},
    "waves": {"en": ("waves",), "de": ("Wellen",), "es": ("olas",)},
    "bicycle": {"en": ("bicycle", "bike print"), "de": ("Fahrrad",), "es": ("bicicleta",)},
    "sunburst": {"en": ("sunburst", "rising sun"), "de": ("Sonnenaufgang",), "es": ("sol naciente",)},
}
TOTE_USES: dict[int, Words] = {
    38: {
        "en": ("for the weekly shop", "swallows a beach towel and a picnic", "holds A3 folders and big books"),
        "de": ("für den Wocheneinkauf", "fasst Badetuch und Picknick"),
        "es": ("para la compra semanal", "cabe la toalla y la merienda"),
    },
    28: {
        "en": ("for a lunch box and a paperback", "makes a small gift bag", "just right for children"),
        "de": ("für Brotdose und Taschenbuch", "als kleine Geschenktasche"),
        "es": ("para la fiambrera y un libro", "como bolsita de regalo"),
    },
}


def _tote(motif: str, w: int, h: int, price: float) -> Style:
    size = f"{w} x {h} cm"
    ink = {"bicycle": "#8c3b2e", "sunburst": "#c07a24"}.get(motif, "#2f4a3f")
    return Style(
        f"tote-bag-{motif}" if w == 38 else f"tote-bag-{motif}-{w}x{h}",
        "tote bag",
        {"width": w * 10.0, "height": h * 10.0, "motif": motif, "ground": "#e4d8bf", "ink": ink},
        {"material": "cotton canvas", "size": size, "weight": "220 gsm", "handles": "long"},
        price,
        codes=(size, f"{w}x{h}cm"),
        look=TOTES[motif],
        uses=TOTE_USES[w],
    )


# design: its picture, ground, ink, seam, whether the seam is piped, what the texts call it
CUSHIONS: dict[str, tuple[str, str, str, str, bool, Words]] = {
    "stripe": (
        "ticking",
        "#e6dfd0",
        "#3d5a78",
        "#e6dfd0",
        False,
        {"en": ("striped", "blue stripe"), "de": ("gestreift",), "es": ("a rayas", "de rayas azules")},
    ),
    "check": (
        "gingham",
        "#ece6da",
        "#a2503f",
        "#a2503f",
        True,
        {"en": ("checked", "gingham"), "de": ("kariert",), "es": ("de cuadros", "vichy")},
    ),
    "zigzag": (
        "zigzag",
        "#e8e2d4",
        "#4d5350",
        "#e8e2d4",
        False,
        {"en": ("zigzag", "chevron"), "de": ("Zickzack",), "es": ("en zigzag",)},
    ),
    "plain": (
        "melange",
        "#c08a2c",
        "#7d5718",
        "#8f6420",
        True,
        {"en": ("mustard", "plain ochre"), "de": ("senfgelb", "einfarbig ocker"), "es": ("mostaza", "liso ocre")},
    ),
}
CUSHION_USES: dict[int, Words] = {
    40: {
        "en": (
            "for a reading chair or child's bed",
            "supports the small of the back",
            "small enough for a dining bench",
        ),
        "de": ("für Lesesessel und Kinderbett", "stützt das Kreuz"),
        "es": ("para la butaca o la cama infantil", "para apoyar los riñones"),
    },
    50: {
        "en": ("for a deep sofa", "large enough to lean right back", "for the head of a double bed"),
        "de": ("für tiefe Sofas", "groß genug zum Zurücklehnen"),
        "es": ("para sofás profundos", "para el cabecero de matrimonio"),
    },
}


def _cushion(design: str, side: int, price: float) -> Style:
    motif, ground, ink, seam, piped, look = CUSHIONS[design]
    size = f"{side} x {side} cm"
    return Style(
        f"cushion-{design}-{side}",
        "cushion",
        {"width": side * 10.0, "motif": motif, "ground": ground, "ink": ink, "seam": seam, "piped": piped},
        {
            "size": size,
            "cover": "cotton",
            "filling": "polyester fibre",
            "closure": "hidden zip",
            "care": "wash at 30 °C",
        },
        price,
        codes=(size, f"{side}x{side}cm"),
        look=look,
        uses=CUSHION_USES[side],
    )


STYLES: tuple[Style, ...] = (
    *(_tote(motif, 38, 42, 9.5) for motif in TOTES),
    *(_tote(motif, 28, 32, 6.8) for motif in ("leaf", "waves", "bicycle")),
    *(_cushion(design, side, price) for design in CUSHIONS for side, price in ((40, 14.9), (50, 19.9))),
)
