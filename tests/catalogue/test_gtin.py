"""GTINs, in the ways in which catalogues write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.gtin import MOST_OF_A_PRODUCT, check_digit, gtin_of, gtins_of, read_gtin, read_gtins

EAN = "4006381333931"
OTHER = "4006381333948"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (EAN, EAN),
        (f"0{EAN}", EAN),
        (" 4 006381 333931\n", EAN),
        ("036000291452", "0036000291452"),
        ("36000291452", "0036000291452"),  # a spreadsheet dropped the zero
        ("0036000291452", "0036000291452"),
        ("96385074", "0000096385074"),
        ("978-3-16-148410-0", "9783161484100"),
        ("'4006381333931", EAN),
        ('="4006381333931"', EAN),
        ("4006381333931.0", EAN),
        ("\u200b4006381\u2013333931", EAN),
        ("10614141000415", "10614141000415"),
    ],
)
def test_however_it_is_written(text: str, code: str) -> None:
    assert read_gtin(text) == code
    assert read_gtin(code) == code


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "0",
            "4006381333932",
            "400638133393",
            "4.00638E+12",
            "40063813339310000",
            "EAN 4006381333931",
            "١٢٣٤٥٦٧٨",
        ),
        *("1234567890128", "12345670", "123456789012", "8888888888888", "9912345678908", "3-16-148410-X"),
        *("0000000000000", "00000000", "2001234567893", "0212345678992", "9812345678903", "0512345678900"),
        *("22222224", "3161484101", "-" * 100 + EAN, EAN + " " * 30 + "x"),
    ],
)
def test_what_is_none(text: str) -> None:
    assert read_gtin(text) is None


@pytest.mark.parametrize("prefix", ["02", "04", "05", "20", "29", "98", "99"])
def test_numbers_of_one_shop_and_coupons(prefix: str) -> None:
    body = prefix + "4738291056"
    assert read_gtin(f"{body}{check_digit(body + '0')}") is None


@given(st.from_regex("[13467][0-9]{11}", fullmatch=True), st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(body: str, at: int, by: int) -> None:
    code = body + str(check_digit(body + "0"))
    assert read_gtin(code) == code
    wrong = code[:at] + str((int(code[at]) + by) % 10) + code[at + 1 :]
    assert read_gtin(wrong) is None


def test_the_first_that_is_one_counts() -> None:
    assert gtin_of({"UPC": "036000291452", "ean": EAN}) == EAN
    assert gtin_of({"Barcode": "17", "EAN": "n/a", "gtin": EAN}) == EAN
    assert gtin_of({"sku": EAN, "mean": EAN}) is None
    assert gtin_of({}) is None


@pytest.mark.parametrize(
    "text",
    [
        f"{EAN}; {OTHER}",
        f"{EAN},{OTHER}",
        f"{EAN} | 4-006381-333948 / n/a",
        f'["{EAN}", "{OTHER}"]',
        f"[{EAN}, {OTHER}, 17]",
        f"{EAN}\n{OTHER}\n{EAN}",
    ],
)
def test_several_in_one_cell(text: str) -> None:
    assert read_gtins(text) == (EAN, OTHER)
    assert gtin_of({"EAN": text}) == EAN


def test_all_of_a_product_count_but_of_very_many_the_first() -> None:
    assert gtins_of({"UPC": "036000291452", "ean": f"{EAN};{OTHER}"}) == (EAN, OTHER, "0036000291452")
    assert gtins_of({"sku": EAN}) == read_gtins("n/a") == ()
    bodies = [f"40063813{at:04d}" for at in range(100)]
    codes = [f"{body}{check_digit(body + '0')}" for body in bodies]
    assert gtins_of({"EAN": ",".join(codes)}) == tuple(codes[:MOST_OF_A_PRODUCT])


def test_ten_digits_are_a_book_under_that_name_alone() -> None:
    for isbn, code in {"3-16-148410-X": "9783161484100", "080442957x": "9780804429573"}.items():
        assert gtin_of({"ISBN": isbn}) == gtin_of({"isbn-10": isbn}) == code
        assert gtin_of({"EAN": isbn}) is None
    assert gtin_of({"ISBN": "3161484101"}) is None
    assert gtin_of({"ISBN": "0000000000"}) is None
