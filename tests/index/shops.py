"""Random products and filters that often meet, and what a filter means, written down once more and plainly."""

from hypothesis import strategies as st

from catalogue import Product
from index import Filters
from tests.index.builders import item

CATEGORIES = ("", "A", "AB", "A !", "A > B", "A > B > C", "A > BC", "B", "B > A", " > B")
SUPPLIERS = ("", "acme", "kestrel", "orion")
PRICES = (None, 0.0, 1.0, 2.5, 1e12)
CURRENCIES = (None, "EUR", "USD")
NAMES = ("colour", "Colour", "size", "price")
VALUES = ("red", "Red", "M", "")
FACETS = (
    *("category", "category:1", "category:2", "supplier", "currency", "in_stock", "price"),
    *("attribute:colour", "attribute:price", "attribute:nobody"),
)

some_products = st.lists(
    st.builds(
        item,
        st.integers(0, 99).map(str),
        title=st.sampled_from(["x", "mug", "Mug", "größe", "杯"]),
        category=st.sampled_from(CATEGORIES),
        supplier_id=st.sampled_from(SUPPLIERS),
        price=st.sampled_from(PRICES),
        currency=st.sampled_from(CURRENCIES),
        in_stock=st.sampled_from([None, True, False]),
        attributes=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=3),
    ),
    max_size=8,
    unique_by=lambda entry: entry.product.product_id,
)


def _some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from([*values, "nobody"]), max_size=2).map(tuple)


_ids = st.lists(st.integers(0, 99).map(str), max_size=60).map(tuple)
_conditions = {
    "category": st.sampled_from([*CATEGORIES, "nobody"]),
    "suppliers": _some(SUPPLIERS),
    "not_suppliers": _some(SUPPLIERS),
    "min_price": st.sampled_from([0.0, 1.0, 2.0]),
    "max_price": st.sampled_from([0.0, 1.0, 3.0]),
    "currency": st.sampled_from(["EUR", "USD", "eur"]),
    "in_stock": st.booleans(),
    "attributes": st.dictionaries(st.sampled_from(["colour", "SIZE", "price", "nobody"]), _some(VALUES), max_size=2),
    "ids": _ids,
    "not_ids": _ids,
}
some_filters = st.fixed_dictionaries({}, optional=_conditions).map(Filters.model_validate)


def passes(product: Product, filters: Filters) -> bool:
    """Whether a product meets all conditions."""
    wanted = None if filters.category is None else filters.category.split(" > ")
    declared = {(name.casefold(), value) for name, value in product.attributes.items()}
    price = product.price
    return (
        (wanted is None or product.category.split(" > ")[: len(wanted)] == wanted)
        and (filters.suppliers is None or product.supplier_id in filters.suppliers)
        and product.supplier_id not in filters.not_suppliers
        and (filters.min_price is None or (price is not None and price >= filters.min_price))
        and (filters.max_price is None or (price is not None and price <= filters.max_price))
        and (filters.currency is None or product.currency == filters.currency)
        and (filters.in_stock is None or product.in_stock is filters.in_stock)
        and all(any((name, value) in declared for value in values) for name, values in filters.attributes.items())
        and (filters.ids is None or product.product_id in filters.ids)
        and product.product_id not in filters.not_ids
    )
