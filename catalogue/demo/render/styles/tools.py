"""Hand tools."""

from __future__ import annotations

from typing import Any

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "screwdriver": Vocabulary(
        "Tools > Hand Tools > Screwdrivers",
        {
            "en": ("screwdriver", "workshop screwdriver", "hand screwdriver", "mechanic's screwdriver"),
            "de": ("Schraubendreher", "Werkstatt-Schraubenzieher", "Schraubenzieher"),
            "es": ("destornillador", "destornillador de taller", "desarmador"),
        },
        {
            "en": ("for workshop and household", "for fitters and electricians", "for daily work"),
            "de": ("für Werkstatt und Haushalt", "für Monteure"),
            "es": ("para taller y hogar", "para profesionales"),
        },
        {
            "en": ("magnetic tip", "blade cannot turn in the handle", "precisely machined tip"),
            "de": ("magnetische Spitze", "Klinge dreht sich nicht im Griff"),
            "es": ("punta magnética", "punta mecanizada con precisión"),
        },
    ),
    "hammer": Vocabulary(
        "Tools > Hand Tools > Hammers",
        {
            "en": ("hammer", "hand hammer", "workshop hammer", "steel hammer"),
            "de": ("Hammer", "Handhammer", "Werkstatthammer"),
            "es": ("martillo", "martillo de mano", "martillo de taller"),
        },
        {
            "en": ("for workshop and site", "for the toolbox at home", "for carpenters and fitters"),
            "de": ("für Werkstatt und Baustelle", "für den Werkzeugkasten"),
            "es": ("para taller y obra", "para la caja de herramientas"),
        },
        {
            "en": ("drop forged and hardened face", "well balanced in the hand", "head cannot work loose"),
            "de": ("geschmiedet, Bahn gehärtet", "liegt gut in der Hand"),
            "es": ("cabeza forjada y templada", "bien equilibrado"),
        },
    ),
    "wrench": Vocabulary(
        "Tools > Hand Tools > Wrenches",
        {
            "en": ("wrench", "metric spanner", "workshop spanner", "mechanic's wrench"),
            "de": ("Schraubenschlüssel", "Schlüssel metrisch", "Werkstattschlüssel"),
            "es": ("llave", "llave de taller", "llave métrica"),
        },
        {
            "en": ("for nuts and hex bolts", "for garage and workshop", "for mechanics"),
            "de": ("für Muttern und Sechskantschrauben", "für Garage und Werkstatt"),
            "es": ("para tuercas y tornillos hexagonales", "para garaje y taller"),
        },
        {
            "en": ("does not round off the corners", "drop forged", "jaw offset by 15 degrees"),
            "de": ("schont die Schraubenkanten", "im Gesenk geschmiedet"),
            "es": ("no redondea las aristas", "forjada en estampa"),
        },
    ),
    "paint brush": Vocabulary(
        "Tools > Painting > Paint Brushes",
        {
            "en": ("paint brush", "flat brush", "painter's brush", "brush for paint and varnish"),
            "de": ("Flachpinsel", "Malerpinsel", "Lackpinsel"),
            "es": ("brocha plana", "brocha de pintor", "paletina"),
        },
        {
            "en": ("for paint, varnish and glaze", "for decorators", "for indoor and outdoor work"),
            "de": ("für Lacke und Lasuren", "für Maler und Heimwerker"),
            "es": ("para pinturas y barnices", "para pintores"),
        },
        {
            "en": ("does not shed hairs", "holds a lot of paint", "leaves hardly a stroke"),
            "de": ("verliert keine Haare", "nimmt viel Farbe auf"),
            "es": ("no pierde pelo", "carga mucha pintura"),
        },
    ),
    "pliers": Vocabulary(
        "Tools > Hand Tools > Pliers",
        {
            "en": ("combination pliers", "lineman pliers", "pliers with wire cutter", "universal pliers"),
            "de": ("Kombizange", "Kombinationszange", "Universalzange"),
            "es": ("alicate universal", "alicates de combinación", "alicate con corte"),
        },
        {
            "en": ("for gripping, bending and cutting", "for the toolbox", "for daily work"),
            "de": ("zum Greifen, Biegen und Schneiden", "für den Werkzeugkasten"),
            "es": ("para sujetar, doblar y cortar", "para el trabajo diario"),
        },
        {
            "en": ("induction hardened cutting edges", "smooth joint without play", "serrated jaws with pipe grip"),
            "de": ("gehärtete Schneiden", "spielfreies Gelenk"),
            "es": ("filos templados", "articulación sin holgura"),
        },
    ),
}

# What a variant is for, by kind and size.
USES: dict[str, Words] = {
    "driver PH1": {
        "en": (
            "for small cross-head screws in appliances",
            "fits battery covers and hinges",
            "for toys and appliances",
        ),
        "de": ("für kleine Kreuzschlitzschrauben in Geräten", "für Spielzeug und Batteriefächer"),
        "es": ("para tornillos pequeños de estrella", "para juguetes y electrodomésticos"),
    },
    "driver PH2": {
        "en": ("for cross-head wood and drywall screws", "fits cross-head screws", "for furniture and drywall screws"),
        "de": ("für Kreuzschlitzschrauben und Möbel", "für Schnellbauschrauben"),
        "es": ("para tornillos de estrella y muebles", "para placas de yeso"),
    },
    "driver 4 mm": {
        "en": ("for light switches and sockets", "fits terminal strips", "for narrow slots in switches and plugs"),
        "de": ("für Lichtschalter und Steckdosen", "für Lüsterklemmen"),
        "es": ("para interruptores y enchufes", "para regletas de conexión"),
    },
    "driver 6.5 mm": {
        "en": (
            "for flat-head screws and terminals",
            "fits slotted screws and hose clamps",
            "for terminals and hose clamps",
        ),
        "de": ("für Schlitzschrauben und Klemmen", "für Schlauchschellen"),
        "es": ("para tornillos ranurados y bornes", "para abrazaderas"),
    },
    "driver TX20": {
        "en": ("for star-socket decking screws", "fits six-lobe chipboard screws", "for bicycle discs and car trim"),
        "de": ("für Innensechsrund- und Terrassenschrauben", "für Bremsscheiben am Fahrrad"),
        "es": ("para tornillos de seis lóbulos", "para tarima y discos de freno"),
    },
    "hammer 300": {
        "en": ("for panel pins and picture hooks", "light enough for small nails", "for trim and picture nails"),
        "de": ("für Stifte und Bilderhaken", "leicht, für kleine Nägel"),
        "es": ("para clavos pequeños y cuadros", "ligero, para molduras"),
    },
    "hammer 500": {
        "en": (
            "for framing nails and chisels",
            "heavy enough for stakes and long nails",
            "for roof battens and chisel work",
        ),
        "de": ("für Zimmermannsnägel und Meißel", "für Dachlatten und lange Nägel"),
        "es": ("para clavos largos y cinceles", "para encofrado y vigas"),
    },
    "wrench 10": {
        "en": ("for M6 bolts and battery clamps", "fits M6 nuts", "for battery terminals and small engines"),
        "de": ("für M6-Schrauben und Batterieklemmen", "für M6-Muttern"),
        "es": ("para tornillos M6 y bornes de batería", "para tuercas M6"),
    },
    "wrench 13": {
        "en": ("for M8 bolts and seat posts", "fits M8 nuts", "for brackets, clamps and M8 threads"),
        "de": ("für M8-Schrauben und Sattelstützen", "für M8-Muttern"),
        "es": ("para tornillos M8 y soportes", "para tuercas M8"),
    },
    "wrench 17": {
        "en": ("for M10 bolts and oil drain plugs", "fits M10 nuts", "for wheel axles and drain plugs"),
        "de": ("für M10-Schrauben und Ölablass", "für M10-Muttern"),
        "es": ("para tornillos M10 y tapón de cárter", "para tuercas M10"),
    },
    "brush 25": {
        "en": ("for window bars and edges", "for cutting in corners", "for touching up narrow trim"),
        "de": ("für Fenstersprossen und Kanten", "zum Ausbessern in Ecken"),
        "es": ("para cantos y retoques", "para marcos estrechos de ventana"),
    },
    "brush 50": {
        "en": ("for doors and chairs", "for skirting boards and radiators", "for furniture and door frames"),
        "de": ("für Türen und Stühle", "für Fußleisten und Heizkörper"),
        "es": ("para puertas y sillas", "para rodapiés y radiadores"),
    },
    "brush 70": {
        "en": ("for fences and garden sheds", "for large boards and facades", "for decking and wide planks"),
        "de": ("für Zäune und Gartenhaus", "für große Flächen und Dielen"),
        "es": ("para vallas y casetas", "para grandes superficies y tarimas"),
    },
    "pliers 160": {
        "en": ("for cable work and tight spaces", "fits a belt pouch", "for thin wire and switch boxes"),
        "de": ("für Kabel und enge Stellen", "passt in die Gürteltasche"),
        "es": ("para cables y sitios estrechos", "cabe en la bolsa del cinturón"),
    },
    "pliers 200": {
        "en": ("for fence wire and thick cable", "long lever for hard wire", "for rebar ties and fencing"),
        "de": ("für Zaundraht und dicke Kabel", "langer Hebel für harten Draht"),
        "es": ("para alambre de vallas y cable grueso", "palanca larga para alambre duro"),
    },
}


TRANSLATIONS: Translations = {
    "de": {
        "tip": "Klinge",
        "blade length": "Klingenlänge",
        "Phillips": "Kreuzschlitz",
        "slotted": "Schlitz",
        "hexalobular": "Innensechsrund",
        "chrome vanadium steel": "Chrom-Vanadium-Stahl",
        "head weight": "Kopfgewicht",
        "head": "Kopf",
        "forged steel": "Stahl geschmiedet",
        "hardness": "Härte",
        "bristles": "Borsten",
        "44 mm mixed bristle": "44 mm Mischborste",
        "54 mm mixed bristle": "54 mm Mischborste",
        "60 mm mixed bristle": "60 mm Mischborste",
        "suited to": "geeignet für",
        "all paints": "alle Farben",
        "cuts": "schneidet",
        "hard wire 1.6 mm": "harten Draht 1,6 mm",
        "hard wire 2.2 mm": "harten Draht 2,2 mm",
    },
    "es": {
        "tip": "punta",
        "blade length": "largo de varilla",
        "Phillips": "Phillips",
        "slotted": "plano",
        "hexalobular": "hexalobular",
        "chrome vanadium steel": "acero al cromo vanadio",
        "head weight": "peso de la cabeza",
        "head": "cabeza",
        "forged steel": "acero forjado",
        "hardness": "dureza",
        "bristles": "cerdas",
        "44 mm mixed bristle": "cerda mixta 44 mm",
        "54 mm mixed bristle": "cerda mixta 54 mm",
        "60 mm mixed bristle": "cerda mixta 60 mm",
        "suited to": "apta para",
        "all paints": "todo tipo de pinturas",
        "cuts": "corta",
        "hard wire 1.6 mm": "alambre duro 1,6 mm",
        "hard wire 2.2 mm": "alambre duro 2,2 mm",
    },
}

SHORT: dict[str, str] = {"chrome vanadium steel": "CR-V", "forged steel": "FORGED", "hexalobular": "6-LOBE"}

# Look words by design; the red and black screwdriver is the plain one nobody describes.
Design = tuple[dict[str, Any], Words]

RED: Design = ({"colour": "c23a22", "core": "1b1b1c"}, {})
AMBER: Design = (
    {"colour": "ffcf2e", "core": "1b1b1c", "grip": "clear"},
    {"en": ("clear amber handle", "translucent yellow"), "de": ("Griff bernsteingelb",), "es": ("mango ámbar",)},
)

# size: tip, tip's shape, blade length, shaft, handle, price
TIPS: dict[str, tuple[str, dict[str, Any], int, float, float, float]] = {
    "PH1": ("Phillips", {"tip": "phillips"}, 80, 5.0, 98.0, 5.4),
    "PH2": ("Phillips", {"tip": "phillips"}, 100, 6.0, 105.0, 6.2),
    "4 mm": ("slotted", {"tip": "slotted", "tip_width": 4.0}, 100, 4.0, 92.0, 4.9),
    "6.5 mm": ("slotted", {"tip": "slotted", "tip_width": 6.5}, 100, 6.0, 105.0, 6.2),
    "TX20": ("hexalobular", {"tip": "torx", "tip_width": 3.9}, 100, 5.0, 100.0, 6.8),
}


def _driver(style_id: str, size: str, design: Design) -> Style:
    tip, shape, blade, shaft, handle, price = TIPS[size]
    drawn, look = design
    return Style(
        style_id,
        "screwdriver",
        {"blade": float(blade), "handle": handle, "shaft": shaft, **drawn, **shape},
        {"tip": tip, "size": size, "blade length": f"{blade} mm", "material": "chrome vanadium steel"},
        price,
        codes=(f"{size} x {blade} mm", f"{size} x {blade}" if size.endswith("mm") else f"{size}x{blade}"),
        look=look,
        uses=USES[f"driver {size}"],
    )


DRIVERS: tuple[Style, ...] = (
    _driver("screwdriver-ph2-100", "PH2", RED),
    _driver("screwdriver-sl65-100", "6.5 mm", RED),
    _driver("screwdriver-ph1-80", "PH1", RED),
    _driver("screwdriver-tx20-100", "TX20", RED),
    _driver("screwdriver-amber-ph2-100", "PH2", AMBER),
    _driver("screwdriver-amber-sl65-100", "6.5 mm", AMBER),
    _driver("screwdriver-amber-sl4-100", "4 mm", AMBER),
    _driver("screwdriver-amber-tx20-100", "TX20", AMBER),
)

HAMMERS: dict[str, Design] = {
    "claw-wood": (
        {"head": "claw", "handle": "wood", "steel": "77797d"},
        {
            "en": ("wooden-handled claw", "wood-shaft claw"),
            "de": ("mit Klaue und Holzstiel",),
            "es": ("de uña con mango de madera",),
        },
    ),
    "claw-grip": (
        {"head": "claw", "handle": "rubber", "steel": "a9abae"},
        {
            "en": ("rubber-grip claw", "fibreglass claw"),
            "de": ("mit Klaue und Gummigriff",),
            "es": ("de uña con mango de goma",),
        },
    ),
    "ball-pein": (
        {"head": "ball", "handle": "wood", "steel": "8f9194"},
        {"en": ("ball pein", "ball peen"), "de": ("mit Kugelfinne",), "es": ("de bola",)},
    ),
}


def _hammer(name: str, weight: int) -> Style:
    shape, look = HAMMERS[name]
    length = {300: 290, 500: 320}[weight]
    return Style(
        f"hammer-{name}-{weight}",
        "hammer",
        {"size": {300: 0.86, 500: 1.0}[weight], "length": float(length), **shape},
        {"head weight": f"{weight} g", "length": f"{length} mm", "head": "forged steel"},
        {300: 11.4, 500: 14.2}[weight],
        codes=(f"{weight} g", f"{weight}g"),
        look=look,
        uses=USES[f"hammer {weight}"],
    )


WRENCHES: dict[str, Words] = {
    "combination": {
        "en": ("combination", "ring-and-open-end"),
        "de": ("Ring und Maul",),
        "es": ("combinada",),
    },
    "open": {"en": ("double open-ended", "two-jaw"), "de": ("Doppelmaul",), "es": ("de dos bocas",)},
    "ratchet": {"en": ("ratcheting", "ratchet-ring"), "de": ("mit Ringratsche",), "es": ("de carraca",)},
}


def _wrench(design: str, size: int) -> Style:
    length = {10: 140, 13: 170, 17: 205}[size]
    return Style(
        f"wrench-{design}-{size}",
        "wrench",
        {"size": float(size), "length": float(length), "design": design},
        {
            "size": f"{size} mm",
            "length": f"{length} mm",
            "material": "chrome vanadium steel",
            "hardness": "42 HRC",
        },
        {10: 4.6, 13: 5.8, 17: 8.2}[size],
        codes=(f"{size} mm", f"{size}mm"),
        look=WRENCHES[design],
        uses=USES[f"wrench {size}"],
    )


BRUSHES: dict[str, Design] = {
    "wood": (
        {"grip": "wood", "ferrule": "c9cacc", "bristle": ("eadfc8", "a8916c")},
        {"en": ("wooden handle", "beech handle"), "de": ("Holzstiel",), "es": ("mango de madera",)},
    ),
    "plastic": (
        {
            "grip": "plastic",
            "ferrule": "b9a46c",
            "bristle": ("4a3a2c", "1d1511"),
            "colour": "1f6f9c",
            "accent": "1b1c1e",
        },
        {"en": ("blue plastic handle", "dark-bristled"), "de": ("Kunststoffgriff blau",), "es": ("mango de plástico",)},
    ),
}


def _brush(name: str, width: int) -> Style:
    shape, look = BRUSHES[name]
    hair, handle = {25: (44, 128), 50: (54, 138), 70: (60, 146)}[width]
    return Style(
        f"paint-brush-{name}-{width}",
        "paint brush",
        {"width": float(width), "thick": {25: 9.0, 50: 13.0, 70: 15.0}[width], "hair": hair, "handle": handle, **shape},
        {"width": f"{width} mm", "bristles": f"{hair} mm mixed bristle", "suited to": "all paints"},
        {25: 2.6, 50: 4.3, 70: 6.1}[width],
        codes=(f"{width} mm", f"{width}mm"),
        look=look,
        uses=USES[f"brush {width}"],
    )


PLIERS: dict[str, Words] = {
    "dipped": {"en": ("red-handled", "red dipped handles"), "de": ("rot getaucht",), "es": ("mangos rojos",)},
    "cushion": {
        "en": ("blue-handled", "blue cushion grip"),
        "de": ("blauer Mehrkomponentengriff",),
        "es": ("mangos azules",),
    },
}


def _pliers(grip: str, length: int) -> Style:
    return Style(
        f"pliers-{grip}-{length}",
        "pliers",
        {"length": float(length), "grip": grip},
        {
            "length": f"{length} mm",
            "cuts": {160: "hard wire 1.6 mm", 200: "hard wire 2.2 mm"}[length],
            "material": "chrome vanadium steel",
        },
        {160: 12.4, 200: 15.6}[length],
        codes=(f"{length} mm", f"{length}mm"),
        look=PLIERS[grip],
        uses=USES[f"pliers {length}"],
    )


STYLES: tuple[Style, ...] = (
    *DRIVERS,
    *(_hammer(name, weight) for name in HAMMERS for weight in (300, 500)),
    *(_wrench(design, size) for design in WRENCHES for size in (10, 13, 17)),
    *(_brush(name, width) for name in BRUSHES for width in (25, 50, 70)),
    *(_pliers(grip, length) for grip in PLIERS for length in (160, 200)),
)
