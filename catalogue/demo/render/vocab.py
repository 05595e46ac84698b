"""Words for each kind of product, in the languages suppliers write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Words = Mapping[str, Sequence[str]]  # language -> alternatives


@dataclass(frozen=True)
class Vocabulary:
    """Where a kind is filed, what it is called, what it is for, and what sellers praise."""

    category: str
    names: Words
    uses: Words
    praise: Words


VOCABULARY: dict[str, Vocabulary] = {
    "mug": Vocabulary(
        "Home & Kitchen > Drinkware > Mugs",
        {
            "en": ("coffee mug", "ceramic mug", "tea cup with handle", "printed stoneware mug"),
            "de": ("Kaffeebecher", "Keramiktasse", "Henkelbecher"),
            "es": ("taza de cerámica", "taza para café", "tazón con asa"),
        },
        {
            "en": ("for coffee, tea and cocoa", "for home and office", "a small gift for any occasion"),
            "de": ("für Kaffee und Tee", "für Küche und Büro"),
            "es": ("para café y té", "para casa y oficina"),
        },
        {
            "en": ("the print is fired under the glaze", "does not fade in the machine", "a comfortable handle"),
            "de": ("der Druck ist unter der Glasur gebrannt", "angenehmer Henkel"),
            "es": ("el dibujo va bajo el esmalte", "asa cómoda"),
        },
    ),
    "bottle": Vocabulary(
        "Home & Kitchen > Drinkware > Bottles",
        {
            "en": ("insulated bottle", "vacuum flask", "steel water bottle", "thermos drinking bottle"),
            "de": ("Thermosflasche", "Isolierflasche", "Trinkflasche aus Edelstahl"),
            "es": ("botella térmica", "botella de acero", "termo para agua"),
        },
        {
            "en": ("for hiking and the gym", "keeps drinks cold for 24 hours", "for school, office and travel"),
            "de": ("für Sport und Reise", "hält 24 Stunden kalt"),
            "es": ("para deporte y viaje", "mantiene el frío 24 horas"),
        },
        {
            "en": ("double wall, no sweating", "powder-coated, good grip", "leakproof"),
            "de": ("doppelwandig", "pulverbeschichtet und auslaufsicher"),
            "es": ("doble pared", "no gotea"),
        },
    ),
    "table lamp": Vocabulary(
        "Home & Kitchen > Lighting > Table Lamps",
        {
            "en": ("table lamp", "bedside lamp", "desk lamp with fabric shade", "accent light"),
            "de": ("Tischlampe", "Nachttischleuchte", "Tischleuchte mit Stoffschirm"),
            "es": ("lámpara de mesa", "lámpara de mesilla", "lámpara con pantalla de tela"),
        },
        {
            "en": ("for the bedroom or sideboard", "gives a warm, even light", "for living rooms and hotels"),
            "de": ("für Schlafzimmer und Flur", "für warmes Licht"),
            "es": ("para dormitorio o salón", "luz cálida y suave"),
        },
        {
            "en": ("switch on the cord", "bulb not included", "the shade comes off for cleaning"),
            "de": ("Schalter am Kabel", "ohne Leuchtmittel"),
            "es": ("interruptor en el cable", "bombilla no incluida"),
        },
    ),
    "dining chair": Vocabulary(
        "Furniture > Seating > Dining Chairs",
        {
            "en": ("dining chair", "wooden kitchen chair", "oak side chair", "chair for the dining room"),
            "de": ("Esszimmerstuhl", "Holzstuhl", "Küchenstuhl massiv"),
            "es": ("silla de comedor", "silla de madera", "silla de cocina"),
        },
        {
            "en": ("for kitchen and dining room", "for cafés and restaurants", "sits well through a long dinner"),
            "de": ("für Küche und Esszimmer", "auch für die Gastronomie"),
            "es": ("para cocina y comedor", "apta para hostelería"),
        },
        {
            "en": ("shaped seat", "glued joints, no wobble", "comes assembled"),
            "de": ("geformter Sitz", "fertig montiert"),
            "es": ("asiento anatómico", "se entrega montada"),
        },
    ),
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
    "tote bag": Vocabulary(
        "Bags > Shopping Bags > Tote Bags",
        {
            "en": ("tote bag", "canvas shopper", "cotton carrier bag", "shoulder bag with print"),
            "de": ("Stofftasche", "Baumwollbeutel", "Einkaufstasche bedruckt"),
            "es": ("bolsa de tela", "tote de algodón", "bolsa de la compra"),
        },
        {
            "en": ("for shopping, books and the beach", "folds into any pocket", "for market days"),
            "de": ("für Einkauf und Strand", "für den Wochenmarkt"),
            "es": ("para la compra y la playa", "para libros y mercado"),
        },
        {
            "en": ("reinforced seams", "water-based screen print", "carries 12 kg"),
            "de": ("verstärkte Nähte", "Siebdruck"),
            "es": ("costuras reforzadas", "serigrafía"),
        },
    ),
}

# Where a variant has a use of its own, texts name it instead of the kind's uses.
VARIANT_USES: dict[str, Words] = {
    "bottle-steel-500": {
        "en": ("small enough for a school bag", "for the school run and kids", "fits a lunch bag, for kids and school"),
        "de": ("passt in den Schulranzen", "für Schule und Kinder"),
        "es": ("cabe en la mochila escolar", "para niños y colegio"),
    },
    "bottle-steel-750": {
        "en": ("for long hikes and bike rides", "for bike, trail and mountain tours", "enough for a day of hiking"),
        "de": ("für lange Wander- und Radtouren", "für den Bergtag"),
        "es": ("para rutas largas de montaña", "para ciclismo y senderismo"),
    },
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

KEYS: dict[str, dict[str, str]] = {
    "de": {
        "capacity": "Inhalt",
        "material": "Material",
        "height": "Höhe",
        "care": "Pflege",
        "colour": "Farbe",
        "closure": "Verschluss",
        "shade": "Schirm",
        "socket": "Fassung",
        "power": "Leistung",
        "seat height": "Sitzhöhe",
        "finish": "Oberfläche",
        "load": "Traglast",
        "thread": "Gewinde",
        "length": "Länge",
        "grade": "Festigkeit",
        "standard": "Norm",
        "module": "Modul",
        "teeth": "Zähnezahl",
        "bore": "Bohrung",
        "face width": "Zahnbreite",
        "type": "Typ",
        "outer diameter": "Außendurchmesser",
        "width": "Breite",
        "seal": "Dichtung",
        "capacitance": "Kapazität",
        "voltage": "Spannung",
        "size": "Größe",
        "temperature": "Temperatur",
        "mounting": "Bauform",
        "resistance": "Widerstand",
        "tolerance": "Toleranz",
        "technology": "Technik",
        "tip": "Klinge",
        "blade length": "Klingenlänge",
        "weight": "Gewicht",
        "handles": "Henkel",
        "wire": "Draht",
        "free length": "Länge ungespannt",
        "ends": "Enden",
    },
    "es": {
        "capacity": "capacidad",
        "material": "material",
        "height": "altura",
        "care": "cuidado",
        "colour": "color",
        "closure": "cierre",
        "shade": "pantalla",
        "socket": "casquillo",
        "power": "potencia",
        "seat height": "altura del asiento",
        "finish": "acabado",
        "load": "carga",
        "thread": "rosca",
        "length": "longitud",
        "grade": "calidad",
        "standard": "norma",
        "module": "módulo",
        "teeth": "dientes",
        "bore": "agujero",
        "face width": "ancho",
        "type": "tipo",
        "outer diameter": "diámetro exterior",
        "width": "ancho",
        "seal": "sello",
        "capacitance": "capacidad",
        "voltage": "tensión",
        "size": "medida",
        "temperature": "temperatura",
        "mounting": "montaje",
        "resistance": "resistencia",
        "tolerance": "tolerancia",
        "technology": "tecnología",
        "tip": "punta",
        "blade length": "largo de varilla",
        "weight": "gramaje",
        "handles": "asas",
        "wire": "hilo",
        "free length": "longitud libre",
        "ends": "extremos",
    },
}

VALUES: dict[str, dict[str, str]] = {
    "de": {
        "stoneware": "Steinzeug",
        "dishwasher safe": "spülmaschinenfest",
        "stainless steel": "Edelstahl",
        "petrol": "Petrol",
        "screw lid": "Schraubdeckel",
        "linen": "Leinen",
        "solid oak": "Eiche massiv",
        "oiled": "geölt",
        "zinc-plated steel": "Stahl verzinkt",
        "C45 steel": "Stahl C45",
        "rubber": "Gummi",
        "carbon film": "Kohleschicht",
        "Phillips": "Kreuzschlitz",
        "slotted": "Schlitz",
        "chrome vanadium steel": "Chrom-Vanadium-Stahl",
        "cotton canvas": "Baumwollcanvas",
        "220 gsm": "220 g/m²",
        "long": "lang",
        "spring steel": "Federstahl",
        "closed and ground": "angelegt und geschliffen",
    },
    "es": {
        "stoneware": "gres",
        "dishwasher safe": "apto para lavavajillas",
        "stainless steel": "acero inoxidable",
        "petrol": "azul petróleo",
        "screw lid": "tapón de rosca",
        "linen": "lino",
        "solid oak": "roble macizo",
        "oiled": "aceitado",
        "zinc-plated steel": "acero cincado",
        "C45 steel": "acero C45",
        "rubber": "goma",
        "carbon film": "película de carbón",
        "Phillips": "Phillips",
        "slotted": "plano",
        "chrome vanadium steel": "acero al cromo vanadio",
        "cotton canvas": "lona de algodón",
        "220 gsm": "220 g/m²",
        "long": "largas",
        "spring steel": "acero para muelles",
        "closed and ground": "cerrados y rectificados",
    },
}

SHORT: dict[str, str] = {
    "stainless steel": "SS",
    "zinc-plated steel": "ZN",
    "stoneware": "STNWR",
    "solid oak": "OAK",
    "cotton canvas": "CVS",
    "chrome vanadium steel": "CR-V",
    "carbon film": "CF",
    "dishwasher safe": "DW SAFE",
    "spring steel": "SPR STL",
    "closed and ground": "C&G",
    "C45 steel": "C45",
}
