"""What a build tells about a catalogue as a whole."""

from catalogue import Product
from catalogue.gtin import check_digit
from catalogue.readers import RowProblem
from service.build_notes import notes


def test_the_most_frequent_problems_come_first_each_with_an_example() -> None:
    prices = [RowProblem(line, "x", "warning", f"price: {line!r} is not a price") for line in (2, 3, 4)]
    photos = [RowProblem(line, "x", "warning", f"images: {line}.jpg: no such file") for line in (3, 5)]
    once = RowProblem(9, None, "error", "not CSV: a quote")
    assert notes([once, *photos, *prices], []) == [
        "3 of them as in line 2: price: 2 is not a price",
        "2 of them as in line 3: images: 3.jpg: no such file",
    ]


def test_columns_of_nearly_a_field_s_name() -> None:
    attributes = {"Supplier": "acme", "STOCK": "3", "colour": "red"}
    product = Product(product_id="1", title="x", attributes=attributes, price=1, currency="EUR")
    became = "became an attribute. Rename it if that is what it is."
    assert notes([], [product]) == [
        f"1 of the first 1 products have no supplier_id, and Supplier {became}",
        f"1 of the first 1 products have no in_stock, and STOCK {became}",
    ]
    whole = product.model_copy(update={"supplier_id": "acme", "in_stock": True})
    assert notes([], [product, whole]) == [f"1 of the first 2 products have no in_stock, and STOCK {became}"]
    assert notes([], [whole, whole]) == []


def test_columns_named_in_other_languages() -> None:
    priced = Product(product_id="1", title="x", price=1.0)
    told = ({"Preis": "4,19", "farbe": "rot"}, {"PRIX": "4,19"})
    others = [Product(product_id=f"o{at}", title="x", attributes=attributes) for at, attributes in enumerate(told)]
    (said,) = notes([], [priced, *others])
    assert said.startswith("2 of the first 3 products have no price, and Preis and PRIX became an attribute.")


def test_a_number_that_a_supplier_pastes() -> None:
    attributes = {"EAN": "4006381333931"}
    pasted = [Product(product_id=str(n), title="x", supplier_id="acme", attributes=attributes) for n in range(6)]
    (said,) = notes([], pasted)
    assert said.startswith("6 listings of acme have the GTIN 4006381333931, which says that they are one product.")
    assert notes([], pasted[:5]) == []


def test_columns_that_tell_listings_with_one_gtin_apart() -> None:
    codes = [body + str(check_digit(body + "0")) for body in map(str, range(400638133390, 400638133402))]
    pairs = [
        Product(product_id=f"{code}-{n}", title="x", attributes={"EAN": code, "Fach": f"W{n}", "thread": "M6"})
        for code in codes
        for n in range(2)
    ]
    (said,) = notes([], pairs)
    assert said.startswith("fach says otherwise in 12 of 12 pairs of listings with one GTIN")
    assert notes([], pairs[:10]) == []


def test_currencies_that_no_filter_for_one_finds() -> None:
    products = [
        Product(product_id=str(n), title="x", price=1, currency=currency)
        for n, currency in enumerate([None, "EUR", "\u20ac", "eur"])
    ]
    (said,) = notes([], products)
    assert said.startswith("2 of the first 3 currencies are no code of ISO 4217 (EUR), as '\u20ac'.")
    assert notes([], products[:2]) == []


def test_numbers_that_are_no_gtin() -> None:
    values = ["4006381333931", "4.00638E+12", "036000291452", "2001234567893"]
    products = [Product(product_id=f"p{at}", title="a", attributes={"EAN": value}) for at, value in enumerate(values)]
    (said,) = notes([], products)
    assert said.startswith("2 of the first 4 values of EAN are no GTIN, as '4.00638E+12'")
    assert notes([], products[::2]) == []


def test_gtins_under_another_name() -> None:
    codes = [body + str(check_digit(body + "0")) for body in map(str, range(400638133390, 400638133402))]
    products = [Product(product_id=code, title="a", attributes={"external_product_id": code}) for code in codes]
    assert notes([], products) == [
        "Most values of external_product_id are GTINs (EAN, UPC). Named gtin, it says which listings are one product."
    ]
    assert notes([], products[:5]) == []
    assert notes([], [*products, Product(product_id="b", title="b", attributes={"EAN": codes[0]})]) == []
