"""Mugs, bottles, bowls, vases, pots and jars."""

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
    "bowl": Vocabulary(
        "Home & Kitchen > Tableware > Bowls",
        {
            "en": ("serving bowl", "glazed bowl", "round bowl", "table bowl"),
            "de": ("Servierschale", "runde Schale", "glasierte Schüssel"),
            "es": ("cuenco para servir", "bol redondo", "bol esmaltado"),
        },
        {
            "en": ("for the table every day", "for the kitchen and the table"),
            "de": ("für den gedeckten Tisch", "für jeden Tag"),
            "es": ("para la mesa de cada día", "para cocina y mesa"),
        },
        {
            "en": ("every piece comes out of the kiln a little different", "foot ring left bare", "stacks well"),
            "de": ("jedes Stück ein wenig anders", "gut stapelbar"),
            "es": ("cada pieza es algo distinta", "se apila bien"),
        },
    ),
    "vase": Vocabulary(
        "Home & Kitchen > Home Decor > Vases",
        {
            "en": ("flower vase", "decorative vase", "vase for cut flowers", "ornamental vase"),
            "de": ("Blumenvase", "Dekovase", "Vase für Schnittblumen"),
            "es": ("florero", "jarrón decorativo", "jarrón para flores"),
        },
        {
            "en": ("for flowers and dried stems", "for sideboard and shelf"),
            "de": ("für frische und trockene Blumen", "für Regal und Tisch"),
            "es": ("para flores frescas o secas", "para estante y mesa"),
        },
        {
            "en": ("watertight inside", "stands firmly", "felt dots under the base"),
            "de": ("innen wasserdicht", "steht sicher"),
            "es": ("impermeable por dentro", "base estable"),
        },
    ),
    "saucepan": Vocabulary(
        "Home & Kitchen > Cookware > Pots",
        {
            "en": ("sauce pot", "cooking pot", "pot with sandwich base", "kitchen pot"),
            "de": ("Kochtopf", "Topf mit Sandwichboden", "Küchentopf"),
            "es": ("olla de cocina", "cazuela con fondo grueso", "olla con base difusora"),
        },
        {
            "en": ("for cooking on any stove", "for the home kitchen"),
            "de": ("für jeden Herd", "für die Küche zu Hause"),
            "es": ("para todo tipo de cocinas", "para la cocina de casa"),
        },
        {
            "en": ("the base spreads heat evenly", "pouring rim does not drip", "the handle stays cool"),
            "de": ("der Boden verteilt die Hitze gleichmäßig", "Schüttrand tropft nicht"),
            "es": ("la base reparte bien el calor", "borde antigoteo"),
        },
    ),
    "storage jar": Vocabulary(
        "Home & Kitchen > Food Storage > Jars",
        {
            "en": ("storage jar", "jar with lid", "pantry jar", "airtight canister"),
            "de": ("Vorratsdose", "Dose mit Deckel", "Vorratsbehälter luftdicht"),
            "es": ("tarro con tapa", "bote para despensa", "tarro hermético"),
        },
        {
            "en": ("for the pantry shelf", "keeps dry food fresh"),
            "de": ("für den Vorratsschrank", "hält Vorräte frisch"),
            "es": ("para la despensa", "conserva los alimentos secos"),
        },
        {
            "en": ("closes airtight", "wide mouth, easy to fill", "no smell, no taste"),
            "de": ("schließt luftdicht", "weite Öffnung"),
            "es": ("cierre hermético", "boca ancha"),
        },
    ),
}

# What each variant is for, by kind and variant.
USES: dict[str, Words] = {
    "mug 330": {
        "en": (
            "fits under most espresso machines",
            "for a quick coffee break",
            "the usual size for the office kitchen",
        ),
        "de": ("passt unter den Kaffeevollautomaten", "für die kurze Kaffeepause"),
        "es": ("cabe bajo la cafetera", "para la pausa del café"),
    },
    "mug 450": {
        "en": (
            "an extra large mug for tea lovers",
            "big enough for soup or muesli",
            "for long evenings with a whole pot of tea",
        ),
        "de": ("extra groß für Teetrinker", "auch für Suppe und Müsli"),
        "es": ("extra grande, para amantes del té", "sirve también para sopa"),
    },
    "bottle 500": {
        "en": ("small enough for a school bag", "for the school run and kids", "fits a lunch bag, for kids and school"),
        "de": ("passt in den Schulranzen", "für Schule und Kinder"),
        "es": ("cabe en la mochila escolar", "para niños y colegio"),
    },
    "bottle 750": {
        "en": ("for long hikes and bike rides", "for bike, trail and mountain tours", "enough for a day of hiking"),
        "de": ("für lange Wander- und Radtouren", "für den Bergtag"),
        "es": ("para rutas largas de montaña", "para ciclismo y senderismo"),
    },
    "bottle 1000": {
        "en": (
            "for camping and the building site",
            "tea for the whole family picnic",
            "for the gym bag and long car trips",
        ),
        "de": ("für Camping und Baustelle", "Tee für das Picknick mit der Familie"),
        "es": ("para acampada y obra", "té para el picnic familiar"),
    },
    "bowl 14": {
        "en": ("for muesli and porridge", "the breakfast bowl for one", "for cereal, soup or ice cream"),
        "de": ("für Müsli und Haferbrei", "die Frühstücksschale für eine Person"),
        "es": ("para cereales y avena", "el bol del desayuno"),
    },
    "bowl 22": {
        "en": (
            "for salad and pasta for the whole table",
            "the big salad bowl",
            "for fruit or a family helping of pasta",
        ),
        "de": ("für Salat und Nudeln", "die große Salatschüssel für die Familie"),
        "es": ("ensaladera para toda la mesa", "para ensalada, pasta o fruta"),
    },
    "vase 20": {
        "en": ("for short posies and tulips", "small enough for a window sill", "for the bedside table or a desk"),
        "de": ("für kurze Sträuße und Tulpen", "passt auf die Fensterbank"),
        "es": ("para ramos cortos y tulipanes", "cabe en la repisa de la ventana"),
    },
    "vase 30": {
        "en": (
            "for long-stemmed roses and pampas grass",
            "tall enough for gladioli",
            "a centrepiece for hall or sideboard",
        ),
        "de": ("für langstielige Rosen und Pampasgras", "für Flur und Anrichte"),
        "es": ("para rosas de tallo largo y plumeros", "para recibidor o aparador"),
    },
    "saucepan 16": {
        "en": ("for sauces, milk and two eggs", "the little pot for one or two", "warms milk, gravy or baby food"),
        "de": ("für Soßen, Milch und Eier", "der kleine Topf für den Singlehaushalt"),
        "es": ("para salsas, leche y huevos", "la olla pequeña para uno o dos"),
    },
    "saucepan 20": {
        "en": ("for pasta, stew and potatoes", "cooks soup for a family of four", "the big pot for Sunday stock"),
        "de": ("für Nudeln, Eintopf und Kartoffeln", "Suppe für vier Personen"),
        "es": ("para pasta, guisos y patatas", "sopa para una familia de cuatro"),
    },
    "jar 500": {
        "en": ("for spices, nuts and loose tea", "holds a small bag of coffee", "for jam, herbs and small treats"),
        "de": ("für Gewürze, Nüsse und Tee", "fasst eine kleine Tüte Kaffee"),
        "es": ("para especias, frutos secos y té", "para mermelada y hierbas"),
    },
    "jar 1000": {
        "en": ("for flour, sugar and rice", "takes a whole bag of pasta or lentils", "for oats and baking supplies"),
        "de": ("für Mehl, Zucker und Reis", "fasst eine ganze Packung Nudeln"),
        "es": ("para harina, azúcar y arroz", "cabe un paquete entero de pasta"),
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
        "black": "Schwarz",
        "coral": "Koralle",
        "diameter": "Durchmesser",
        "net weight": "Nettogewicht",
        "hob": "Herdart",
        "gasket": "Dichtring",
        "ceramic": "Keramik",
        "glass": "Glas",
        "hand wash": "Handwäsche",
        "induction": "Induktion",
        "silicone ring": "Silikonring",
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
        "black": "negro",
        "coral": "coral",
        "diameter": "diámetro",
        "net weight": "peso neto",
        "hob": "tipo de cocina",
        "gasket": "junta",
        "ceramic": "cerámica",
        "glass": "vidrio",
        "hand wash": "lavar a mano",
        "induction": "inducción",
        "silicone ring": "aro de silicona",
    },
}

SHORT: dict[str, str] = {"stainless steel": "SS", "stoneware": "STNWR", "dishwasher safe": "DW SAFE"}


# What a design looks like; a design reads the same in all its variants.
LOOKS: dict[str, Words] = {
    "banded": {"en": ("striped",), "de": ("gestreift",), "es": ("a rayas",)},
    "polka": {"en": ("dotted",), "de": ("gepunktet",), "es": ("con lunares",)},
    "owl": {"en": ("owl",), "de": ("Eule",), "es": ("búho",)},
    "fox": {"en": ("fox",), "de": ("Fuchs",), "es": ("zorro",)},
    "fern": {"en": ("fern",), "de": ("Farn",), "es": ("helecho",)},
    "hearts": {"en": ("hearts",), "de": ("Herzen",), "es": ("corazones",)},
    "reactive": {"en": ("reactive blue", "blue-grey"), "de": ("graublau",), "es": ("azul grisáceo",)},
    "bluerim": {"en": ("blue rim", "blue striped"), "de": ("mit blauem Rand",), "es": ("borde azul",)},
    "speckled": {"en": ("speckled",), "de": ("gesprenkelt",), "es": ("moteado",)},
    "rod": {"en": ("steel rod handle", "long steel handle"), "de": ("Stahlstiel",), "es": ("mango de acero",)},
    "bakelite": {"en": ("black handle",), "de": ("schwarzer Stiel",), "es": ("mango negro",)},
    "loops": {"en": ("two handles", "glass lid"), "de": ("zwei Griffe",), "es": ("dos asas",)},
    "bamboo": {"en": ("bamboo",), "de": ("Bambus",), "es": ("bambú",)},
    "clip": {"en": ("clip-top", "swing top"), "de": ("Bügelverschluss",), "es": ("cierre de clip",)},
    "screw": {"en": ("black lid",), "de": ("schwarzer Deckel",), "es": ("tapa negra",)},
}

INKS = {"fox": "#b5592b", "fern": "#4d6b45", "hearts": "#a3354a"}  # other motifs are blue
MUGS = {330: (41.0, 95.0, 7.9), 450: (45.0, 104.0, 9.4)}  # ml: radius, height, price


def _mug(design: str, ml: int) -> Style:
    radius, height, price = MUGS[ml]
    motif = {"banded": "stripes", "polka": "dots"}.get(design, design)
    ink = INKS.get(design, "#2f4f73")
    return Style(
        f"mug-{design}-{ml}",
        "mug",
        {"radius": radius, "height": height, "motif": motif, "ground": "#d9d2c3", "ink": ink, "inside": "dcd6c9"},
        {"capacity": f"{ml} ml", "material": "stoneware", "height": f"{height:.0f} mm", "care": "dishwasher safe"},
        price,
        codes=(f"{ml} ml",),
        look=LOOKS[design],
        uses=USES[f"mug {ml}"],
    )


PAINTS = {"steel": ("petrol", "2f5d62"), "black": ("black", "202123"), "coral": ("coral", "c8523b")}
BOTTLES = {500: (35.0, 225.0, 17.9), 750: (39.5, 262.0, 21.5), 1000: (43.5, 292.0, 25.9)}


def _bottle(design: str, ml: int) -> Style:
    radius, height, price = BOTTLES[ml]
    colour, paint = PAINTS[design]
    return Style(
        f"bottle-{design}-{ml}",
        "bottle",
        {"radius": radius, "height": height, "colour": paint, "lid": "1c1c1d"},
        {"capacity": f"{ml} ml", "material": "stainless steel", "colour": colour, "closure": "screw lid"},
        price,
        codes=(f"{ml} ml", f"{ml}ml"),
        uses=USES[f"bottle {ml}"],
    )


BOWLS = {14: (70.0, 66.0, 4.2, "550 ml", 8.5), 22: (110.0, 92.0, 5.4, "1800 ml", 19.5)}


def _bowl(design: str, cm: int) -> Style:
    radius, height, wall, capacity, price = BOWLS[cm]
    return Style(
        f"bowl-{design}-{cm}",
        "bowl",
        {"radius": radius, "height": height, "wall": wall, "glaze": design},
        {"diameter": f"{cm} cm", "capacity": capacity, "material": "stoneware", "care": "dishwasher safe"},
        price,
        codes=(f"{cm} cm", f"{cm}cm"),
        look=LOOKS[design],
        uses=USES[f"bowl {cm}"],
    )


VASE_GLAZES = {"bulb": "terracotta", "neck": "drip", "fluted": "chalk"}
VASES = {20: ("620 g", 16.9), 30: ("1350 g", 27.5)}


def _vase(design: str, cm: int) -> Style:
    weight, price = VASES[cm]
    flutes = {"flutes": 22} if design == "fluted" else {}
    return Style(
        f"vase-{design}-{cm * 10}",
        "vase",
        {"height": cm * 10.0, "form": design, "glaze": VASE_GLAZES[design], **flutes},
        {"height": f"{cm} cm", "material": "ceramic", "net weight": weight, "care": "hand wash"},
        price,
        codes=(f"{cm} cm", f"{cm}cm"),
        uses=USES[f"vase {cm}"],
    )


LIDS = {"rod": "none", "bakelite": "steel", "loops": "glass"}
POTS = {16: (80.0, 84.0, "1.5 l", 24.9), 20: (100.0, 98.0, "2.8 l", 32.9)}


def _saucepan(design: str, cm: int) -> Style:
    radius, height, capacity, price = POTS[cm]
    return Style(
        f"saucepan-{design}-{cm}",
        "saucepan",
        {"radius": radius, "height": height, "handle": design, "lid": LIDS[design]},
        {"diameter": f"{cm} cm", "capacity": capacity, "material": "stainless steel", "hob": "induction"},
        price,
        codes=(f"{cm} cm", f"{cm} cm {capacity}"),
        look=LOOKS[design],
        uses=USES[f"saucepan {cm}"],
    )


NECKS = {"bamboo": 1.0, "clip": 0.84, "screw": 0.86}  # in radii
JARS = {500: (45.0, 104.0, 6.9), 1000: (52.0, 146.0, 9.9)}


def _jar(design: str, ml: int) -> Style:
    radius, height, price = JARS[ml]
    return Style(
        f"jar-{design}-{ml}",
        "storage jar",
        {"radius": radius, "height": height, "neck": NECKS[design], "closure": design, "beans": design == "bamboo"},
        {"capacity": f"{ml} ml", "material": "glass", "diameter": f"{2 * radius:.0f} mm", "gasket": "silicone ring"},
        price,
        codes=(f"{ml} ml", f"{ml}ml"),
        look=LOOKS[design],
        uses=USES[f"jar {ml}"],
    )


STYLES: tuple[Style, ...] = (
    *(_mug(design, 330) for design in ("banded", "polka", "owl", "fox", "fern", "hearts")),
    *(_mug(design, 450) for design in ("banded", "owl", "fern")),
    *(_bottle(design, ml) for design in ("steel", "black", "coral") for ml in (500, 750)),
    _bottle("steel", 1000),
    *(_bowl(design, cm) for design in ("reactive", "bluerim", "speckled") for cm in BOWLS),
    *(_vase(design, cm) for design in VASE_GLAZES for cm in VASES),
    *(_saucepan(design, cm) for design in LIDS for cm in POTS),
    *(_jar(design, ml) for design in NECKS for ml in JARS),
)
