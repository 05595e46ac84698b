"""What a product is read as when it is evaluated: the bundle's own text, or a template of the user's."""

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from catalogue.errors import InvalidInput
from catalogue.product import Product
from models.preprocessing import fill_template

TextOf: TypeAlias = Callable[[Product], str]

_FIELDS: Final = ("title", "description", "category", "supplier_id")


def template_fields(template: str, option: str) -> list[str]:
    """The fields of a template as `{title}, {colour}`; raises InvalidInput, naming the option, for what is none."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise InvalidInput(f"{option} {template!r} cannot be read: {error}. Write fields as {{title}}.") from None
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise InvalidInput(f"{option} {template!r}: a field is a name in braces, without a format.")
    fields = [field for _, field, _, _ in parts if field]
    if not fields:
        raise InvalidInput(f"{option} {template!r} has no field. Name some in braces, as {{title}}, {{category}}.")
    return fields


def text_by_template(template: str, products: Sequence[Product], option: str) -> TextOf:
    """Texts from title, description, category (its last level), supplier_id, and attributes by name.

    Raises InvalidInput for a field that none of the products has.
    """
    known = {*_FIELDS, *_attribute_names(products)}
    for field in template_fields(template, option):
        if field.casefold() not in known:
            raise InvalidInput(f"{option} asks for {{{field}}}, which no product has. There are: {_listed(known)}.")
    wanted = template_fields(template, option)

    def text(product: Product) -> str:
        values = column_values(product)
        return fill_template(template, {field: values.get(field.casefold(), "") for field in wanted})

    return text


def column(name: str, products: Sequence[Product], option: str) -> list[str]:
    """One field of every product, empty where it has none; raises InvalidInput for one that no product has."""
    values = [column_values(product).get(name.casefold(), "").strip() for product in products]
    if not any(values):
        known = {*_FIELDS, *_attribute_names(products)}
        raise InvalidInput(f"{option} {name}: no product has it. There are: {_listed(known)}.")
    return values


def without_attribute(product: Product, name: str) -> Product:
    """The product without an attribute that would give it away."""
    kept = {key: value for key, value in product.attributes.items() if key.casefold() != name.casefold()}
    return product if len(kept) == len(product.attributes) else product.model_copy(update={"attributes": kept})


def column_values(product: Product) -> Mapping[str, str]:
    """The fields of a product that templates and columns go by, in lower case."""
    levels = product.category_levels
    return {name.casefold(): value for name, value in product.attributes.items()} | {
        "title": product.title,
        "description": product.description,
        "category": levels[-1] if levels else "",
        "supplier_id": product.supplier_id,
    }


def _attribute_names(products: Iterable[Product]) -> set[str]:
    return {name.casefold() for product in products for name in product.attributes}


def _listed(names: Iterable[str]) -> str:
    some = sorted(names)
    return ", ".join(some[:30]) + (", …" if len(some) > 30 else "")
