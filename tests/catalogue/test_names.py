"""What attributes are about, by the names that shops' exports give them."""

import pytest

from catalogue.names import is_gtin_name, key_of, may_be_of_listing
from catalogue.variants import is_of_listing


@pytest.mark.parametrize(
    "name",
    [
        *(
            "gtin",
            "EAN",
            "ean-13",
            "UPC code",
            "Barcode",
            "ISBN",
            "GTIN_14",
            "Jan",
            "Variant Barcode",
            "EAN/UPC",
            "g:gtin",
        ),
        *(
            "EAN Number",
            "EAN-Nr.",
            "GTIN Code",
            "JAN code",
            "Code EAN",
            "Barcode (EAN)",
            "EANs",
            "UPC-12",
            "eanCode",
            "upca",
        ),
    ],
)
def test_gtins(name: str) -> None:
    assert is_gtin_name(name)


@pytest.mark.parametrize(
    "name", ["Código EAN", "Código de barras", "codigo_barras", "Code-barres", "Gencod", "Strichcode", "identifier_ean"]
)
def test_gtins_in_other_words(name: str) -> None:
    assert is_gtin_name(name)


@pytest.mark.parametrize("name", ["EAN VE", "EAN carton", "upc of the case", "UPC type"])
def test_the_number_of_a_case_is_another_one(name: str) -> None:
    assert not is_gtin_name(name)


@pytest.mark.parametrize(
    "name", ["", "mean", "barcode scanner", "Barcode types", "Europe", "janitor", "sku", "item number"]
)
def test_no_gtins(name: str) -> None:
    assert not is_gtin_name(name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("SKU", "A-1"),
            ("supplier_sku", "A-1"),
            ("EAN-13", "none"),
            ("ratings count", "4"),
            ("Rating", "4.5 out of 5"),
        ),
        *(
            ("Average customer rating", "4.2"),
            ("ID", "8812"),
            ("item no.", "B-12"),
            ("photo_id", "a7f3"),
            ("image", "a.jpg"),
        ),
        *(("lead time", "3 days"), ("Supply ability", "1000 pcs"), ("productCode", "12"), ("date added", "2025-01-01")),
        *(
            ("stock", "3"),
            ("price_per_unit", "3"),
            ("No", "5"),
            ("Artikelnummer", "12"),
            ("Art.-Nr.", "5"),
            ("ArtNr", "5"),
        ),
        *(
            ("other_image_url1", "https://a/b"),
            ("image_1", "1.png"),
            ("availability", "in stock"),
            ("ratingValue", "4.5"),
        ),
        *(("createdAt", "2025"), ("Lagerbestand", "4"), ("offer_id", "x"), ("Supplier", "Acme Ltd"), ("skuCode", "x")),
        *(("Overall rating", "4.5"), ("Monthly sales", "100"), ("imageUrl", "x"), ("Barcode", "n/a")),
    ],
)
def test_what_belongs_to_the_listing(name: str, value: str) -> None:
    assert is_of_listing(name, value)
    assert may_be_of_listing(name, is_quantity=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Voltage rating", "250 V"), ("IP rating", "IP67"), ("ID", "12 mm"), ("image sensor", "1/2.3"), ("", "x")),
        *(("lead pitch", "5 mm"), ("supply", "5 V"), ("model number", "A1"), ("Part number", "9"), ("users", "4")),
        *(("mounting position", "left"), ("colour code", "RAL 9005"), ("time", "5 min"), ("number of pieces", "4")),
        *(
            ("Number of Items", "4"),
            ("No. of items", "4"),
            ("Supplier Device Package", "8-SOIC"),
            ("Position", "Front Left"),
        ),
        *(
            ("Ratings", "AEC-Q200"),
            ("Rating", "IP67"),
            ("Rating", "5 A"),
            ("Lead", "0.5 mm"),
            ("Packaging", "Glass bottle"),
        ),
        *(("Stock", "Walnut"), ("Reference", "126610LN"), ("Barcode types", "1D, 2D"), ("Supplier colour", "moss")),
    ],
)
def test_what_belongs_to_the_product(name: str, value: str) -> None:
    assert not is_of_listing(name, value)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "image_1",
            "Image 2",
            "Variant Image",
            "small_image",
            "additional_image_link",
            "availability_date",
            "sale_end_date",
        ),
        *("cost_of_goods_sold", "Unit Cost", "Stock on hand", "Warehouse stock", "Sales last 30 days", "Page views"),
        *(
            "Manufacturer Standard Lead Time",
            "Factory Lead Time",
            "Packaging Details",
            "Delivery time (weeks)",
            "itemNumber",
        ),
        *("Existencias", "Opiniones", "Plazo de entrega", "UVP", "Verfügbarkeit", "sold_last_30_days", "VAT 20%"),
        *("ratingCount", "Bestell-Nr.", "Product reference", "date_add", "Rating (out of 5)"),
    ],
)
def test_what_tells_no_variants_apart(name: str) -> None:
    assert may_be_of_listing(name, is_quantity=False)


@pytest.mark.parametrize(
    "name", ["lead pitch", "supply", "Number of Items", "users", "thread", "model number", "size", ""]
)
def test_what_may_tell_variants_apart(name: str) -> None:
    assert not may_be_of_listing(name, is_quantity=False)


def test_names_and_values_without_end_take_no_time() -> None:
    for name in ("on" * 5_000 + "x", "images" * 33 + "q", "ids" * 66 + "q", "a" * 10_000):
        assert not is_of_listing(name, " " * 100_000 + "x")
        assert not may_be_of_listing(name, is_quantity=False)
    for value in ("1" + " " * 100_000 + "x", "of " * 50_000, "." * 100_000):
        assert not is_of_listing("rating", value)


def test_one_name_in_several_languages() -> None:
    assert {key_of(name) for name in ("Colour", "color", "Farbe", "COULEUR", "颜色")} == {"colour"}
    assert {key_of(name) for name in ("Size", "Größe", "taille")} == {"size"}
    assert key_of("Thread.") == "thread"
