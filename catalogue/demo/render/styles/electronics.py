"""Electronic parts."""

from __future__ import annotations

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "electrolytic capacitor": Vocabulary(
        "Electronic Components > Capacitors > Electrolytic Capacitors",
        {
            "en": ("electrolytic capacitor", "aluminium capacitor", "radial e-cap", "polarised capacitor"),
            "de": ("Elko radial", "Elektrolytkondensator", "Aluminium-Elko"),
            "es": ("condensador electrolítico", "capacitor radial", "condensador de aluminio"),
        },
        {
            "en": ("for power supplies and audio", "for filtering and coupling", "for repair of boards"),
            "de": ("für Netzteile und Audio", "zur Siebung"),
            "es": ("para fuentes y audio", "para filtrado"),
        },
        {
            "en": ("low leakage", "pack of 20", "long leads"),
            "de": ("geringer Leckstrom", "20 Stück"),
            "es": ("baja fuga", "paquete de 20"),
        },
    ),
    "resistor": Vocabulary(
        "Electronic Components > Resistors > Axial Resistors",
        {
            "en": ("resistor", "axial resistor", "carbon film resistor", "through-hole resistor"),
            "de": ("Widerstand", "Kohleschichtwiderstand", "Widerstand bedrahtet"),
            "es": ("resistencia", "resistor axial", "resistencia de carbón"),
        },
        {
            "en": ("for breadboards and prototypes", "for hobby and repair", "for LED circuits and logic"),
            "de": ("für Steckbrett und Labor", "für Hobby und Reparatur"),
            "es": ("para prototipos", "para electrónica y reparación"),
        },
        {
            "en": ("tinned leads", "bag of 100", "four colour bands"),
            "de": ("verzinnte Drähte", "100 Stück"),
            "es": ("terminales estañados", "bolsa de 100"),
        },
    ),
}

USES: dict[str, Words] = {
    "capacitor-10uf-50v": {
        "en": ("for audio coupling", "signal coupling in amplifiers", "for coupling in audio stages"),
        "de": ("zur Kopplung in Audiostufen", "für Verstärker"),
        "es": ("para acoplo de audio", "para amplificadores"),
    },
    "capacitor-100uf-16v": {
        "en": (
            "smoothing of 5 V and 12 V supplies",
            "for power supply smoothing",
            "buffer for regulators and supplies",
        ),
        "de": ("zur Siebung in Netzteilen", "als Puffer für Spannungsregler"),
        "es": ("filtrado de fuentes de 5 V y 12 V", "para reguladores de tensión"),
    },
    "resistor-220r": {
        "en": ("series resistor for LEDs", "to run an LED from 5 V", "current limiter for LEDs"),
        "de": ("Vorwiderstand für LED", "LED an 5 V"),
        "es": ("para limitar la corriente de LED", "resistencia en serie para LED"),
    },
    "resistor-4k7": {
        "en": ("pull-up for I2C and sensors", "pull-up on data lines", "for I2C buses and switches"),
        "de": ("Pull-up für I2C und Sensoren", "für Datenleitungen"),
        "es": ("pull-up para I2C y sensores", "para líneas de datos"),
    },
}


TRANSLATIONS: Translations = {
    "de": {
        "capacitance": "Kapazität",
        "voltage": "Spannung",
        "temperature": "Temperatur",
        "mounting": "Bauform",
        "resistance": "Widerstand",
        "tolerance": "Toleranz",
        "technology": "Technik",
        "carbon film": "Kohleschicht",
    },
    "es": {
        "capacitance": "capacidad",
        "voltage": "tensión",
        "temperature": "temperatura",
        "mounting": "montaje",
        "resistance": "resistencia",
        "tolerance": "tolerancia",
        "technology": "tecnología",
        "carbon film": "película de carbón",
    },
}

SHORT: dict[str, str] = {"carbon film": "CF"}


def _capacitor(style_id: str, farad: str, volt: str, price: float) -> Style:
    return Style(
        style_id,
        "electrolytic capacitor",
        {"radius": 2.5, "height": 11.0, "lead": 14.0, "spacing": 2.0, "ground": "#1c2740", "ink": "#c3cad6"},
        {"capacitance": farad, "voltage": volt, "size": "5 x 11 mm", "temperature": "105 °C", "mounting": "radial"},
        price,
        codes=(f"{farad} {volt}", f"{farad}/{volt}".replace(" ", ""), f"{farad.replace('µF', 'uF')} {volt}"),
        uses=USES[style_id],
    )


def _resistor(style_id: str, ohm: str, short: str, bands: tuple[str, ...]) -> Style:
    return Style(
        style_id,
        "resistor",
        {"length": 6.3, "radius": 1.25, "lead": 6.0, "colour": "c2a47a", "bands": bands},
        {"resistance": ohm, "power": "0.25 W", "tolerance": "5 %", "technology": "carbon film"},
        2.4,
        codes=(ohm, short, ohm.replace("Ω", "ohm")),
        uses=USES[style_id],
    )


STYLES: tuple[Style, ...] = (
    _capacitor("capacitor-10uf-50v", "10 µF", "50 V", 1.9),
    _capacitor("capacitor-100uf-16v", "100 µF", "16 V", 2.1),
    _resistor("resistor-220r", "220 Ω", "220R", ("red", "red", "brown", "gold")),
    _resistor("resistor-4k7", "4.7 kΩ", "4K7", ("yellow", "violet", "red", "gold")),
)
