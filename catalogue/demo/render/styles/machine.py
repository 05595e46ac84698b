"""Gears, bearings, springs."""

from __future__ import annotations

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "spur gear": Vocabulary(
        "Power Transmission > Gears > Spur Gears",
        {
            "en": ("spur gear", "gear wheel with hub", "straight tooth gear", "pinion wheel"),
            "de": ("Stirnrad", "Zahnrad mit Nabe", "Stirnzahnrad geradverzahnt"),
            "es": ("engranaje recto", "rueda dentada", "piñón con cubo"),
        },
        {
            "en": ("for drives and gearboxes", "for CNC and robots", "replacement for conveyor drives"),
            "de": ("für Antriebe und Getriebe", "für Förderanlagen"),
            "es": ("para reductores", "para transmisiones"),
        },
        {
            "en": ("milled teeth, 20 degree pressure angle", "hub on one side", "lightly oiled"),
            "de": ("Eingriffswinkel 20 Grad", "einseitige Nabe"),
            "es": ("ángulo de presión 20 grados", "cubo a un lado"),
        },
    ),
    "ball bearing": Vocabulary(
        "Power Transmission > Bearings > Ball Bearings",
        {
            "en": ("ball bearing", "deep groove bearing", "sealed radial bearing", "bearing for motors"),
            "de": ("Kugellager", "Rillenkugellager", "Lager abgedichtet"),
            "es": ("rodamiento de bolas", "rodamiento rígido", "cojinete sellado"),
        },
        {
            "en": ("for electric motors and pumps", "for bicycles and power tools", "fits fans and rollers"),
            "de": ("für Motoren und Pumpen", "für Fahrrad und Werkzeug"),
            "es": ("para motores y bombas", "para bicicletas y herramientas"),
        },
        {
            "en": ("sealed both sides, greased for life", "quiet running", "chrome steel rings"),
            "de": ("beidseitig abgedichtet", "dauergeschmiert"),
            "es": ("sellado por ambos lados", "engrasado de por vida"),
        },
    ),
    "compression spring": Vocabulary(
        "Hardware > Springs > Compression Springs",
        {
            "en": ("compression spring", "pressure coil spring", "helical spring", "steel spring"),
            "de": ("Druckfeder", "Schraubenfeder", "Feder zylindrisch"),
            "es": ("muelle de compresión", "resorte helicoidal", "muelle de acero"),
        },
        {
            "en": ("for valves and jigs", "general mechanical use", "for repair and prototypes"),
            "de": ("für Ventile und Vorrichtungen", "für Reparaturen"),
            "es": ("para válvulas", "para reparaciones"),
        },
        {
            "en": ("ground flat at both ends", "pack of 10", "even pitch"),
            "de": ("Enden plan geschliffen", "10 Stück"),
            "es": ("extremos rectificados", "paquete de 10"),
        },
    ),
}

USES: dict[str, Words] = {
    "ball-bearing-6001-2rs": {
        "en": ("for e-scooter wheels and small fans", "fits scooters and fan motors", "for fans and scooter wheels"),
        "de": ("für Tretroller und Lüfter", "für kleine Lüftermotoren"),
        "es": ("para patinetes y ventiladores", "para ventiladores pequeños"),
    },
    "ball-bearing-6201-2rs": {
        "en": (
            "for alternators and motorcycle hubs",
            "fits car alternators and washing machines",
            "for motorcycle wheels and alternators",
        ),
        "de": ("für Lichtmaschine und Motorrad", "für Waschmaschinen und Motorräder"),
        "es": ("para alternadores y motos", "para lavadoras y alternadores"),
    },
}


TRANSLATIONS: Translations = {
    "de": {
        "module": "Modul",
        "teeth": "Zähnezahl",
        "bore": "Bohrung",
        "face width": "Zahnbreite",
        "type": "Typ",
        "outer diameter": "Außendurchmesser",
        "seal": "Dichtung",
        "wire": "Draht",
        "free length": "Länge ungespannt",
        "ends": "Enden",
        "C45 steel": "Stahl C45",
        "rubber": "Gummi",
        "spring steel": "Federstahl",
        "closed and ground": "angelegt und geschliffen",
    },
    "es": {
        "module": "módulo",
        "teeth": "dientes",
        "bore": "agujero",
        "face width": "ancho",
        "type": "tipo",
        "outer diameter": "diámetro exterior",
        "seal": "sello",
        "wire": "hilo",
        "free length": "longitud libre",
        "ends": "extremos",
        "C45 steel": "acero C45",
        "rubber": "goma",
        "spring steel": "acero para muelles",
        "closed and ground": "cerrados y rectificados",
    },
}

SHORT: dict[str, str] = {"spring steel": "SPR STL", "closed and ground": "C&G", "C45 steel": "C45"}


def _gear(style_id: str, holes: int, look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "spur gear",
        {"module": 2.0, "teeth": 30, "width": 14.0, "bore": 12.0, "hub": 8.0, "holes": holes, "colour": "a9abad"},
        {"module": "2", "teeth": "30", "bore": "12 mm", "face width": "14 mm", "material": "C45 steel"},
        14.5,
        codes=("module 2, 30 teeth", "M2 30T", "mod 2 z30"),
        look=look,
    )


def _bearing(style_id: str, code: str, bore: float, outer: float, width: float, price: float) -> Style:
    return Style(
        style_id,
        "ball bearing",
        {"bore": bore, "outer": outer, "width": width, "seal": "1d1d1f"},
        {
            "type": f"{code}-2RS",
            "bore": f"{bore:.0f} mm",
            "outer diameter": f"{outer:.0f} mm",
            "width": f"{width:.0f} mm",
            "seal": "rubber",
        },
        price,
        codes=(f"{code}-2RS", f"{code} 2RS", f"{bore:.0f}x{outer:.0f}x{width:.0f}"),
        uses=USES[style_id],
    )


STYLES: tuple[Style, ...] = (
    _gear("spur-gear-m2-z30-solid", 0, {"en": ("solid web",), "de": ("Vollscheibe",), "es": ("macizo",)}),
    _gear("spur-gear-m2-z30-light", 6, {"en": ("with holes",), "de": ("mit Bohrungen",), "es": ("aligerado",)}),
    _bearing("ball-bearing-6001-2rs", "6001", 12, 28, 8, 3.1),
    _bearing("ball-bearing-6201-2rs", "6201", 12, 32, 10, 3.6),
    Style(
        "spring-1x12x40",
        "compression spring",
        {"wire": 1.2, "outer": 12.0, "length": 40.0, "turns": 9.0, "colour": "bdbfc2"},
        {
            "wire": "1.2 mm",
            "outer diameter": "12 mm",
            "free length": "40 mm",
            "material": "spring steel",
            "ends": "closed and ground",
        },
        4.3,
        codes=("1.2 x 12 x 40 mm", "1.2x12x40"),
    ),
)
