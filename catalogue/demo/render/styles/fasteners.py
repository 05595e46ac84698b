"""Bolts, screws, nuts, washers."""

from __future__ import annotations

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "hex bolt": Vocabulary(
        "Fasteners > Bolts > Hex Bolts",
        {
            "en": ("hex bolt", "hexagon head screw", "hex cap screw full thread", "machine bolt"),
            "de": ("Sechskantschraube", "Maschinenschraube", "Schraube mit Sechskantkopf"),
            "es": ("tornillo hexagonal", "perno cabeza hexagonal", "tornillo métrico"),
        },
        {
            "en": ("for machines and steelwork", "general assembly", "for frames, brackets and repairs"),
            "de": ("für Maschinenbau", "für Metall- und Holzbau"),
            "es": ("para maquinaria", "para montaje general"),
        },
        {
            "en": ("full thread", "clean rolled thread", "bag of 50"),
            "de": ("Vollgewinde", "Beutel mit 50 Stück"),
            "es": ("rosca completa", "bolsa de 50"),
        },
    ),
    "socket cap screw": Vocabulary(
        "Fasteners > Screws > Socket Screws",
        {
            "en": ("socket cap screw", "allen bolt", "hex socket head screw", "cap head machine screw"),
            "de": ("Zylinderschraube mit Innensechskant", "Inbusschraube", "Innensechskantschraube"),
            "es": ("tornillo allen", "tornillo cabeza cilíndrica", "tornillo de hexágono interior"),
        },
        {
            "en": ("for jigs and fixtures", "for machine building", "for 3D printers and aluminium profiles"),
            "de": ("für Vorrichtungen", "für Maschinen und Aluprofile"),
            "es": ("para utillajes", "para máquinas y perfiles de aluminio"),
        },
        {
            "en": ("fully threaded", "knurled head for quick starting by hand", "bag of 25"),
            "de": ("Vollgewinde", "gerändelter Kopf", "25 Stück"),
            "es": ("rosca total", "cabeza moleteada", "bolsa de 25"),
        },
    ),
    "hex nut": Vocabulary(
        "Fasteners > Nuts",
        {
            "en": ("hex nut", "hexagon nut", "metric nut", "machine nut"),
            "de": ("Sechskantmutter", "Mutter metrisch", "Maschinenmutter"),
            "es": ("tuerca hexagonal", "tuerca métrica", "tuerca"),
        },
        {
            "en": ("for machines and steelwork", "for general assembly", "for repairs"),
            "de": ("für Maschinenbau", "für Montage und Reparatur"),
            "es": ("para maquinaria", "para montaje general"),
        },
        {
            "en": ("burr-free thread", "full strength", "runs freely by hand at first"),
            "de": ("gratfreies Gewinde", "volle Tragfähigkeit"),
            "es": ("rosca sin rebabas", "resistencia completa"),
        },
    ),
    "washer": Vocabulary(
        "Fasteners > Washers",
        {
            "en": ("washer", "metric washer", "bolt washer", "machine washer"),
            "de": ("Unterlegscheibe", "Scheibe metrisch", "Scheibe für Schrauben"),
            "es": ("arandela", "arandela métrica", "arandela para tornillo"),
        },
        {
            "en": ("for machines and steelwork", "for general assembly", "for repairs"),
            "de": ("für Maschinenbau", "für Montage und Reparatur"),
            "es": ("para maquinaria", "para montaje general"),
        },
        {
            "en": ("rust-proof", "clean, no burrs", "resealable bag"),
            "de": ("rostfrei", "gratarm gestanzt"),
            "es": ("inoxidable", "sin rebabas"),
        },
    ),
}

BOLT_USES: dict[str, Words] = {
    "M5x20": {
        "en": (
            "for bottle cages, mudguards and printer frames",
            "for bicycle racks and small mounts",
            "for switch boxes and bicycle parts",
        ),
        "de": ("für Flaschenhalter und Schutzbleche", "für Fahrradteile und Schaltkästen"),
        "es": ("para portabidones y guardabarros", "para bicicletas y cajas eléctricas"),
    },
    "M6x30": {
        "en": (
            "for sheet metal, cable trays and light brackets",
            "for light sheet metal work",
            "for housings and cable trays",
        ),
        "de": ("für Blech und Kabelbahnen", "für leichte Blechgehäuse"),
        "es": ("para chapa y bandejas de cable", "para carcasas de chapa fina"),
    },
    "M8x40": {
        "en": (
            "for machine beds, timber frames and trailers",
            "for heavy timber and trailer frames",
            "for trailers and machine frames",
        ),
        "de": ("für Maschinengestelle und Anhänger", "für Holzrahmen und Anhänger"),
        "es": ("para remolques y bastidores", "para bancadas y vigas de madera"),
    },
    "M10x50": {
        "en": (
            "for tractor implements, tow bars and steel girders",
            "for suspension arms and steel beams",
            "for ploughs, tow hitches and beams",
        ),
        "de": ("für Stahlträger und Anhängerkupplungen", "für Traktoren und Achsaufhängung"),
        "es": ("para tractores y enganches", "para vigas de acero y suspensión"),
    },
}

SOCKET_USES: dict[str, Words] = {
    "M5x16": {
        "en": (
            "for handlebar stems and 3D printer rails",
            "for bicycle stems and linear rails",
            "for brake levers, stems and camera rigs",
        ),
        "de": ("für Fahrradvorbau und 3D-Drucker", "für Linearschienen und Kameras"),
        "es": ("para potencias de bicicleta e impresoras 3D", "para guías lineales y cámaras"),
    },
    "M6x20": {
        "en": (
            "for aluminium profiles and vice jaws",
            "for slot profiles, motor mounts and vices",
            "for furniture frames and profile connectors",
        ),
        "de": ("für Aluprofile und Schraubstockbacken", "für Profilverbinder und Möbelgestelle"),
        "es": ("para perfiles ranurados y mordazas", "para soportes de motor y muebles"),
    },
    "M8x25": {
        "en": (
            "for mould bases, press tools and gearboxes",
            "for motorcycle engines and press tools",
            "for lathe tool posts and gearbox covers",
        ),
        "de": ("für Formenbau und Presswerkzeuge", "für Getriebedeckel und Drehbänke"),
        "es": ("para moldes y prensas", "para tornos y tapas de reductor"),
    },
}

SIZE_USES: dict[str, Words] = {
    "M6": {
        "en": (
            "for flat-pack furniture and shelving",
            "for cabinets, shelves and licence plates",
            "for furniture, toys and cable ducts",
        ),
        "de": ("für Möbel und Regale", "für Schränke und Kabelkanäle"),
        "es": ("para muebles y estanterías", "para armarios y canaletas"),
    },
    "M8": {
        "en": (
            "for garden gates, swings and exhaust clamps",
            "for swings, gates and roof racks",
            "for exhausts, fences and roof racks",
        ),
        "de": ("für Gartentor und Schaukel", "für Auspuff und Dachträger"),
        "es": ("para columpios y verjas", "para escapes y bacas"),
    },
    "M10": {
        "en": (
            "for scaffolding, boat trailers and anchors",
            "for wall anchors, gantries and scaffolding",
            "for ground anchors and boat trailers",
        ),
        "de": ("für Gerüste und Bootsanhänger", "für Maueranker und Krane"),
        "es": ("para andamios y anclajes", "para remolques de barco"),
    },
}


TRANSLATIONS: Translations = {
    "de": {
        "thread": "Gewinde",
        "grade": "Festigkeit",
        "standard": "Norm",
        "zinc-plated steel": "Stahl verzinkt",
        "steel": "Stahl",
        "hex key": "Schlüsselweite",
        "head diameter": "Kopfdurchmesser",
        "width across flats": "Schlüsselweite",
        "bolt diameter": "Schraubendurchmesser",
        "pack": "Packung",
        "class 8": "Klasse 8",
        "50 pieces": "50 Stück",
        "100 pieces": "100 Stück",
        "stainless steel A2": "Edelstahl A2",
    },
    "es": {
        "thread": "rosca",
        "grade": "calidad",
        "standard": "norma",
        "zinc-plated steel": "acero cincado",
        "steel": "acero",
        "hex key": "llave",
        "head diameter": "diámetro de cabeza",
        "width across flats": "entre caras",
        "bolt diameter": "diámetro del tornillo",
        "pack": "envase",
        "class 8": "clase 8",
        "50 pieces": "50 unidades",
        "100 pieces": "100 unidades",
        "stainless steel A2": "acero inoxidable A2",
    },
}

SHORT: dict[str, str] = {
    "zinc-plated steel": "ZN",
    "stainless steel A2": "A2 SS",
    "50 pieces": "50 PC",
    "100 pieces": "100 PC",
}

PITCH = {5: 0.8, 6: 1.0, 8: 1.25, 10: 1.5}
BLACK: Words = {"en": ("black", "black oxide"), "de": ("schwarz", "brüniert"), "es": ("negro", "pavonado")}
STAINLESS: Words = {
    "en": ("stainless", "A2 stainless"),
    "de": ("Edelstahl", "rostfrei"),
    "es": ("inoxidable", "inox A2"),
}


def _screw_codes(d: int, length: int) -> tuple[str, ...]:
    return f"M{d}x{length}", f"M{d} x {length} mm", f"M{d}-{PITCH[d]} x {length}"


def _bolt(d: int, length: int, across: float, price: float, black: bool = False) -> Style:
    size = f"M{d}x{length}"
    return Style(
        f"hex-bolt-{size.lower()}" + ("-black" if black else ""),
        "hex bolt",
        {
            "d": float(d),
            "length": float(length),
            "pitch": PITCH[d],
            "across": float(across),
            "head": d * 0.66,
            "colour": "323438" if black else "c4c5c0",
        },
        {
            "thread": f"M{d}",
            "length": f"{length} mm",
            "material": "steel" if black else "zinc-plated steel",
            "grade": "8.8",
            "standard": "DIN 933",
        },
        price,
        codes=_screw_codes(d, length),
        look=BLACK if black else {},
        uses=BOLT_USES[size],
    )


# Thread, length, head, key, price of DIN 912 screws.
SOCKETS = ((5, 16, 8.5, 4, 5.2), (6, 20, 10, 5, 6.6), (8, 25, 13, 6, 9.9))
FINISHES: tuple[tuple[str, str, float, float, Words], ...] = (
    ("stainless", "cdcecf", 0.2, 1.3, STAINLESS),
    ("black", "2e3034", 0.3, 1.0, BLACK),
)


def _sockets() -> list[Style]:
    return [
        Style(
            f"socket-cap-m{d}x{length}-{finish}",
            "socket cap screw",
            {
                "d": float(d),
                "length": float(length),
                "pitch": PITCH[d],
                "head": float(head),
                "key": float(key),
                "colour": colour,
                "rough": rough,
            },
            {
                "thread": f"M{d}",
                "length": f"{length} mm",
                "hex key": f"{key} mm",
                "head diameter": f"{head} mm",
                "standard": "DIN 912",
            },
            round(price * factor, 2),
            codes=_screw_codes(d, length),
            look=look,
            uses=SOCKET_USES[f"M{d}x{length}"],
        )
        for finish, colour, rough, factor, look in FINISHES
        for d, length, head, key, price in SOCKETS
    ]


NUT_LOOKS: dict[str, Words] = {
    "plain": {"en": ("plain", "standard"), "de": ("einfach",), "es": ("normal",)},
    "lock": {
        "en": ("nylon insert lock", "self-locking"),
        "de": ("selbstsichernd", "mit Klemmteil"),
        "es": ("autoblocante", "con inserto de nailon"),
    },
    "flange": {"en": ("flanged", "flange"), "de": ("mit Flansch",), "es": ("con brida", "con valona")},
}
# Form, thread, height, flange, price a bag.
NUTS = (
    ("plain", 6, 5.0, 0.0, 3.4),
    ("plain", 8, 6.5, 0.0, 4.9),
    ("plain", 10, 8.0, 0.0, 7.2),
    ("lock", 6, 6.0, 0.0, 4.6),
    ("lock", 8, 8.0, 0.0, 6.5),
    ("flange", 6, 6.0, 14.2, 4.9),
    ("flange", 8, 8.0, 17.9, 6.9),
)
ACROSS = {6: 10, 8: 13, 10: 17}


def _nuts() -> list[Style]:
    return [
        Style(
            f"hex-nut-m{d}-{form}",
            "hex nut",
            {
                "form": form,
                "d": float(d),
                "across": float(ACROSS[d]),
                "height": height,
                "flange": flange,
                "pitch": PITCH[d],
                "colour": "b9bab7",
            },
            {
                "thread": f"M{d}",
                "width across flats": f"{ACROSS[d]} mm",
                "material": "zinc-plated steel",
                "grade": "class 8",
                "pack": "50 pieces",
            },
            price,
            codes=(f"M{d}", f"M{d}x{PITCH[d]}"),
            look=NUT_LOOKS[form],
            uses=SIZE_USES[f"M{d}"],
        )
        for form, d, height, flange, price in NUTS
    ]


WASHER_LOOKS: dict[str, Words] = {
    "flat": {"en": ("flat", "plain flat"), "de": ("flach",), "es": ("plana",)},
    "spring": {"en": ("split lock", "spring lock"), "de": ("gesprengt", "federnd"), "es": ("grower", "elástica")},
    "tooth": {
        "en": ("external tooth", "serrated lock"),
        "de": ("außenverzahnt", "gezahnt"),
        "es": ("dentada", "estrellada"),
    },
}
# Form, thread, inner, outer, thickness, price a bag: DIN 125, DIN 127, DIN 6797 A.
WASHERS = (
    ("flat", 6, 6.4, 12.0, 1.6, 3.2),
    ("flat", 8, 8.4, 16.0, 1.6, 4.4),
    ("flat", 10, 10.5, 20.0, 2.0, 6.1),
    ("spring", 6, 6.1, 11.8, 1.6, 3.6),
    ("spring", 8, 8.1, 14.8, 2.0, 4.9),
    ("spring", 10, 10.2, 18.1, 2.2, 6.6),
    ("tooth", 6, 6.4, 11.0, 0.7, 3.9),
    ("tooth", 8, 8.4, 15.0, 0.8, 5.3),
    ("tooth", 10, 10.5, 18.0, 0.9, 7.4),
)


def _washers() -> list[Style]:
    return [
        Style(
            f"washer-m{d}-{form}",
            "washer",
            {"form": form, "inner": inner, "outer": outer, "thick": thick, "teeth": 12},
            {
                "size": f"M{d}",
                "bolt diameter": f"{d} mm",
                "material": "stainless steel A2",
                "pack": "100 pieces",
            },
            price,
            codes=(f"M{d}",),
            look=WASHER_LOOKS[form],
            uses=SIZE_USES[f"M{d}"],
        )
        for form, d, inner, outer, thick, price in WASHERS
    ]


STYLES: tuple[Style, ...] = (
    _bolt(6, 30, 10, 6.4),
    _bolt(8, 40, 13, 9.8),
    _bolt(5, 20, 8, 4.9),
    _bolt(10, 50, 17, 15.2),
    _bolt(6, 30, 10, 6.9, black=True),
    _bolt(8, 40, 13, 10.6, black=True),
    *_sockets(),
    *_nuts(),
    *_washers(),
)
