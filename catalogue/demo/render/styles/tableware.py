"""Mugs and bottles."""

from __future__ import annotations

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "mug": Vocabulary(
        "Home & Kitchen > Drinkware > Mugs",
        {
            "en": ("coffee mug", "ceramic mug", "tea cup with handle", "printed stoneware mug"),
            "de": ("Kaffeebecher", "Keramiktasse", "Henkelbecher"),
            "es": ("taza de cerámica", "taza para café", "tazón con asa"),
        },
        {
            "en": ("for coffee, tea and cocoa", "for home and office", "a small gift for any occasion"),
            "de": ("für Kaffee und Tee", "für Küche und Büro"),
            "es": ("para café y té", "para casa y oficina"),
        },
        {
            "en": ("the print is fired under the glaze", "does not fade in the machine", "a comfortable handle"),
            "de": ("der Druck ist unter der Glasur gebrannt", "angenehmer Henkel"),
            "es": ("el dibujo va bajo el esmalte", "asa cómoda"),
        },
    ),
    "bottle": Vocabulary(
        "Home & Kitchen > Drinkware > Bottles",
        {
            "en": ("insulated bottle", "vacuum flask", "steel water bottle", "thermos drinking bottle"),
            "de": ("Thermosflasche", "Isolierflasche", "Trinkflasche aus Edelstahl"),
            "es": ("botella térmica", "botella de acero", "termo para agua"),
        },
        {
            "en": ("for hiking and the gym", "keeps drinks cold for 24 hours", "for school, office and travel"),
            "de": ("für Sport und Reise", "hält 24 Stunden kalt"),
            "es": ("para deporte y viaje", "mantiene el frío 24 horas"),
        },
        {
            "en": ("double wall, no sweating", "powder-coated, good grip", "leakproof"),
            "de": ("doppelwandig", "pulverbeschichtet und auslaufsicher"),
            "es": ("doble pared", "no gotea"),
        },
    ),
}

USES: dict[str, Words] = {
    "bottle-steel-500": {
        "en": ("small enough for a school bag", "for the school run and kids", "fits a lunch bag, for kids and school"),
        "de": ("passt in den Schulranzen", "für Schule und Kinder"),
        "es": ("cabe en la mochila escolar", "para niños y colegio"),
    },
    "bottle-steel-750": {
        "en": ("for long hikes and bike rides", "for bike, trail and mountain tours", "enough for a day of hiking"),
        "de": ("für lange Wander- und Radtouren", "für den Bergtag"),
        "es": ("para rutas largas de montaña", "para ciclismo y senderismo"),
    },
}


TRANSLATIONS: Translations = {
    "de": {
        "capacity": "Inhalt",
        "care": "Pflege",
        "closure": "Verschluss",
        "stoneware": "Steinzeug",
        "dishwasher safe": "spülmaschinenfest",
        "stainless steel": "Edelstahl",
        "petrol": "Petrol",
        "screw lid": "Schraubdeckel",
    },
    "es": {
        "capacity": "capacidad",
        "care": "cuidado",
        "closure": "cierre",
        "stoneware": "gres",
        "dishwasher safe": "apto para lavavajillas",
        "stainless steel": "acero inoxidable",
        "petrol": "azul petróleo",
        "screw lid": "tapón de rosca",
    },
}

SHORT: dict[str, str] = {"stainless steel": "SS", "stoneware": "STNWR", "dishwasher safe": "DW SAFE"}


def _mug(style_id: str, motif: str, ink: str, look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "mug",
        {"radius": 41.0, "height": 95.0, "motif": motif, "ground": "#d9d2c3", "ink": ink, "inside": "dcd6c9"},
        {"capacity": "330 ml", "material": "stoneware", "height": "95 mm", "care": "dishwasher safe"},
        7.9,
        codes=("330 ml",),
        look=look,
    )


def _bottle(style_id: str, ml: str, radius: float, height: float, price: float) -> Style:
    return Style(
        style_id,
        "bottle",
        {"radius": radius, "height": height, "colour": "2f5d62", "lid": "1c1c1d"},
        {"capacity": ml, "material": "stainless steel", "colour": "petrol", "closure": "screw lid"},
        price,
        codes=(ml, ml.replace(" ", "")),
        uses=USES[style_id],
    )


STYLES: tuple[Style, ...] = (
    _mug("mug-banded-330", "stripes", "#2f4f73", {"en": ("striped",), "de": ("gestreift",), "es": ("a rayas",)}),
    _mug("mug-polka-330", "dots", "#2f4f73", {"en": ("dotted",), "de": ("gepunktet",), "es": ("con lunares",)}),
    _mug("mug-owl-330", "owl", "#2f4f73", {"en": ("owl",), "de": ("Eule",), "es": ("búho",)}),
    _bottle("bottle-steel-500", "500 ml", 35.0, 225.0, 17.9),
    _bottle("bottle-steel-750", "750 ml", 39.5, 262.0, 21.5),
)
