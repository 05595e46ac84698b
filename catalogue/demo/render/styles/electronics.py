"""Electronic parts."""

from __future__ import annotations

from ..model import Style, Translations, Vocabulary, Words

VOCABULARY: dict[str, Vocabulary] = {
    "electrolytic capacitor": Vocabulary(
        "Electronic Components > Capacitors > Electrolytic Capacitors",
        {
            "en": ("electrolytic capacitor", "aluminium capacitor", "leaded e-cap", "polarised capacitor"),
            "de": ("Elko bedrahtet", "Elektrolytkondensator", "Aluminium-Elko"),
            "es": ("condensador electrolítico", "condensador polarizado", "condensador de aluminio"),
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
            "en": ("resistor", "axial resistor", "leaded resistor", "through-hole resistor"),
            "de": ("Widerstand", "Axialwiderstand", "Widerstand bedrahtet"),
            "es": ("resistencia", "resistor axial", "resistencia de orificio pasante"),
        },
        {
            "en": ("for breadboards and prototypes", "for hobby and repair", "for LED circuits and logic"),
            "de": ("für Steckbrett und Labor", "für Hobby und Reparatur"),
            "es": ("para prototipos", "para electrónica y reparación"),
        },
        {
            "en": ("tinned leads", "bag of 100", "crisp colour bands"),
            "de": ("verzinnte Drähte", "100 Stück"),
            "es": ("terminales estañados", "bolsa de 100"),
        },
    ),
    "integrated circuit": Vocabulary(
        "Electronic Components > Semiconductors > Integrated Circuits",
        {
            "en": ("integrated circuit", "IC", "microchip", "through-hole IC"),
            "de": ("IC-Baustein", "IC", "Mikrochip"),
            "es": ("circuito integrado", "microchip", "CI de inserción"),
        },
        {
            "en": ("for breadboards and repair", "for hobby electronics", "to socket or solder"),
            "de": ("für Steckbrett und Reparatur", "für Bastler und Labor"),
            "es": ("para protoboard y reparación", "para electrónica de aficionado"),
        },
        {
            "en": ("in antistatic tube", "straight pins", "new and unused"),
            "de": ("in antistatischer Schiene", "neu und unbenutzt"),
            "es": ("en tubo antiestático", "nuevo, sin usar"),
        },
    ),
    "LED": Vocabulary(
        "Electronic Components > Optoelectronics > LEDs",
        {
            "en": ("LED", "light emitting diode", "through-hole LED", "indicator LED"),
            "de": ("LED", "Leuchtdiode", "LED bedrahtet"),
            "es": ("diodo LED", "LED de inserción", "LED indicador"),
        },
        {
            "en": ("for displays and hobby", "for indicators and signals"),
            "de": ("für Anzeigen und Modellbau", "für Bastler"),
            "es": ("para indicadores y maquetas", "para aficionados"),
        },
        {
            "en": ("even light", "bag of 50", "long life"),
            "de": ("gleichmäßiges Licht", "50 Stück im Beutel"),
            "es": ("luz uniforme", "bolsa de 50"),
        },
    ),
    "light bulb": Vocabulary(
        "Lighting > Light Bulbs > LED Bulbs",
        {
            "en": ("LED bulb", "light bulb", "LED lamp", "retrofit bulb"),
            "de": ("LED-Lampe", "Leuchtmittel", "LED-Leuchtmittel"),
            "es": ("bombilla LED", "lámpara LED", "foco LED"),
        },
        {
            "en": ("for the home", "for everyday lamps"),
            "de": ("für Zuhause", "für Wohnraumleuchten"),
            "es": ("para el hogar", "para lámparas de casa"),
        },
        {
            "en": ("warm white light", "instant full brightness", "15,000 hours of life", "flicker free"),
            "de": ("warmweißes Licht", "sofort volle Helligkeit", "flimmerfrei"),
            "es": ("luz cálida", "encendido inmediato", "sin parpadeo"),
        },
    ),
    "terminal block": Vocabulary(
        "Electronic Components > Connectors > PCB Terminal Blocks",
        {
            "en": ("terminal block", "PCB screw terminal", "screw terminal connector", "board terminal"),
            "de": ("Schraubklemme", "Leiterplattenklemme", "Anschlussklemme für Platinen"),
            "es": ("bornera para PCB", "borne de tornillo", "regleta para circuito impreso"),
        },
        {
            "en": ("for wiring boards", "for control cabinets and hobby boards"),
            "de": ("für Platinen und Steuerungen", "zum Verdrahten von Leiterplatten"),
            "es": ("para placas de circuito", "para cableado de control"),
        },
        {
            "en": ("wire guard in every way", "flame-retardant housing", "tin-plated pins"),
            "de": ("mit Drahtschutz", "verzinnte Stifte"),
            "es": ("con protector de hilo", "pines estañados"),
        },
    ),
    "ceramic capacitor": Vocabulary(
        "Electronic Components > Capacitors > Ceramic Capacitors",
        {
            "en": ("ceramic capacitor", "ceramic disc capacitor", "disc capacitor", "ceramic cap"),
            "de": ("Keramikkondensator", "Scheibenkondensator", "Kerko"),
            "es": ("condensador cerámico", "condensador de disco", "condensador cerámico de disco"),
        },
        {
            "en": ("for breadboards and repair", "for radio and logic boards"),
            "de": ("für Steckbrett und Reparatur", "für Bastler"),
            "es": ("para prototipos y reparación", "para placas lógicas"),
        },
        {
            "en": ("no polarity", "bag of 50", "tinned leads"),
            "de": ("ungepolt", "50 Stück"),
            "es": ("sin polaridad", "bolsa de 50"),
        },
    ),
}

USES: dict[str, Words] = {
    "capacitor-10uf": {
        "en": ("for audio coupling", "signal coupling in amplifiers", "for coupling in audio stages"),
        "de": ("zur Kopplung in Audiostufen", "für Verstärker"),
        "es": ("para acoplo de audio", "para amplificadores"),
    },
    "capacitor-47uf": {
        "en": ("for emitter bypass and timers", "bypass of bias stages", "for long RC delays and timers"),
        "de": ("für Zeitglieder und Arbeitspunkte", "zur Überbrückung am Emitter"),
        "es": ("para temporizadores RC", "desacoplo de emisor y polarización"),
    },
    "capacitor-100uf": {
        "en": (
            "smoothing of 5 V and 12 V supplies",
            "for power supply smoothing",
            "buffer for regulators and supplies",
        ),
        "de": ("zur Siebung in Netzteilen", "als Puffer für Spannungsregler"),
        "es": ("filtrado de fuentes de 5 V y 12 V", "para reguladores de tensión"),
    },
    "capacitor-470uf": {
        "en": (
            "bulk storage for motor drivers",
            "against sags when motors start",
            "reservoir for LED strips and motors",
        ),
        "de": ("Speicher für Motortreiber", "gegen Einbrüche bei LED-Streifen"),
        "es": ("reserva para controladores de motor", "contra caídas en tiras LED"),
    },
    "resistor-220r": {
        "en": ("series resistor for LEDs", "to run an LED from 5 V", "current limiter for LEDs"),
        "de": ("Vorwiderstand für LED", "LED an 5 V"),
        "es": ("para limitar la corriente de LED", "resistencia en serie para LED"),
    },
    "resistor-1k": {
        "en": (
            "base resistor for transistors",
            "to drive a transistor from a logic pin",
            "to switch small transistors",
        ),
        "de": ("Basiswiderstand für Transistoren", "zum Ansteuern von Transistoren"),
        "es": ("resistencia de base para transistores", "para excitar transistores"),
    },
    "resistor-4k7": {
        "en": ("pull-up for I2C and sensors", "pull-up on data lines", "for I2C buses and switches"),
        "de": ("Pull-up für I2C und Sensoren", "für Datenleitungen"),
        "es": ("pull-up para I2C y sensores", "para líneas de datos"),
    },
    "resistor-10k": {
        "en": ("for voltage dividers and thermistors", "pull-down for push buttons", "divider partner for NTC probes"),
        "de": ("für Spannungsteiler und NTC-Fühler", "Pull-down für Taster"),
        "es": ("para divisores y termistores", "pull-down para pulsadores"),
    },
    "resistor-100k": {
        "en": ("for op-amp feedback", "bleeder and high-impedance bias", "gate bleeder for MOSFETs"),
        "de": ("für die Rückkopplung am Operationsverstärker", "Gate-Ableitung für MOSFET"),
        "es": ("realimentación de amplificadores operacionales", "descarga de puerta MOSFET"),
    },
    "chip-ne555": {
        "en": ("timer and blinker circuits", "for pulses, PWM and delays", "to build an astable oscillator"),
        "de": ("für Blinker und Zeitschalter", "als Taktgeber"),
        "es": ("para temporizadores y destelladores", "generador de pulsos"),
    },
    "chip-lm358": {
        "en": ("to amplify sensor signals on one supply", "comparator for 5 V boards", "for sensor front ends"),
        "de": ("für Sensorsignale an einfacher Versorgung", "als Komparator an 5 V"),
        "es": ("amplifica señales de sensores", "comparador con alimentación simple"),
    },
    "chip-tl072": {
        "en": ("for guitar pedals and mixers", "low-noise audio preamps", "for tone controls and synths"),
        "de": ("für Gitarreneffekte und Mischpulte", "für rauscharme Vorverstärker"),
        "es": ("para pedales de guitarra y mezcladores", "preamplificador de bajo ruido"),
    },
    "chip-74hc595": {
        "en": (
            "adds eight outputs to a microcontroller",
            "to drive LED rows over three wires",
            "serial to parallel output",
        ),
        "de": ("acht Ausgänge für Mikrocontroller", "seriell auf parallel"),
        "es": ("ocho salidas para microcontrolador", "conversión de serie a paralelo"),
    },
    "chip-cd4017": {
        "en": ("for running lights and chasers", "counts to ten", "for sequencers and LED chasers"),
        "de": ("für Lauflichter", "zählt bis zehn"),
        "es": ("para luces secuenciales", "cuenta hasta diez"),
    },
    "led-3": {
        "en": ("for model railways and dense panels", "fits a 3 mm bezel", "for scale models and keyboards"),
        "de": ("für Modellbahn und enge Frontplatten", "für 3-mm-Fassungen"),
        "es": ("para maquetas de tren y paneles densos", "para soporte de 3 mm"),
    },
    "led-5": {
        "en": ("for Arduino kits and breadboards", "fits a 5 mm bezel", "as a bright pilot lamp on equipment"),
        "de": ("für Arduino und Steckbrett", "als Kontrollleuchte am Gerät"),
        "es": ("para kits de Arduino", "piloto de aparatos"),
    },
    "bulb-4w": {
        "en": ("replaces a 40 W bulb", "soft light for bedside lamps", "for mood light and hallways"),
        "de": ("ersetzt 40 W", "für Nachttisch und Flur"),
        "es": ("sustituye a 40 W", "para mesilla y pasillo"),
    },
    "bulb-7w": {
        "en": ("replaces a 60 W bulb", "bright enough to read and cook by", "main light for kitchen and desk"),
        "de": ("ersetzt 60 W", "helles Licht für Küche und Schreibtisch"),
        "es": ("sustituye a 60 W", "luz principal para cocina y escritorio"),
    },
    "terminal-2-5.08": {
        "en": ("power input for relay boards", "for a supply or motor pair", "mains and 24 V feeds"),
        "de": ("Netzteilanschluss auf Relaisplatinen", "für ein Adernpaar bis 2.5 mm²"),
        "es": ("entrada de alimentación en placas de relés", "para un par de potencia"),
    },
    "terminal-3-5.08": {
        "en": ("relay contacts NO, COM and NC", "for changeover relay outputs", "live, neutral and earth on one board"),
        "de": ("für Wechslerkontakte von Relais", "für L, N und PE"),
        "es": ("salida conmutada de relé NA, COM y NC", "fase, neutro y tierra"),
    },
    "terminal-2-3.5": {
        "en": ("for thin sensor pairs", "fits crowded boards", "bell wire and thermostat pairs"),
        "de": ("für dünne Sensorleitungen", "für enge Platinen"),
        "es": ("para sensores de dos hilos", "para placas compactas"),
    },
    "terminal-3-3.5": {
        "en": ("for three-wire probes", "RS-485 lines A, B and ground", "small potentiometers and servos"),
        "de": ("für RS-485 mit Masse", "für Dreileiter-Fühler und Potis"),
        "es": ("bus RS-485 con masa", "sondas de tres hilos y potenciómetros"),
    },
    "disc-10nf": {
        "en": ("for RF filters and snubbers", "takes clicks off switch contacts", "for tone circuits and debouncing"),
        "de": ("zum Entprellen von Tastern", "für HF-Filter"),
        "es": ("para filtros RF", "antirrebote de pulsadores"),
    },
    "disc-100nf": {
        "en": ("decoupling next to every IC", "bypass on supply pins", "keeps logic supply rails quiet"),
        "de": ("Abblockung direkt am IC", "an Versorgungspins"),
        "es": ("desacoplo junto a cada integrado", "en pines de alimentación"),
    },
}


TRANSLATIONS: Translations = {
    "de": {
        "2-pin": "2-polig",
        "3-pin": "3-polig",
        "capacitance": "Kapazität",
        "voltage": "Spannung",
        "temperature": "Temperatur",
        "mounting": "Bauform",
        "resistance": "Widerstand",
        "tolerance": "Toleranz",
        "technology": "Technik",
        "carbon film": "Kohleschicht",
        "function": "Funktion",
        "package": "Gehäuse",
        "supply": "Versorgung",
        "timer": "Timer",
        "dual op-amp": "Zweifach-Operationsverstärker",
        "JFET dual op-amp": "Zweifach-JFET-Operationsverstärker",
        "shift register": "Schieberegister",
        "decade counter": "Dezimalzähler",
        "part": "Typ",
        "contacts": "Kontakte",
        "spacing": "Rastermaß",
        "wire size": "Leiterquerschnitt",
        "current": "Strom",
        "base": "Sockel",
        "luminous flux": "Lichtstrom",
        "colour temperature": "Farbtemperatur",
        "diameter": "Durchmesser",
        "lead pitch": "Anschlussraster",
    },
    "es": {
        "2-pin": "2 polos",
        "3-pin": "3 polos",
        "capacitance": "capacidad",
        "voltage": "tensión",
        "temperature": "temperatura",
        "mounting": "montaje",
        "resistance": "resistencia",
        "tolerance": "tolerancia",
        "technology": "tecnología",
        "carbon film": "película de carbón",
        "function": "función",
        "package": "encapsulado",
        "supply": "alimentación",
        "timer": "temporizador",
        "dual op-amp": "doble amplificador operacional",
        "JFET dual op-amp": "doble amplificador operacional JFET",
        "shift register": "registro de desplazamiento",
        "decade counter": "contador decimal",
        "part": "modelo",
        "contacts": "contactos",
        "spacing": "paso",
        "wire size": "sección de hilo",
        "current": "corriente",
        "base": "casquillo",
        "luminous flux": "flujo luminoso",
        "colour temperature": "temperatura de color",
        "diameter": "diámetro",
        "lead pitch": "separación de terminales",
    },
}

SHORT: dict[str, str] = {"carbon film": "CF"}


# Ground, ink and what to call it.
SLEEVES: dict[str, tuple[str, str, Words]] = {
    "": ("#1c2740", "#c3cad6", {}),
    "gold-": (
        "#161718",
        "#c49a45",
        {
            "en": ("black with gold stripe", "gold stripe"),
            "de": ("schwarz mit Goldstreifen",),
            "es": ("negro con franja dorada",),
        },
    ),
}
# Microfarads, volts, diameter, height, lead spacing, dollars; and the sleeves it comes in.
Can = tuple[int, int, float, float, float, float, tuple[str, ...]]
CANS: tuple[Can, ...] = (
    (10, 50, 5.0, 11.0, 2.0, 1.9, ("", "gold-")),
    (100, 16, 5.0, 11.0, 2.0, 2.1, ("", "gold-")),
    (47, 25, 5.0, 11.0, 2.0, 2.0, ("", "gold-")),
    (470, 16, 8.0, 12.0, 3.5, 3.2, ("gold-",)),
)


def _capacitor(sleeve: str, can: Can) -> Style:
    micro, volts, diameter, height, spacing, price, _ = can
    ground, ink, look = SLEEVES[sleeve]
    farad, volt = f"{micro} µF", f"{volts} V"
    return Style(
        f"capacitor-{sleeve}{micro}uf-{volts}v",
        "electrolytic capacitor",
        {"radius": diameter / 2, "height": height, "lead": 14.0, "spacing": spacing, "ground": ground, "ink": ink},
        {
            "capacitance": farad,
            "voltage": volt,
            "size": f"{diameter:g} x {height:g} mm",
            "temperature": "105 °C",
            "mounting": "radial",
        },
        price,
        codes=(f"{farad} {volt}", f"{farad}/{volt}".replace(" ", ""), f"{farad.replace('µF', 'uF')} {volt}"),
        look=look,
        uses=USES[f"capacitor-{micro}uf"],
    )


CARBON: Words = {
    "en": ("beige body", "four-band"),
    "de": ("beige", "mit vier Ringen"),
    "es": ("cuerpo beige", "de cuatro bandas"),
}
METAL: Words = {
    "en": ("blue body", "five-band"),
    "de": ("blau", "mit fünf Ringen"),
    "es": ("cuerpo azul", "de cinco bandas"),
}
FILM = {"tolerance": "5 %", "technology": "carbon film"}
LIMITS = {"voltage": "250 V", "temperature": "155 °C"}  # what carbon and metal film share

# Style id, resistance, short form, colour bands, further facts, look: five bands are metal film.
OHMS: tuple[tuple[str, str, str, tuple[str, ...], dict[str, str], Words], ...] = (
    ("resistor-220r", "220 Ω", "220R", ("red", "red", "brown", "gold"), FILM, {}),
    ("resistor-4k7", "4.7 kΩ", "4K7", ("yellow", "violet", "red", "gold"), FILM, {}),
    ("resistor-1k", "1 kΩ", "1K0", ("brown", "black", "red", "gold"), LIMITS, CARBON),
    ("resistor-10k", "10 kΩ", "10K", ("brown", "black", "orange", "gold"), LIMITS, CARBON),
    ("resistor-100k", "100 kΩ", "100K", ("brown", "black", "yellow", "gold"), LIMITS, CARBON),
    ("resistor-metal-1k", "1 kΩ", "1K0", ("brown", "black", "black", "brown", "brown"), LIMITS, METAL),
    ("resistor-metal-10k", "10 kΩ", "10K", ("brown", "black", "black", "red", "brown"), LIMITS, METAL),
)


def _resistor(style_id: str, ohm: str, short: str, bands: tuple[str, ...], more: dict[str, str], look: Words) -> Style:
    colour = "c2a47a" if len(bands) == 4 else "5b9cc0"
    return Style(
        style_id,
        "resistor",
        {"length": 6.3, "radius": 1.25, "lead": 6.0, "colour": colour, "bands": bands},
        {"resistance": ohm, "power": "0.25 W", **more},
        2.4,
        codes=(ohm, short, ohm.replace("Ω", "ohm")),
        look=look,
        uses=USES[style_id.replace("metal-", "")],
    )


BODIES: dict[str, Words] = {
    "plastic": {
        "en": ("black plastic", "moulded body"),
        "de": ("schwarz vergossen", "Kunststoffgehäuse"),
        "es": ("cuerpo plástico negro",),
    },
    "ceramic": {
        "en": ("white ceramic with gold lid", "gold-lid ceramic"),
        "de": ("weiße Keramik mit Golddeckel",),
        "es": ("cerámica blanca con tapa dorada",),
    },
}
# Part, what it does, pins, supply, dollars, the bodies it comes in.
Chip = tuple[str, str, int, str, float, tuple[str, ...]]
CHIPS: tuple[Chip, ...] = (
    ("NE555", "timer", 8, "4.5-16 V", 0.9, ("plastic", "ceramic")),
    ("LM358", "dual op-amp", 8, "3-32 V", 1.1, ("plastic", "ceramic")),
    ("TL072", "JFET dual op-amp", 8, "7-36 V", 1.4, ("plastic",)),
    ("74HC595", "shift register", 16, "2-6 V", 1.6, ("plastic",)),
    ("CD4017", "decade counter", 16, "3-15 V", 1.5, ("plastic",)),
)


def _chip(body: str, chip: Chip) -> Style:
    part, task, pins, supply, price, _ = chip
    word = f"chip-{part.lower()}"
    return Style(
        word if body == "plastic" else word.replace("chip-", f"chip-{body}-"),
        "integrated circuit",
        {"body": body, "pins": pins, "length": 9.4 if pins == 8 else 19.3},
        {"part": part, "function": task, "package": f"DIP-{pins}", "supply": supply},
        price if body == "plastic" else price * 4,
        codes=(part, f"{part} DIP-{pins}", f"{part} DIP{pins}"),
        look=BODIES[body],
        uses=USES[word],
    )


# Colour of the epoxy, how cloudy it is, what to call it.
LENSES: dict[str, tuple[str, float, Words]] = {
    "red": (
        "e0241c",
        0.72,
        {"en": ("red diffused", "red"), "de": ("rot, diffus", "rot"), "es": ("rojo difuso", "rojo")},
    ),
    "yellow": (
        "f8d622",
        0.72,
        {"en": ("yellow diffused", "yellow"), "de": ("gelb, diffus", "gelb"), "es": ("amarillo difuso", "amarillo")},
    ),
    "green": (
        "4fd06a",
        0.06,
        {"en": ("clear green", "green"), "de": ("grün, klar", "grün"), "es": ("verde transparente", "verde")},
    ),
    "blue": (
        "5f93f2",
        0.06,
        {"en": ("clear blue", "blue"), "de": ("blau, klar", "blau"), "es": ("azul transparente", "azul")},
    ),
}


def _led(lens: str, size: int) -> Style:
    colour, cloud, look = LENSES[lens]
    height, lead = (8.6, 14.0) if size == 5 else (5.3, 10.0)
    return Style(
        f"led-{lens}-{size}",
        "LED",
        {"radius": size / 2, "height": height, "lead": lead, "colour": colour, "cloud": cloud},
        {
            "diameter": f"{size} mm",
            "current": "20 mA",
            "height": f"{height:g} mm",
            "lead pitch": "2.54 mm",
            "mounting": "radial",
        },
        2.6 if size == 5 else 2.3,
        codes=(f"{size} mm", f"{size}mm", f"T-{'1 3/4' if size == 5 else '1'} {size}mm"),
        look=look,
        uses=USES[f"led-{size}"],
    )


# Form, cap, radius, height, height of the collar, clear glass?, watts on offer, what to call it.
BULBS: dict[str, tuple[str, int, float, float, float, bool, tuple[int, ...], Words]] = {
    "pear": (
        "pear", 27, 30.0, 108.0, 0.42, False, (4, 7),
        {"en": ("frosted pear", "opal pear shape"), "de": ("Birnenform matt",), "es": ("pera opal",)},
    ),
    "globe": (
        "globe", 27, 40.0, 118.0, 0.2, False, (4, 7),
        {"en": ("opal globe", "round globe"), "de": ("Globeform opal",), "es": ("globo opal",)},
    ),
    "filament": (
        "pear", 27, 30.0, 106.0, 0.0, True, (4, 7),
        {"en": ("clear filament", "vintage clear glass"), "de": ("Filament klar",), "es": ("filamento visible",)},
    ),
    "candle": (
        "candle", 14, 17.5, 100.0, 0.3, False, (4,),
        {"en": ("opal candle", "candle shape"), "de": ("Kerzenform matt",), "es": ("vela opal",)},
    ),
}  # fmt: skip
LUMENS = {4: 470, 7: 806}


def _bulb(design: str, watts: int) -> Style:
    form, cap, radius, height, collar, clear, _, look = BULBS[design]
    base, power = f"E{cap}", f"{watts} W"
    return Style(
        f"bulb-{design}-{watts}w",
        "light bulb",
        {
            "form": form,
            "cap": cap,
            "radius": radius,
            "height": height,
            "collar": collar + 0.04 * (watts == 7),
            "filaments": (4 if watts == 4 else 6) * clear,
        },
        {"power": power, "base": base, "luminous flux": f"{LUMENS[watts]} lm", "colour temperature": "2700 K"},
        (4.2 if clear else 3.4) + 0.4 * (watts - 4),
        codes=(f"{power} {base}", f"{base} {watts}W", f"{watts}W {LUMENS[watts]} lm {base}"),
        look=look,
        uses=USES[f"bulb-{watts}w"],
    )


HOUSINGS: dict[str, tuple[str, Words]] = {
    "green": ("3f9a4c", {"en": ("green",), "de": ("grün",), "es": ("verde",)}),
    "blue": ("2f62b4", {"en": ("blue",), "de": ("blau",), "es": ("azul",)}),
}


def _terminal(housing: str, ways: int, pitch: float) -> Style:
    colour, look = HOUSINGS[housing]
    large = pitch > 5
    deep, high = (8.2, 10.0) if large else (7.0, 8.6)
    return Style(
        f"terminal-{housing}-{ways}-{pitch:g}".replace(".", ""),
        "terminal block",
        {"pitch": pitch, "ways": ways, "depth": deep, "height": high, "colour": colour},
        {
            "contacts": f"{ways}-pin",
            "spacing": f"{pitch:g} mm",
            "current": "16 A" if large else "8 A",
            "wire size": "2.5 mm²" if large else "1 mm²",
            "voltage": "300 V",
        },
        (0.5 if large else 0.42) * ways + 1,
        codes=(f"{ways}-pin {pitch:g} mm", f"{pitch:g} mm {ways}-pin", f"{pitch:g}mm {ways}-pin"),
        look=look,
        uses=USES[f"terminal-{ways}-{pitch:g}"],
    )


DIPS: dict[str, tuple[str, str, Words]] = {
    "ochre": ("a9651f", "#3a220c", {"en": ("ochre", "brown"), "de": ("ockerfarben",), "es": ("ocre",)}),
    "blue": ("2f6fb0", "#e8eef4", {"en": ("blue", "blue-coated"), "de": ("blau",), "es": ("azul",)}),
}


def _disc(dip: str, nano: int, code: str) -> Style:
    colour, ink, look = DIPS[dip]
    farad = f"{nano} nF"
    return Style(
        f"disc-{dip}-{nano}nf",
        "ceramic capacitor",
        {
            "radius": 2.9 if nano == 10 else 3.2,
            "thickness": 2.6,
            "lead": 12.0,
            "spacing": 5.08,
            "colour": colour,
            "ink": ink,
        },
        {"capacitance": farad, "voltage": "50 V", "lead pitch": "5.08 mm", "tolerance": "20 %", "mounting": "radial"},
        1.6,
        codes=(farad, f"{nano}nF ({code})", f"{nano}nF"),
        look=look,
        uses=USES[f"disc-{nano}nf"],
    )


STYLES: tuple[Style, ...] = (
    *(_capacitor(sleeve, can) for can in CANS for sleeve in can[-1]),
    *(_resistor(*row) for row in OHMS),
    *(_chip(body, chip) for chip in CHIPS for body in chip[-1]),
    *(_led(lens, size) for size in (3, 5) for lens in LENSES),
    *(_bulb(design, watts) for design, row in BULBS.items() for watts in row[6]),
    *(_terminal(housing, ways, pitch) for housing in HOUSINGS for ways in (2, 3) for pitch in (5.08, 3.5)),
    *(_disc(dip, nano, code) for dip in DIPS for nano, code in ((10, "103"), (100, "104"))),
)
