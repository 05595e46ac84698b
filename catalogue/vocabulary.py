"""Units and colours as suppliers write them, in English, German, Spanish and French."""

from collections.abc import Mapping
from typing import Final

UNITS: Final[Mapping[str, tuple[str, float]]] = {
    "mm": ("m", 1e-3), "cm": ("m", 1e-2), "m": ("m", 1.0), "in": ("m", 0.0254), "inch": ("m", 0.0254),
    "inches": ("m", 0.0254), "zoll": ("m", 0.0254), '"': ("m", 0.0254), "″": ("m", 0.0254), "ft": ("m", 0.3048),
    "mm²": ("m²", 1e-6), "mm2": ("m²", 1e-6), "cm²": ("m²", 1e-4), "cm2": ("m²", 1e-4), "m²": ("m²", 1.0),
    "m2": ("m²", 1.0), "ml": ("l", 1e-3), "cl": ("l", 1e-2), "l": ("l", 1.0), "ltr": ("l", 1.0),
    "liter": ("l", 1.0), "litre": ("l", 1.0), "liters": ("l", 1.0), "litres": ("l", 1.0), "毫升": ("l", 1e-3),
    "fl.oz": ("l", 0.0295735), "fl oz": ("l", 0.0295735),
    "mg": ("g", 1e-3), "g": ("g", 1.0), "kg": ("g", 1e3), "oz": ("g", 28.3495), "lb": ("g", 453.592),
    "lbs": ("g", 453.592), "克": ("g", 1.0),
    "pf": ("f", 1e-12), "nf": ("f", 1e-9), "µf": ("f", 1e-6), "μf": ("f", 1e-6), "uf": ("f", 1e-6),
    "ω": ("ω", 1.0), "ohm": ("ω", 1.0), "kω": ("ω", 1e3), "kohm": ("ω", 1e3),
    "v": ("v", 1.0), "kv": ("v", 1e3), "a": ("a", 1.0), "amp": ("a", 1.0), "ma": ("a", 1e-3),
    "mah": ("ah", 1e-3), "ah": ("ah", 1.0), "w": ("w", 1.0), "watt": ("w", 1.0), "watts": ("w", 1.0), "kw": ("w", 1e3),
    "hz": ("hz", 1.0), "khz": ("hz", 1e3), "mhz": ("hz", 1e6), "ghz": ("hz", 1e9), "lm": ("lm", 1.0), "k": ("k", 1.0),
    "mb": ("b", 1e6), "gb": ("b", 1e9), "tb": ("b", 1e12),
    "pin": ("pin", 1.0), "pins": ("pin", 1.0), "teeth": ("teeth", 1.0), "pairs": ("pairs", 1.0),
    "pc": ("pieces", 1.0), "pcs": ("pieces", 1.0), "piece": ("pieces", 1.0), "pieces": ("pieces", 1.0),
    "pack": ("pieces", 1.0), "stück": ("pieces", 1.0), "stk": ("pieces", 1.0), "uds": ("pieces", 1.0),
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
        "pink": "pink rosa",
        "purple": "purple violet violett lila morado morada",
        "brown": "brown braun marrón marron",
    }.items()
    for word in words.split()
}
"""Those that hardly anybody takes for another: what one calls teal, another calls blue or green."""
COLOUR_VALUES: Final[Mapping[str, str]] = dict(COLOURS) | {
    word: colour
    for colour, words in {
        "black": "nero nera preto preta zwart 黑 黑色",
        "white": "bianco bianca branco branca wit 白 白色",
        "grey": "grigio grigia cinza grijs 灰 灰色",
        "red": "rosso rossa vermelho vermelha rood 红 红色",
        "blue": "blauw blu 蓝 蓝色",
        "green": "groen 绿 绿色",
        "yellow": "giallo gialla amarelo amarela geel 黄 黄色",
        "orange": "oranje arancione laranja 橙 橙色",
        "pink": "roze rose rosado rosada 粉 粉色",
        "purple": "viola violeta roxo roxa paars 紫 紫色",
        "brown": "marrone bruin marron 棕 棕色",
        "silver": "silver silber silbern plata plateado plateada argent argento argenté zilver prata 银 银色",
        "gold": "gold golden oro dorado dorada or doré dorée goud ouro 金 金色",
        "beige": "beige",
        "cream": "cream creme crème crema",
        "turquoise": "turquoise türkis turquesa turchese turkoois",
        "bordeaux": "bordeaux burgundy weinrot burdeos bordeauxrot",
        "lavender": "lavender lavendel lavanda lavande",
        "anthracite": "anthracite anthrazit antracita antraciet charcoal",
        "transparent": "transparent transparente trasparente clear durchsichtig klar 透明",
        "several": "multicolor multicolour multicolore multicoloured mehrfarbig bunt",
    }.items()
    for word in words.split()
}
"""The same, and more, in values of a colour attribute: in titles a viola is an instrument."""
UNSAID: Final = frozenset({
    "", "n/a", "na", "none", "-", "--", "?", "assorted", "sortiert", "surtido", "assorti", "various", "verschieden",
    "see picture", "see photo", "siehe bild", "ver foto", "as shown", "unknown", "other", "default", "standard",
})  # fmt: skip
"""Values that say nothing."""
VALUE_UNITS: Final[Mapping[str, tuple[str, float]]] = dict(UNITS) | {
    **dict.fromkeys(("pouce", "pouces", "pulgada", "pulgadas", "pollici"), ("m", 0.0254)),
    **dict.fromkeys(("meter", "meters", "metre", "metres", "mètre", "mètres", "metro", "metros"), ("m", 1.0)),
    **dict.fromkeys(("feet", "foot", "fuß", "fuss", "pies", "pieds"), ("m", 0.3048)),
    **dict.fromkeys(("gramm", "grams", "gramos", "grammes"), ("g", 1.0)),
    **dict.fromkeys(("count", "ct", "unidades", "pièces", "unités", "stücke"), ("pieces", 1.0)),
    "mo": ("b", 1e6), "go": ("b", 1e9), "to": ("b", 1e12),
}  # fmt: skip
"""More of them, where a whole value is a quantity: in a title "2 to 4" is none."""
SHADES: Final[Mapping[str, tuple[str, ...]]] = {
    word: said
    for said, words in {
        ("dark",): "navy marine marin marino dark dunkel oscuro oscura foncé foncée donker scuro scura escuro escura",
        ("light",): "light hell pale claro clara clair claire licht chiaro chiara",
        ("matte",): "matte matt mat mate opaco",
        (): "and avec colour color con couleur e en et farbe mit only und with y",
    }.items()
    for word in words.split()
}
"""What words beside a colour say of it; any other says itself."""
SIZES: Final[Mapping[str, str]] = {
    **{size: size for size in ("xxs", "xs", "s", "m", "l", "xl", "xxl", "xxxl")},
    "xsmall": "xs", "extrasmall": "xs", "small": "s", "medium": "m", "large": "l", "xlarge": "xl", "extralarge": "xl",
    "2xl": "xxl", "xxlarge": "xxl", "3xl": "xxxl", "xxxlarge": "xxxl", "onesize": "onesize",
    "onesizefitsall": "onesize", "einheitsgrösse": "onesize", "tallaúnica": "onesize", "tailleunique": "onesize",
}  # fmt: skip
"""Sizes without case, spaces and hyphens, and how they are compared."""
NO_SERIES: Final = frozenset(
    word
    for words in (
        "art article code ean id item no nr ref sku iso contains enthält incl inkl only nur top",
        "usd eur gbp inr rs cny rmb price sale order moq save rabatt garantie warranty garantía lieferung ships",
        "spring summer autumn winter ca ab to bis up from over per plus",
        "a à and au aux avec by con da das de del der des die du e el en et for für im in la las le les los mit",
        "o oder of on or ou para por pour pro the und von with y",
    )
    for word in words.split()
)
"""Words before a number that is no model's: a supplier's own for the thing, a price, so many parts of it."""
