"""Units and colours as suppliers write them, in English, German, Spanish and French."""

from collections.abc import Mapping
from typing import Final

UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "mm": ("m", 1e-3), "cm": ("m", 1e-2), "m": ("m", 1.0), "in": ("m", 0.0254), "inch": ("m", 0.0254),
    "inches": ("m", 0.0254), '"': ("m", 0.0254), "″": ("m", 0.0254), "ft": ("m", 0.3048),
    "mm²": ("m²", 1e-6), "mm2": ("m²", 1e-6), "cm²": ("m²", 1e-4), "cm2": ("m²", 1e-4), "m²": ("m²", 1.0),
    "m2": ("m²", 1.0), "ml": ("l", 1e-3), "cl": ("l", 1e-2), "l": ("l", 1.0), "ltr": ("l", 1.0),
    "fl.oz": ("l", 0.0295735),
    "mg": ("g", 1e-3), "g": ("g", 1.0), "kg": ("g", 1e3), "oz": ("g", 28.3495), "lb": ("g", 453.592),
    "pf": ("f", 1e-12), "nf": ("f", 1e-9), "µf": ("f", 1e-6), "μf": ("f", 1e-6), "uf": ("f", 1e-6),
    "ω": ("ω", 1.0), "ohm": ("ω", 1.0), "kω": ("ω", 1e3), "kohm": ("ω", 1e3),
    "v": ("v", 1.0), "kv": ("v", 1e3), "a": ("a", 1.0), "amp": ("a", 1.0), "ma": ("a", 1e-3),
    "mah": ("ah", 1e-3), "ah": ("ah", 1.0), "w": ("w", 1.0), "watt": ("w", 1.0), "watts": ("w", 1.0), "kw": ("w", 1e3),
    "hz": ("hz", 1.0), "khz": ("hz", 1e3), "mhz": ("hz", 1e6), "ghz": ("hz", 1e9), "lm": ("lm", 1.0), "k": ("k", 1.0),
    "mb": ("b", 1e6), "gb": ("b", 1e9), "tb": ("b", 1e12),
    "pin": ("pin", 1.0), "pins": ("pin", 1.0), "teeth": ("teeth", 1.0), "pairs": ("pairs", 1.0),
    "pc": ("pieces", 1.0), "pcs": ("pieces", 1.0), "piece": ("pieces", 1.0), "pieces": ("pieces", 1.0),
    "pack": ("pieces", 1.0),
}  # fmt: skip
"""Of what kind each is, and how many of that kind's own unit."""
COLOURS: Final[Mapping[str, str]] = {
    word: colour
    for colour, words in {
        "black": "black schwarz negro negra noir noire",
        "white": "white weiß weiss blanco blanca blanc blanche",
        "grey": "grey gray grau gris",
        "red": "red rot rojo roja rouge",
        "blue": "blue navy blau azul bleu bleue",
        "green": "green grün verde vert verte",
        "yellow": "yellow gelb amarillo amarilla jaune",
        "orange": "orange naranja",
        "pink": "pink rosa rose",
        "purple": "purple violet violett lila morado morada",
        "brown": "brown braun marrón marron",
        "beige": "beige",
    }.items()
    for word in words.split()
}
"""Those that nobody takes for another: what one calls teal, another calls blue or green."""
