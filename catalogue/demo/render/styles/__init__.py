"""What the shop sells: styles and the words for them, one module a department."""

from __future__ import annotations

from ..model import Style, Translations, Vocabulary
from . import electronics, fasteners, home, machine, tableware, textiles, tools

DEPARTMENTS = (tableware, home, textiles, tools, fasteners, machine, electronics)

STYLES: tuple[Style, ...] = tuple(style for department in DEPARTMENTS for style in department.STYLES)
VOCABULARY: dict[str, Vocabulary] = {kind: v for department in DEPARTMENTS for kind, v in department.VOCABULARY.items()}

# Attribute names and values that several departments use.
COMMON: Translations = {
    "de": {
        "material": "Material",
        "height": "Höhe",
        "colour": "Farbe",
        "power": "Leistung",
        "length": "Länge",
        "width": "Breite",
        "size": "Größe",
    },
    "es": {
        "material": "material",
        "height": "altura",
        "colour": "color",
        "power": "potencia",
        "length": "longitud",
        "width": "ancho",
        "size": "medida",
    },
}
TRANSLATIONS: Translations = {
    lang: {**COMMON[lang], **{k: v for department in DEPARTMENTS for k, v in department.TRANSLATIONS[lang].items()}}
    for lang in COMMON
}
SHORT: dict[str, str] = {long: short for department in DEPARTMENTS for long, short in department.SHORT.items()}
