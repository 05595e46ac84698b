"""The styles of the demo shop: what counts as one product, and its facts."""

from __future__ import annotations

from typing import Any

from .model import Style


def _mug(style_id: str, motif: str, ink: str, look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "mug",
        {"radius": 41.0, "height": 95.0, "motif": motif, "ground": "#d9d2c3", "ink": ink, "inside": "dcd6c9"},
        {"capacity": "330 ml", "material": "stoneware", "height": "95 mm", "care": "dishwasher safe"},
        7.9,
        codes=("330 ml",),
        look=look,
    )


def _bottle(style_id: str, ml: str, radius: float, height: float, price: float) -> Style:
    return Style(
        style_id,
        "bottle",
        {"radius": radius, "height": height, "colour": "2f5d62", "lid": "1c1c1d"},
        {"capacity": ml, "material": "stainless steel", "colour": "petrol", "closure": "screw lid"},
        price,
        codes=(ml, ml.replace(" ", "")),
    )


def _lamp(style_id: str, shape: dict[str, Any], look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "table lamp",
        {"height": 420.0, "shade_radius": 140.0, "colour": "e6dcc8", **shape},
        {"height": "420 mm", "shade": "linen", "socket": "E27", "power": "40 W"},
        39.0,
        codes=("E27", "420 mm"),
        look=look,
    )


def _chair(style_id: str, back: str, look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "dining chair",
        {"back": back, "wood": ("bd9464", "9a7145")},
        {"material": "solid oak", "seat height": "450 mm", "finish": "oiled", "load": "120 kg"},
        89.0,
        codes=("450 mm",),
        look=look,
    )


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
    )


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
    )


def _capacitor(style_id: str, farad: str, volt: str, price: float) -> Style:
    return Style(
        style_id,
        "electrolytic capacitor",
        {"radius": 2.5, "height": 11.0, "lead": 14.0, "spacing": 2.0, "ground": "#1c2740", "ink": "#c3cad6"},
        {"capacitance": farad, "voltage": volt, "size": "5 x 11 mm", "temperature": "105 °C", "mounting": "radial"},
        price,
        codes=(f"{farad} {volt}", f"{farad}/{volt}".replace(" ", ""), f"{farad.replace('µF', 'uF')} {volt}"),
    )


def _resistor(style_id: str, ohm: str, short: str, bands: tuple[str, ...]) -> Style:
    return Style(
        style_id,
        "resistor",
        {"length": 6.3, "radius": 1.25, "lead": 6.0, "colour": "c2a47a", "bands": bands},
        {"resistance": ohm, "power": "0.25 W", "tolerance": "5 %", "technology": "carbon film"},
        2.4,
        codes=(ohm, short, ohm.replace("Ω", "ohm")),
    )


def _driver(style_id: str, tip: str, size: str, shape: dict[str, Any]) -> Style:
    return Style(
        style_id,
        "screwdriver",
        {"blade": 100.0, "handle": 105.0, "shaft": 6.0, "colour": "c23a22", "core": "1b1b1c", **shape},
        {"tip": tip, "size": size, "blade length": "100 mm", "material": "chrome vanadium steel"},
        6.2,
        codes=(f"{size} x 100 mm", f"{size}x100"),
    )


def _tote(style_id: str, motif: str, look: dict[str, tuple[str, ...]]) -> Style:
    return Style(
        style_id,
        "tote bag",
        {"width": 380.0, "height": 420.0, "motif": motif, "ground": "#e4d8bf", "ink": "#2f4a3f"},
        {"material": "cotton canvas", "size": "38 x 42 cm", "weight": "220 gsm", "handles": "long"},
        9.5,
        codes=("38 x 42 cm", "38x42"),
        look=look,
    )


STYLES: tuple[Style, ...] = (
    _mug("mug-banded-330", "stripes", "#2f4f73", {"en": ("striped",), "de": ("gestreift",), "es": ("a rayas",)}),
    _mug("mug-polka-330", "dots", "#2f4f73", {"en": ("dotted",), "de": ("gepunktet",), "es": ("con lunares",)}),
    _mug("mug-owl-330", "owl", "#2f4f73", {"en": ("owl",), "de": ("Eule",), "es": ("búho",)}),
    _bottle("bottle-steel-500", "500 ml", 35.0, 225.0, 17.9),
    _bottle("bottle-steel-750", "750 ml", 39.5, 262.0, 21.5),
    _lamp(
        "table-lamp-drum",
        {"taper": 0.94, "foot": "rod"},
        {"en": ("drum shade",), "de": ("Zylinderschirm",), "es": ("pantalla cilíndrica",)},
    ),
    _lamp(
        "table-lamp-empire",
        {"taper": 0.5, "foot": "ball"},
        {"en": ("turned foot",), "de": ("gedrechselter Fuß",), "es": ("pie torneado",)},
    ),
    _chair("chair-oak-slat", "slats", {"en": ("slatted back",), "de": ("Querstreben",), "es": ("listones",)}),
    _chair("chair-oak-spindle", "spindles", {"en": ("spindle back",), "de": ("Sprossen",), "es": ("barrotes",)}),
    _bolt("hex-bolt-m6x30", 6, 30, 1.0, 10, 6.4),
    _bolt("hex-bolt-m8x40", 8, 40, 1.25, 13, 9.8),
    _gear("spur-gear-m2-z30-solid", 0, {"en": ("solid web",), "de": ("Vollscheibe",), "es": ("macizo",)}),
    _gear("spur-gear-m2-z30-light", 6, {"en": ("with holes",), "de": ("mit Bohrungen",), "es": ("aligerado",)}),
    _bearing("ball-bearing-6001-2rs", "6001", 12, 28, 8, 3.1),
    _bearing("ball-bearing-6201-2rs", "6201", 12, 32, 10, 3.6),
    _capacitor("capacitor-10uf-50v", "10 µF", "50 V", 1.9),
    _capacitor("capacitor-100uf-16v", "100 µF", "16 V", 2.1),
    _resistor("resistor-220r", "220 Ω", "220R", ("red", "red", "brown", "gold")),
    _resistor("resistor-4k7", "4.7 kΩ", "4K7", ("yellow", "violet", "red", "gold")),
    _driver("screwdriver-ph2-100", "Phillips", "PH2", {"tip": "phillips"}),
    _driver("screwdriver-sl65-100", "slotted", "6.5 mm", {"tip": "slotted", "tip_width": 6.5}),
    _tote("tote-bag-leaf", "leaf", {"en": ("leaf",), "de": ("Blatt",), "es": ("hoja",)}),
    _tote("tote-bag-waves", "waves", {"en": ("waves",), "de": ("Wellen",), "es": ("olas",)}),
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
