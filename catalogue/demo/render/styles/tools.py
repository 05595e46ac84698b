"""Hand tools."""

from __future__ import annotations

from typing import Any

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "screwdriver": Vocabulary(
        "Tools > Hand Tools > Screwdrivers",
        {
            "en": ("screwdriver", "workshop screwdriver", "hand driver soft grip", "mechanic's screwdriver"),
            "de": ("Schraubendreher", "Werkstatt-Schraubenzieher", "Schraubendreher 2K-Griff"),
            "es": ("destornillador", "destornillador de taller", "desarmador mango blando"),
        },
        {
            "en": ("for workshop and household", "for fitters and electricians", "for daily work"),
            "de": ("für Werkstatt und Haushalt", "für Monteure"),
            "es": ("para taller y hogar", "para profesionales"),
        },
        {
            "en": ("magnetic tip", "two-component handle", "hole for hanging"),
            "de": ("magnetische Spitze", "Zweikomponentengriff"),
            "es": ("punta magnética", "mango bimaterial"),
        },
    ),
}

USES: dict[str, Words] = {
    "screwdriver-ph2-100": {
        "en": ("for cross-head wood and drywall screws", "fits cross-head screws", "for furniture and drywall screws"),
        "de": ("für Kreuzschlitzschrauben und Möbel", "für Schnellbauschrauben"),
        "es": ("para tornillos de estrella y muebles", "para placas de yeso"),
    },
    "screwdriver-sl65-100": {
        "en": (
            "for flat-head screws and terminals",
            "fits slotted screws and hose clamps",
            "for terminals and hose clamps",
        ),
        "de": ("für Schlitzschrauben und Klemmen", "für Schlauchschellen"),
        "es": ("para tornillos ranurados y bornes", "para abrazaderas"),
    },
}


TRANSLATIONS: Translations = {
    "de": {
        "tip": "Klinge",
        "blade length": "Klingenlänge",
        "Phillips": "Kreuzschlitz",
        "slotted": "Schlitz",
        "chrome vanadium steel": "Chrom-Vanadium-Stahl",
    },
    "es": {
        "tip": "punta",
        "blade length": "largo de varilla",
        "Phillips": "Phillips",
        "slotted": "plano",
        "chrome vanadium steel": "acero al cromo vanadio",
    },
}

SHORT: dict[str, str] = {"chrome vanadium steel": "CR-V"}


def _driver(style_id: str, tip: str, size: str, shape: dict[str, Any]) -> Style:
    return Style(
        style_id,
        "screwdriver",
        {"blade": 100.0, "handle": 105.0, "shaft": 6.0, "colour": "c23a22", "core": "1b1b1c", **shape},
        {"tip": tip, "size": size, "blade length": "100 mm", "material": "chrome vanadium steel"},
        6.2,
        codes=(f"{size} x 100 mm", f"{size}x100"),
        uses=USES[style_id],
    )


STYLES: tuple[Style, ...] = (
    _driver("screwdriver-ph2-100", "Phillips", "PH2", {"tip": "phillips"}),
    _driver("screwdriver-sl65-100", "slotted", "6.5 mm", {"tip": "slotted", "tip_width": 6.5}),
)
