"""Which listings declare themselves different variants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import Product
from catalogue.variants import contradict, contradictions


def product(**attributes: str) -> Product:
    return Product(product_id="a", title="a", attributes={k.replace("_", " "): v for k, v in attributes.items()})


def titled(title: str, **attributes: str) -> Product:
    return product(**attributes).model_copy(update={"title": title})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (product(thread="M6"), product(thread="M8")),
        (product(capacitance="10 µF"), product(capacitance="100 µF")),
        (product(volume="500 ml"), product(volume="750ml")),
        (product(Colour="red"), product(colour="blue")),
        (product(size="L"), product(size="XL")),
        (product(Color="Red"), product(Farbe="blau")),
        (product(Colour="navy"), product(colour="light blue")),
        (product(Colour="black/white"), product(colour="black")),
        (product(Colour="teal"), product(colour="blue")),
        (product(size="EU 42"), product(Größe="43")),
        (product(size="Large"), product(taille="M")),
        (product(size="grande"), product(size="ande")),
        (product(**{"Voltage": "low", "voltage.": "12 V"}), product(voltage="24 V")),
        (product(Colour="Blue"), product(colour="light blue")),
        (product(Colour="rose gold"), product(colour="pink")),
        (product(Colour="schwarz/silber"), product(colour="black")),
        (product(number_of_items="4"), product(number_of_items="6")),
        (product(length="40 mm", thread="M6"), product(length="1.57 in", thread="M8")),
        (product(teeth="24"), product(teeth="32")),
        (product(length="40 mm"), product(length="40 cm")),
        (product(ID="10 mm"), product(ID="12 mm")),
        (titled("iPhone 14 (128 GB)"), titled("iPhone 14, 256GB, blue")),
        (titled("iPhone 13 case"), titled("case for iPhone 14")),
        (titled("Bag 38 x 42 cm"), titled("bag 28x32cm")),
        (titled("Bag 40 x 40 cm"), titled("bag 40 x 60 cm")),
        (titled("AA batteries, pack of 4"), titled("10 pcs AA battery")),
        (titled("Bolt M6x30", grade="8.8"), titled("hex bolt m8 x 30")),
        (titled("Phone (Glass Green)"), titled("phone, black")),
        (titled("Powerbank 10.000 mAh"), titled("Powerbank 20000mAh")),
        (titled("water 6 x 1.5 l"), titled("12 x 1.5 l water")),
        (titled("iPhone13"), titled("iPhone 14")),
        (titled("iPhone14 Pro case"), titled("case for iPhone 14")),
        (titled("iPhone 14 Pro"), titled("iPhone 14 Pro Max")),
        (titled("Galaxy S23"), titled("Samsung S23 Ultra")),
        (titled("oil 5W-30"), titled("oil 5W-40")),
        (titled("bolt M6*30"), titled("bolt M6 x 40")),
        (titled("pipe 1/2 inch"), titled("pipe ¾ inch")),
        (titled("10 µF capacitor"), titled("capacitor 470 µF")),
    ],
)
def test_different_variants(one: Product, other: Product) -> None:
    assert contradict(one, other)
    assert contradict(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (product(thread="M6"), product()),
        (product(thread="M6"), product(length="40 mm")),
        (product(thread="M 6"), product(thread="m6")),
        (product(length="40 mm"), product(length="1.57 in")),
        (product(length="4 cm"), product(length="40mm")),
        (product(capacity="0.5 l"), product(capacity="500 ml")),
        (product(capacity="0,5 l"), product(capacity="500 ml")),
        (product(resistance="4.7 kΩ"), product(resistance="4700 ohm")),
        (product(material="steel"), product(material="zinc-plated steel")),
        (product(length="1.2.3 mm"), product(length="1.2.3 mm")),
        (product(Color="Red"), product(Farbe="Rot")),
        (product(Color="Navy Blue"), product(Colour="dunkelblau")),
        (product(Colour="bleu marine"), product(colour="azul marino")),
        (product(Colour="matte black"), product(Farbe="schwarz matt")),
        (product(Colour="Silver"), product(Farbe="Silber")),
        (product(Colour="N/A"), product(colour="black")),
        (product(size="see picture"), product(size="M")),
        (product(screen="43 inches"), product(screen="43 pulgadas")),
        (product(memory="128GB"), product(memory="128 Go")),
        (product(Colour="gru\u0308n"), product(Farbe="gr\u00fcn")),
        (product(Colour="Blu"), product(colour="blue")),
        (product(image_1="1"), product(image_1="2")),
        (product(itemNumber="1"), product(itemnumber="2")),
        (product(factory_lead_time="3 weeks"), product(factory_lead_time="5 weeks")),
        (product(**{"Voltage": "low", "voltage.": "12 V"}), product(voltage="12 V")),
        (product(Colour="White and Black"), product(colour="schwarz/weiß")),
        (product(Colour="Grey"), product(颜色="灰色")),
        (product(size="EU 42"), product(Größe="42")),
        (product(size="X-Large"), product(taille="xl")),
        (product(size="EUR 42"), product(size="Size: 42")),
        (product(size="42 EU"), product(size="42")),
        (product(size="Einheitsgröße"), product(talla="Talla única")),
        (product(supplier_sku="A-12"), product(supplier_sku="B-13")),
        (product(itemNo="12"), product(itemNo="13")),
        (product(rating="4.5"), product(rating="3.9")),
        (product(notes="1 " + "long " * 20), product(notes="2 " + "long " * 20)),
        (titled("Bag 38 x 42 cm"), titled("tote bag 42x38cm")),
        (titled("Cable 1 m"), titled("cable 39.4 inch")),
        (titled("Cable 1 m"), titled("cable")),
        (titled("TV 100 cm"), titled("TV (40 inches)", width="1 m")),
        (titled("case for iPhone 12"), titled("case for iPhone 11, 12")),
        (titled("case for iPhone 12 Pro"), titled("case for iPhone 12, 12 Pro, 12 mini")),
        (titled("iPhone 12 Pro", edition="12 Pro"), titled("iPhone 12", model_name="12 Pro")),
        (titled("Bluetooth 5 mini speaker"), titled("speaker Bluetooth 5.0")),
        (titled("bolt 30 mm"), titled("bolt 8 mm", length="30 mm")),
        (titled("gear module 1.5"), titled("gear module 2", module="1.5")),
        (titled("mug, item 4711"), titled("mug, item 4712")),
        (titled("3 in 1 charger"), titled("charger 10 inch")),
        (titled("black-and-white mug"), titled("white mug")),
        (titled("navy mug"), titled("Tasse, blau")),
        (titled("red mug"), titled("white mug", print="red hearts")),
        (titled("30 x 40 cm frame"), titled("12x16 inch frame")),
        (titled("6 x 0.5 l water"), titled("water 6x500ml")),
        (titled("RAM 2x8GB"), titled("16GB RAM")),
        (titled("Toaster mit 2 Scheiben"), titled("Toaster mit 7 Stufen")),
        (titled("adapter 100-240 V"), titled("220 V adapter")),
        (titled("tape 19 mm"), titled("tape 20 m")),
        (titled("Bluetooth 5 speaker"), titled("speaker Bluetooth 5.0")),
        (titled("EUR 10 mug"), titled("mug EUR 12")),
        (titled("case S5 S6 S7 S8 S9 S10 S20 S21 S22 S23 S24 A10 A11 A12 A13 A14 A15 A20 A21 A22 A23 Note 8 Note 9"),)
        * 2,
        (product(Size="L", size="M"),) * 2,
        (product(length="1,050 mm"), product(length="1050 mm")),
        (product(Artikelnummer="12"), product(artikelnummer="13")),
    ],
)
def test_one_variant(one: Product, other: Product) -> None:
    assert not contradict(one, other)
    assert not contradict(other, one)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=12), max_size=4), st.text(min_size=1))
def test_nothing_contradicts_itself(attributes: dict[str, str], title: str) -> None:
    one = Product(product_id="a", title=title, images=("a",), attributes=attributes)
    assert not contradict(one, one)


def test_it_says_what_contradicts_what() -> None:
    one, other = titled("Phone 128 GB, 7 x 15 cm", Size="L"), titled("phone 256GB 8x16cm", size="M")
    assert list(contradictions(one, other)) == [
        ("Size", "L", "M"),
        ("title", "128 GB", "256GB"),
        ("title", "7 x 15 cm", "8x16cm"),
    ]
