"""Lamps, chairs, stools, side tables."""

from __future__ import annotations

from typing import Any

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "table lamp": Vocabulary(
        "Home & Kitchen > Lighting > Table Lamps",
        {
            "en": ("table lamp", "lamp with linen shade", "desk lamp with fabric shade", "accent light"),
            "de": ("Tischlampe", "Dekoleuchte", "Tischleuchte mit Stoffschirm"),
            "es": ("lámpara de mesa", "lámpara de sobremesa", "lámpara con pantalla de tela"),
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
    "stool": Vocabulary(
        "Furniture > Seating > Stools",
        {
            "en": ("stool", "backless stool", "round stool", "stool with footrest"),
            "de": ("Hocker", "runder Sitzhocker", "Hocker mit Fußstütze"),
            "es": ("taburete", "taburete redondo", "taburete con reposapiés"),
        },
        {
            "en": ("for home and café", "takes little room", "an extra place to sit"),
            "de": ("für Zuhause und Café", "braucht wenig Platz"),
            "es": ("para casa y cafetería", "ocupa poco sitio"),
        },
        {
            "en": ("stands firm on uneven floors", "assembled in ten minutes", "feet with felt glides"),
            "de": ("steht fest", "mit Filzgleitern"),
            "es": ("estable y firme", "con fieltros en las patas"),
        },
    ),
    "side table": Vocabulary(
        "Furniture > Tables > Side Tables",
        {
            "en": ("side table", "end table", "occasional table", "small table for the living room"),
            "de": ("Beistelltisch", "Ablagetisch", "kleiner Wohnzimmertisch"),
            "es": ("mesa auxiliar", "mesita de apoyo", "mesita de salón"),
        },
        {
            "en": ("for living room and bedroom", "keeps a cup within reach", "easy to carry to the next room"),
            "de": ("für Wohn- und Schlafzimmer", "leicht umzustellen"),
            "es": ("para salón y dormitorio", "fácil de mover"),
        },
        {
            "en": ("wipe-clean lacquered top", "packed flat, tool included", "rounded edges"),
            "de": ("pflegeleicht lackiert", "Werkzeug liegt bei"),
            "es": ("tablero lacado fácil de limpiar", "incluye herramienta"),
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
        "linen": "Leinen",
        "solid oak": "Eiche massiv",
        "oiled": "geölt",
        "black stained": "schwarz gebeizt",
        "seat diameter": "Sitzdurchmesser",
        "assembly": "Montage",
        "screwed legs": "Beine zum Anschrauben",
        "table top": "Tischplatte",
    },
    "es": {
        "shade": "pantalla",
        "socket": "casquillo",
        "seat height": "altura del asiento",
        "finish": "acabado",
        "load": "carga",
        "linen": "lino",
        "solid oak": "roble macizo",
        "oiled": "aceitado",
        "black stained": "teñido en negro",
        "seat diameter": "diámetro del asiento",
        "assembly": "montaje",
        "screwed legs": "patas atornilladas",
        "table top": "tablero",
    },
}

SHORT: dict[str, str] = {"solid oak": "OAK", "black stained": "BLK STAIN"}

# design: what its builder draws from, what the texts call it
LAMPS: dict[str, tuple[dict[str, Any], Words]] = {
    "drum": (
        {"taper": 0.94, "foot": "rod"},
        {"en": ("drum shade",), "de": ("Zylinderschirm",), "es": ("pantalla cilíndrica",)},
    ),
    "empire": (
        {"taper": 0.5, "foot": "ball"},
        {"en": ("turned foot",), "de": ("gedrechselter Fuß",), "es": ("pie torneado",)},
    ),
    "drum-ball": (
        {"taper": 0.94, "foot": "ball", "colour": "3f6a6c"},
        {"en": ("teal shade",), "de": ("petrolfarbener Schirm",), "es": ("pantalla azul petróleo",)},
    ),
    "empire-rod": (
        {"taper": 0.5, "foot": "rod"},
        {"en": ("brass stem",), "de": ("Messingstab",), "es": ("pie de latón",)},
    ),
}
LAMP_USES: dict[int, Words] = {
    420: {
        "en": ("lights a sideboard or console", "for the living room corner", "tall enough to read by on the sofa"),
        "de": ("für Sideboard und Konsole", "als Leselicht am Sofa"),
        "es": ("para aparador o consola", "para leer en el sofá"),
    },
    300: {
        "en": ("for the bedside", "a soft night light for children", "fits a narrow window sill"),
        "de": ("für den Nachttisch", "als Nachtlicht fürs Kinderzimmer"),
        "es": ("para la mesilla de noche", "como luz nocturna infantil"),
    },
}


def _lamp(design: str, height: int) -> Style:
    shape, look = LAMPS[design]
    socket, power, price = {420: ("E27", "40 W", 39.0), 300: ("E14", "25 W", 26.0)}[height]
    return Style(
        f"table-lamp-{design}" if height == 420 else f"table-lamp-{design}-{height}",
        "table lamp",
        {"height": float(height), "shade_radius": height / 3, "colour": "d4c6ab", **shape},
        {"height": f"{height} mm", "shade": "linen", "socket": socket, "power": power},
        price,
        codes=(socket, f"{height} mm"),
        look=look,
        uses=LAMP_USES[height],
    )


BACKS: dict[str, tuple[str, Words]] = {
    "slat": ("slats", {"en": ("slatted back",), "de": ("Querstreben",), "es": ("listones",)}),
    "spindle": ("spindles", {"en": ("spindle back",), "de": ("Sprossen",), "es": ("barrotes",)}),
    "panel": ("panel", {"en": ("panel back",), "de": ("Brettlehne",), "es": ("respaldo de tablero",)}),
}
FINISHES: dict[str, tuple[tuple[str, str], str, Words]] = {
    "oak": (
        ("bd9464", "9a7145"),
        "oiled",
        {
            "en": ("for a light Scandinavian room", "goes with a pale oak table", "can be sanded and oiled anew"),
            "de": ("passt zu hellen Eichentischen", "lässt sich nachölen"),
            "es": ("para ambientes nórdicos y claros", "se puede volver a aceitar"),
        },
    ),
    "black": (
        ("2b2827", "1b1918"),
        "black stained",
        {
            "en": ("for a dark bistro", "a contrast at a white table", "hides scuffs in daily use"),
            "de": ("fürs dunkle Bistro", "Kontrast am weißen Tisch"),
            "es": ("para bistrós oscuros", "contrasta con una mesa blanca"),
        },
    ),
}


def _chair(finish: str, back: str) -> Style:
    built, look = BACKS[back]
    wood, treated, uses = FINISHES[finish]
    return Style(
        f"chair-{finish}-{back}",
        "dining chair",
        {"back": built, "wood": wood, "shine": 0.5 if finish == "oak" else 0.05},
        {"material": "solid oak", "finish": treated, "seat height": "450 mm", "load": "120 kg"},
        89.0 if finish == "oak" else 95.0,
        codes=("450 mm",),
        look=look,
        uses=uses,
    )


STOOLS: dict[str, tuple[float, Words]] = {
    "wood": (34.0, {"en": ("three-legged",), "de": ("drei Holzbeine",), "es": ("tres patas de madera",)}),
    "metal": (42.0, {"en": ("metal-legged",), "de": ("schwarzes Metallgestell",), "es": ("patas de metal negro",)}),
    "padded": (59.0, {"en": ("upholstered",), "de": ("gepolstert",), "es": ("tapizado",)}),
}
STOOL_USES: dict[int, Words] = {
    450: {
        "en": ("pulls up to a dining table", "for tying shoes in the hall", "doubles as a bedside perch"),
        "de": ("für den Esstisch", "zum Schuheanziehen im Flur"),
        "es": ("para la mesa de comedor", "para calzarse en el recibidor"),
    },
    650: {
        "en": ("for the kitchen island", "for worktops 90 cm high", "for breakfast at the counter"),
        "de": ("für die Kücheninsel", "für 90 cm hohe Theken"),
        "es": ("para la isla de cocina", "para barras de 90 cm de alto"),
    },
}


def _stool(seat: str, height: int) -> Style:
    price, look = STOOLS[seat]
    return Style(
        f"stool-{seat}-{height}",
        "stool",
        {"seat": seat, "height": float(height)},
        {
            "seat height": f"{height} mm",
            "load": "110 kg",
            "seat diameter": "Ø 33 cm",
            "assembly": "screwed legs",
        },
        price + (height - 450) * 0.06,
        codes=(f"{height} mm", f"H {height} mm"),
        look=look,
        uses=STOOL_USES[height],
    )


TABLES: dict[str, tuple[float, Words]] = {
    "tripod": (59.0, {"en": ("tripod", "round"), "de": ("Dreifuß", "rund"), "es": ("trípode", "redonda")}),
    "shelf": (54.0, {"en": ("two-tier",), "de": ("mit Ablageboden",), "es": ("con balda",)}),
    "hairpin": (49.0, {"en": ("hairpin",), "de": ("Haarnadelbeine",), "es": ("patas de horquilla",)}),
}
TABLE_USES: dict[int, Words] = {
    40: {
        "en": ("fits between bed and wall", "for a lamp and one book", "as a plant stand"),
        "de": ("passt zwischen Bett und Wand", "als Blumenständer"),
        "es": ("cabe entre cama y pared", "como soporte para plantas"),
    },
    55: {
        "en": ("takes a tray with tea for four", "as a small coffee table", "for board games by the sofa"),
        "de": ("für das Teetablett", "als kleiner Couchtisch"),
        "es": ("para la bandeja del café", "como mesa de centro pequeña"),
    },
}


def _table(stand: str, top: int) -> Style:
    price, look = TABLES[stand]
    height = {40: 45, 55: 50}[top]
    return Style(
        f"side-table-{stand}-{top}",
        "side table",
        {"stand": stand, "top": top * 10.0, "height": height * 10.0},
        {"table top": f"{top} cm", "height": f"{height} cm", "load": {40: "15 kg", 55: "25 kg"}[top]},
        price + (top - 40) * 1.2,
        codes=(f"{top} cm", f"{top} cm / H {height} cm"),
        look=look,
        uses=TABLE_USES[top],
    )


STYLES: tuple[Style, ...] = (
    *(_lamp(design, 420) for design in LAMPS),
    *(_lamp(design, 300) for design in ("drum", "empire")),
    *(_chair("oak", back) for back in BACKS),
    *(_chair("black", back) for back in ("slat", "spindle")),
    *(_stool(seat, height) for seat in STOOLS for height in (450, 650)),
    *(_table(stand, top) for stand in TABLES for top in (40, 55)),
)
