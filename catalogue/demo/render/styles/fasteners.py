"""Bolts."""

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
            "en": ("full thread", "bright zinc finish", "bag of 50"),
            "de": ("Vollgewinde", "Beutel mit 50 Stück"),
            "es": ("rosca completa", "bolsa de 50"),
        },
    ),
}

USES: dict[str, Words] = {
    "hex-bolt-m6x30": {
        "en": (
            "for sheet metal, cable trays and light brackets",
            "for light sheet metal work",
            "for housings and cable trays",
        ),
        "de": ("für Blech und Kabelbahnen", "für leichte Blechgehäuse"),
        "es": ("para chapa y bandejas de cable", "para carcasas de chapa fina"),
    },
    "hex-bolt-m8x40": {
        "en": (
            "for machine beds, timber frames and trailers",
            "for heavy timber and trailer frames",
            "for trailers and machine frames",
        ),
        "de": ("für Maschinengestelle und Anhänger", "für Holzrahmen und Anhänger"),
        "es": ("para remolques y bastidores", "para bancadas y vigas de madera"),
    },
}


TRANSLATIONS: Translations = {
    "de": {"thread": "Gewinde", "grade": "Festigkeit", "standard": "Norm", "zinc-plated steel": "Stahl verzinkt"},
    "es": {"thread": "rosca", "grade": "calidad", "standard": "norma", "zinc-plated steel": "acero cincado"},
}

SHORT: dict[str, str] = {"zinc-plated steel": "ZN"}


def _bolt(style_id: str, d: float, length: float, pitch: float, across: float, price: float) -> Style:
    name, long = f"M{d:.0f}", f"{length:.0f}"
    return Style(
        style_id,
        "hex bolt",
        {"d": d, "length": length, "pitch": pitch, "across": across, "head": d * 0.66, "colour": "c4c5c0"},
        {
            "thread": name,
            "length": f"{long} mm",
            "material": "zinc-plated steel",
            "grade": "8.8",
            "standard": "DIN 933",
        },
        price,
        codes=(f"{name}x{long}", f"{name} x {long} mm", f"{name}-{pitch} x {long}"),
        uses=USES[style_id],
    )


STYLES: tuple[Style, ...] = (
    _bolt("hex-bolt-m6x30", 6, 30, 1.0, 10, 6.4),
    _bolt("hex-bolt-m8x40", 8, 40, 1.25, 13, 9.8),
)
