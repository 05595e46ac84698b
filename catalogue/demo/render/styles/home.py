"""Lamps, chairs, bags."""

from __future__ import annotations

from typing import Any

from ..model import Style, Translations, Vocabulary

VOCABULARY: dict[str, Vocabulary] = {
    "table lamp": Vocabulary(
        "Home & Kitchen > Lighting > Table Lamps",
        {
            "en": ("table lamp", "bedside lamp", "desk lamp with fabric shade", "accent light"),
            "de": ("Tischlampe", "Nachttischleuchte", "Tischleuchte mit Stoffschirm"),
            "es": ("lámpara de mesa", "lámpara de mesilla", "lámpara con pantalla de tela"),
        },
        {
            "en": ("for the bedroom or sideboard", "gives a warm, even light", "for living rooms and hotels"),
            "de": ("für Schlafzimmer und Flur", "für warmes Licht"),
            "es": ("para dormitorio o salón", "luz cálida y suave"),
        },
        {
            "en": ("switch on the cord", "bulb not included", "the shade comes off for cleaning"),
            "de": ("Schalter am Kabel", "ohne Leuchtmittel"),
            "es": ("interruptor en el cable", "bombilla no incluida"),
        },
    ),
    "dining chair": Vocabulary(
        "Furniture > Seating > Dining Chairs",
        {
            "en": ("dining chair", "wooden kitchen chair", "oak side chair", "chair for the dining room"),
            "de": ("Esszimmerstuhl", "Holzstuhl", "Küchenstuhl massiv"),
            "es": ("silla de comedor", "silla de madera", "silla de cocina"),
        },
        {
            "en": ("for kitchen and dining room", "for cafés and restaurants", "sits well through a long dinner"),
            "de": ("für Küche und Esszimmer", "auch für die Gastronomie"),
            "es": ("para cocina y comedor", "apta para hostelería"),
        },
        {
            "en": ("shaped seat", "glued joints, no wobble", "comes assembled"),
            "de": ("geformter Sitz", "fertig montiert"),
            "es": ("asiento anatómico", "se entrega montada"),
        },
    ),
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
            "en": ("reinforced seams", "water-based screen print", "carries 12 kg"),
            "de": ("verstärkte Nähte", "Siebdruck"),
            "es": ("costuras reforzadas", "serigrafía"),
        },
    ),
}


TRANSLATIONS: Translations = {
    "de": {
        "shade": "Schirm",
        "socket": "Fassung",
        "seat height": "Sitzhöhe",
        "finish": "Oberfläche",
        "load": "Traglast",
        "weight": "Gewicht",
        "handles": "Henkel",
        "linen": "Leinen",
        "solid oak": "Eiche massiv",
        "oiled": "geölt",
        "cotton canvas": "Baumwollcanvas",
        "220 gsm": "220 g/m²",
        "long": "lang",
    },
    "es": {
        "shade": "pantalla",
        "socket": "casquillo",
        "seat height": "altura del asiento",
        "finish": "acabado",
        "load": "carga",
        "weight": "gramaje",
        "handles": "asas",
        "linen": "lino",
        "solid oak": "roble macizo",
        "oiled": "aceitado",
        "cotton canvas": "lona de algodón",
        "220 gsm": "220 g/m²",
        "long": "largas",
    },
}

SHORT: dict[str, str] = {"solid oak": "OAK", "cotton canvas": "CVS"}


def _lamp(style_id: str, shape: dict[str, Any], look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "table lamp",
        {"height": 420.0, "shade_radius": 140.0, "colour": "e6dcc8", **shape},
        {"height": "420 mm", "shade": "linen", "socket": "E27", "power": "40 W"},
        39.0,
        codes=("E27", "420 mm"),
        look=look,
    )


def _chair(style_id: str, back: str, look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "dining chair",
        {"back": back, "wood": ("bd9464", "9a7145")},
        {"material": "solid oak", "seat height": "450 mm", "finish": "oiled", "load": "120 kg"},
        89.0,
        codes=("450 mm",),
        look=look,
    )


def _tote(style_id: str, motif: str, look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "tote bag",
        {"width": 380.0, "height": 420.0, "motif": motif, "ground": "#e4d8bf", "ink": "#2f4a3f"},
        {"material": "cotton canvas", "size": "38 x 42 cm", "weight": "220 gsm", "handles": "long"},
        9.5,
        codes=("38 x 42 cm", "38x42"),
        look=look,
    )


STYLES: tuple[Style, ...] = (
    _lamp(
        "table-lamp-drum",
        {"taper": 0.94, "foot": "rod"},
        {"en": ("drum shade",), "de": ("Zylinderschirm",), "es": ("pantalla cilíndrica",)},
    ),
    _lamp(
        "table-lamp-empire",
        {"taper": 0.5, "foot": "ball"},
        {"en": ("turned foot",), "de": ("gedrechselter Fuß",), "es": ("pie torneado",)},
    ),
    _chair("chair-oak-slat", "slats", {"en": ("slatted back",), "de": ("Querstreben",), "es": ("listones",)}),
    _chair("chair-oak-spindle", "spindles", {"en": ("spindle back",), "de": ("Sprossen",), "es": ("barrotes",)}),
    _tote("tote-bag-leaf", "leaf", {"en": ("leaf",), "de": ("Blatt",), "es": ("hoja",)}),
    _tote("tote-bag-waves", "waves", {"en": ("waves",), "de": ("Wellen",), "es": ("olas",)}),
)
