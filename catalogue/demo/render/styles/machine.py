"""Gears, bearings, springs, pipe fittings."""

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
            "en": ("ball bearing", "deep groove bearing", "radial ball bearing", "bearing for motors"),
            "de": ("Kugellager", "Rillenkugellager", "Radiallager"),
            "es": ("rodamiento de bolas", "rodamiento rígido", "cojinete de bolas"),
        },
        {
            "en": ("for electric motors and pumps", "for bicycles and power tools", "fits fans and rollers"),
            "de": ("für Motoren und Pumpen", "für Fahrrad und Werkzeug"),
            "es": ("para motores y bombas", "para bicicletas y herramientas"),
        },
        {
            "en": ("closed both sides, greased for life", "quiet running", "chrome steel rings"),
            "de": ("beidseitig geschlossen", "dauergeschmiert"),
            "es": ("cerrado por ambos lados", "engrasado de por vida"),
        },
    ),
    "compression spring": Vocabulary(
        "Hardware > Springs > Compression Springs",
        {
            "en": ("compression spring", "pressure coil spring", "helical spring", "steel spring"),
            "de": ("Druckfeder", "Schraubenfeder", "Spiraldruckfeder"),
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
    "extension spring": Vocabulary(
        "Hardware > Springs > Extension Springs",
        {
            "en": ("extension spring", "tension spring", "pull spring", "coil tension spring"),
            "de": ("Zugfeder", "Zugfeder aus Draht", "Spiralzugfeder"),
            "es": ("muelle de tracción", "resorte de tensión", "muelle de tiro"),
        },
        {
            "en": ("general mechanical use", "for repair and prototypes", "for levers and flaps"),
            "de": ("für Hebel und Klappen", "für Reparaturen"),
            "es": ("para palancas", "para reparaciones"),
        },
        {
            "en": ("close wound", "pack of 5", "even initial tension"),
            "de": ("eng gewickelt", "5 Stück"),
            "es": ("espiras juntas", "paquete de 5"),
        },
    ),
    "pipe fitting": Vocabulary(
        "Plumbing > Pipe Fittings > Threaded Fittings",
        {
            "en": ("pipe fitting", "threaded fitting", "plumbing fitting", "water pipe connector"),
            "de": ("Gewindefitting", "Rohrverbinder mit Gewinde", "Fitting"),
            "es": ("accesorio roscado", "racor roscado", "accesorio de tubería"),
        },
        {
            "en": ("for water and heating", "for pipework and tanks", "for workshop and garden"),
            "de": ("für Wasser und Heizung", "für Werkstatt und Garten"),
            "es": ("para agua y calefacción", "para taller y jardín"),
        },
        {
            "en": ("cleanly cut thread", "pressure tested", "thick walls"),
            "de": ("sauber geschnittenes Gewinde", "druckgeprüft"),
            "es": ("rosca limpia", "probado a presión"),
        },
    ),
}

USES: dict[str, Words] = {
    "module 1.5": {
        "en": (
            "for lawn mowers, printers and hobby lathes",
            "for hobby lathes and feed rollers",
            "for small robots and mower drives",
        ),
        "de": ("für Rasenmäher und Hobbydrehbank", "für kleine Roboter"),
        "es": ("para cortacéspedes y tornos pequeños", "para robots pequeños"),
    },
    "module 2": {
        "en": (
            "for conveyors, winches and milling machines",
            "for packing lines and hoists",
            "for winches and conveyor gearboxes",
        ),
        "de": ("für Förderbänder und Winden", "für Fräsmaschinen und Hebezeuge"),
        "es": ("para cintas transportadoras y cabrestantes", "para fresadoras"),
    },
    "6001": {
        "en": ("for e-scooter wheels and small fans", "fits scooters and fan motors", "for fans and scooter wheels"),
        "de": ("für Tretroller und Lüfter", "für kleine Lüftermotoren"),
        "es": ("para patinetes y ventiladores", "para ventiladores pequeños"),
    },
    "6201": {
        "en": (
            "for alternators and motorcycle hubs",
            "fits car alternators and washing machines",
            "for motorcycle wheels and alternators",
        ),
        "de": ("für Lichtmaschine und Motorrad", "für Waschmaschinen und Motorräder"),
        "es": ("para alternadores y motos", "para lavadoras y alternadores"),
    },
    "6202": {
        "en": (
            "for angle grinders, garden pumps and quad bikes",
            "fits pool pumps and idler pulleys",
            "for quad wheels, grinders and pulleys",
        ),
        "de": ("für Winkelschleifer und Gartenpumpe", "für Quad und Spannrollen"),
        "es": ("para amoladoras y bombas de piscina", "para poleas tensoras y quads"),
    },
    "compression 1.2 mm": {
        "en": (
            "for push buttons, latches and soap pumps",
            "for light plungers and latches",
            "for door latches and dispensers",
        ),
        "de": ("für Taster und Riegel", "für Spender und leichte Stößel"),
        "es": ("para pulsadores y pestillos", "para dosificadores"),
    },
    "compression 1.6 mm": {
        "en": (
            "for relief valves, clamps and punching tools",
            "for toggle clamps and punches",
            "for stiff valves and press tools",
        ),
        "de": ("für Überdruckventile und Stanzen", "für Spannvorrichtungen"),
        "es": ("para válvulas de alivio y troqueles", "para mordazas de apriete"),
    },
    "extension 1.2 mm": {
        "en": (
            "for screen doors, pedals and carburettors",
            "for throttle return and pedals",
            "for fly screens and throttle levers",
        ),
        "de": ("für Gaszug und Fliegengitter", "für Pedale und Vergaser"),
        "es": ("para aceleradores y mosquiteras", "para pedales y carburadores"),
    },
    "extension 1.6 mm": {
        "en": (
            "for brake shoes, centre stands and gate closers",
            "for kick stands and drum brakes",
            "for gates, centre stands and brakes",
        ),
        "de": ("für Bremsbacken und Hauptständer", "für Torschließer"),
        "es": ("para zapatas de freno y caballetes", "para cierres de verja"),
    },
    "G 1/2": {
        "en": (
            "for taps, showers and radiators",
            "for shower mixers and cisterns",
            "for bathroom taps and washing machines",
        ),
        "de": ("für Wasserhahn und Dusche", "für Heizkörper und Spülkasten"),
        "es": ("para grifos y duchas", "para radiadores y cisternas"),
    },
    "G 3/4": {
        "en": (
            "for garden standpipes, boilers and meters",
            "for rain barrels and water meters",
            "for boilers, irrigation and rain tanks",
        ),
        "de": ("für Regentonne und Wasserzähler", "für Kessel und Gartenleitung"),
        "es": ("para riego y contadores de agua", "para calderas y depósitos"),
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
        "wire": "Draht",
        "free length": "Länge ungespannt",
        "ends": "Enden",
        "C45 steel": "Stahl C45",
        "spring steel": "Federstahl",
        "closed and ground": "angelegt und geschliffen",
        "total length": "Gesamtlänge",
        "winding": "Wicklung",
        "right-hand": "rechts",
        "pipe thread": "Rohrgewinde",
        "nominal size": "Nennweite",
        "max pressure": "Druck max.",
        "max temperature": "Temperatur max.",
        "medium": "Medium",
        "water": "Wasser",
        "chrome steel": "Chromstahl",
    },
    "es": {
        "module": "módulo",
        "teeth": "dientes",
        "bore": "agujero",
        "face width": "ancho",
        "type": "tipo",
        "outer diameter": "diámetro exterior",
        "wire": "hilo",
        "free length": "longitud libre",
        "ends": "extremos",
        "C45 steel": "acero C45",
        "spring steel": "acero para muelles",
        "closed and ground": "cerrados y rectificados",
        "total length": "longitud total",
        "winding": "enrollado",
        "right-hand": "a derechas",
        "pipe thread": "rosca de tubo",
        "nominal size": "diámetro nominal",
        "max pressure": "presión máx.",
        "max temperature": "temperatura máx.",
        "medium": "medio",
        "water": "agua",
        "chrome steel": "acero al cromo",
    },
}

SHORT: dict[str, str] = {
    "spring steel": "SPR STL",
    "closed and ground": "C&G",
    "C45 steel": "C45",
    "chrome steel": "CR STL",
}


def _gear(module: float, design: str, width: float, bore: float, hub: float, price: float) -> Style:
    m = f"{module:g}"
    return Style(
        f"spur-gear-m{m.replace('.', '')}-z30-{design}",
        "spur gear",
        {
            "module": module,
            "teeth": 30,
            "width": width,
            "bore": bore,
            "hub": hub,
            "holes": 6 if design == "light" else 0,
            "spokes": 5 if design == "spoked" else 0,
            "colour": "a9abad",
        },
        {
            "module": m,
            "teeth": "30",
            "bore": f"{bore:.0f} mm",
            "face width": f"{width:.0f} mm",
            "material": "C45 steel",
        },
        price,
        codes=(f"module {m}, 30 teeth", f"M{m} 30T", f"mod {m} z30"),
        uses=USES[f"module {m}"],
    )


BEARING_LOOKS: dict[str, Words] = {
    "2rs": {"en": ("2RS", "rubber sealed"), "de": ("2RS", "mit Gummidichtung"), "es": ("2RS", "con sello de goma")},
    "zz": {"en": ("ZZ", "metal shielded"), "de": ("ZZ", "mit Blechdeckel"), "es": ("ZZ", "con tapa metálica")},
}


def _bearing(code: str, form: str, bore: float, outer: float, width: float, price: float) -> Style:
    return Style(
        f"ball-bearing-{code}-{form}",
        "ball bearing",
        {"bore": bore, "outer": outer, "width": width, "seal": "1d1d1f", "shield": form == "zz"},
        {
            "type": code,
            "outer diameter": f"{outer:.0f} mm",
            "bore": f"{bore:.0f} mm",
            "width": f"{width:.0f} mm",
            "material": "chrome steel",
        },
        price,
        codes=(code, f"{code} {bore:.0f}x{outer:.0f}x{width:.0f}", f"{bore:.0f}x{outer:.0f}x{width:.0f}"),
        look=BEARING_LOOKS[form],
        uses=USES[code],
    )


CONICAL: Words = {"en": ("conical", "tapered"), "de": ("konisch", "kegelförmig"), "es": ("cónico",)}


def _spring(wire: float, turns: float, price: float, conical: bool = False) -> Style:
    # The first spring was named before it had company.
    name = "1" if wire == 1.2 else f"{wire:g}".replace(".", "")
    return Style(
        f"spring-{name}x12x40" + ("-conical" if conical else ""),
        "compression spring",
        {
            "wire": wire,
            "outer": 12.0,
            "length": 40.0,
            "turns": turns,
            "taper": 0.45 if conical else 1.0,
            "colour": "bdbfc2",
        },
        {
            "wire": f"{wire:g} mm",
            "outer diameter": "12 mm",
            "free length": "40 mm",
            "material": "spring steel",
            "ends": "closed and ground",
        },
        price,
        codes=(f"{wire:g} x 12 x 40 mm", f"{wire:g}x12x40"),
        look=CONICAL if conical else {},
        uses=USES[f"compression {wire:g} mm"],
    )


HOOK_LOOKS: dict[str, Words] = {
    "loop": {"en": ("full loop", "loop ends"), "de": ("mit ganzer Öse",), "es": ("con anilla cerrada",)},
    "hook": {"en": ("long hook", "extended hooks"), "de": ("mit langem Haken",), "es": ("con gancho largo",)},
}


def _extension(wire: float, ends: str, price: float) -> Style:
    return Style(
        f"extension-spring-{wire:g}x12x60-{ends}".replace(".", ""),
        "extension spring",
        {"wire": wire, "outer": 12.0, "length": 60.0, "ends": ends, "colour": "bdbfc2"},
        {
            "wire": f"{wire:g} mm",
            "outer diameter": "12 mm",
            "total length": "60 mm",
            "material": "spring steel",
            "winding": "right-hand",
        },
        price,
        codes=(f"{wire:g} x 12 x 60 mm", f"{wire:g}x12x60"),
        look=HOOK_LOOKS[ends],
        uses=USES[f"extension {wire:g} mm"],
    )


FITTING_LOOKS: dict[str, Words] = {
    "elbow-galvanised": {
        "en": ("galvanised elbow", "90 degree elbow"),
        "de": ("Winkel verzinkt", "Bogen 90 Grad"),
        "es": ("codo galvanizado", "codo 90 grados"),
    },
    "elbow-brass": {
        "en": ("brass elbow", "90 degree brass elbow"),
        "de": ("Messingwinkel", "Winkel Messing"),
        "es": ("codo de latón",),
    },
    "tee-galvanised": {
        "en": ("galvanised tee", "T-piece"),
        "de": ("T-Stück verzinkt", "T-Stück"),
        "es": ("te galvanizada", "pieza en T"),
    },
    "nipple-brass": {
        "en": ("brass hex nipple", "double male"),
        "de": ("Doppelnippel", "Messingnippel"),
        "es": ("machón de latón", "doble macho"),
    },
}


def _fitting(design: str, large: bool, price: float) -> Style:
    size, bore = ("3/4", 20) if large else ("1/2", 15)
    form, metal = design.split("-")
    return Style(
        f"pipe-fitting-{size.replace('/', '')}-{design}",
        "pipe fitting",
        {
            "form": form,
            "metal": metal,
            "pipe": 26.441 if large else 20.955,
            "wall": 3.1 if large else 2.8,
            "reach": 33.0 if large else 28.0,
            "across": 30.0 if large else 24.0,
            "length": 47.0 if large else 42.0,
            "nut": 8.5 if large else 7.5,
        },
        {
            "pipe thread": f"G {size}",
            "nominal size": f"DN {bore}",
            "max pressure": "16 bar",
            "max temperature": "120 °C",
            "medium": "water",
        },
        price,
        codes=(f"G {size}", f'G {size}"', f"G{size} DN{bore}"),
        look=FITTING_LOOKS[design],
        uses=USES[f"G {size}"],
    )


STYLES: tuple[Style, ...] = (
    *(_gear(2.0, design, 14.0, 12.0, 8.0, 14.5) for design in ("solid", "light", "spoked")),
    *(_gear(1.5, design, 12.0, 10.0, 6.5, 10.9) for design in ("solid", "light", "spoked")),
    *(_bearing("6001", form, 12, 28, 8, 3.1) for form in BEARING_LOOKS),
    *(_bearing("6201", form, 12, 32, 10, 3.6) for form in BEARING_LOOKS),
    *(_bearing("6202", form, 15, 35, 11, 4.2) for form in BEARING_LOOKS),
    _spring(1.2, 9.0, 4.3),
    _spring(1.6, 8.0, 5.6),
    _spring(1.2, 9.0, 5.4, conical=True),
    _spring(1.6, 8.0, 6.8, conical=True),
    *(_extension(1.2, ends, 5.2) for ends in HOOK_LOOKS),
    *(_extension(1.6, ends, 6.6) for ends in HOOK_LOOKS),
    *(_fitting("elbow-galvanised", large, price) for large, price in ((False, 3.2), (True, 4.4))),
    *(_fitting("elbow-brass", large, price) for large, price in ((False, 4.6), (True, 6.9))),
    *(_fitting("tee-galvanised", large, price) for large, price in ((False, 4.1), (True, 5.9))),
    *(_fitting("nipple-brass", large, price) for large, price in ((False, 2.9), (True, 4.2))),
)
