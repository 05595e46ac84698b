"""What searches and writes take and answer over the wire, with their limits, and what other routes share of that."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from catalogue.errors import InvalidInput
from catalogue.fetch import MAX_URL
from catalogue.product import MAX_ATTRIBUTES, AttributeName, AttributeValue, Details, Product
from catalogue.strict import FLAG, NUMBER, Strict
from index import Filters, IndexedProduct
from index.facets import FacetName
from index.filters import OPEN
from service.ranking import GroupBy
from service.writing import Delete, Patch, Upsert, Write

MAX_TEXT: Final = 10_000
MAX_K: Final = 1_000
MAX_NEGATIVES: Final = 16
MAX_FACETS: Final = 16
CURSOR: Final = r"^[A-Za-z0-9_.=-]*$"
MAX_CURSOR: Final = 2_000_000
"""Filters and exclusions of the first page are in it."""

REFINE_EXAMPLE: Final = "dwAAAHsiYXNrZWQiOnt9fQ==.bQ3xv0yJ1mC0q9mJQ2l3bA"
Target = Literal["fusion", "image", "text"]


def _decode_base64(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError("must be the photo's bytes in base64, as a string")
    try:
        return base64.b64decode(value.partition(",")[2] if value.startswith("data:") else value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not valid base64") from None


def _text(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise ValueError(f"has {len(value):,} characters; at most {MAX_TEXT:,} are taken")
    return value


def _unless_blank(value: object) -> object:
    """An empty search box is no words."""
    return None if isinstance(value, str) and not value.strip() else value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; give a product id or words, or leave it out")
    return value


Base64Bytes = Annotated[
    bytes,
    PlainValidator(_decode_base64),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "description": "base64, or a data: URL"}),
]
PhotoUrl = Annotated[
    str, Field(min_length=1, max_length=MAX_URL, description="http(s), of a host that SAMESTYLE_FETCH__HOSTS allows")
]
_Text = Annotated[str, BeforeValidator(_text), Field(max_length=MAX_TEXT)]
QueryText = Annotated[_Text | None, BeforeValidator(_unless_blank)]
Negative = Annotated[_Text, AfterValidator(_not_blank)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), NUMBER]
Weight = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False), NUMBER]
_FOUR_SHARES: Final = {"items": {"type": "number", "minimum": 0, "maximum": 1}, "minItems": 4, "maxItems": 4}
"""Few makers of clients know the `prefixItems` of a tuple."""
Crop = Annotated[tuple[Share, Share, Share, Share], WithJsonSchema({"type": "array", **_FOUR_SHARES})]
QueryId = Annotated[str, Field(min_length=1, max_length=128)]
UserKey = Annotated[str, Field(min_length=1, max_length=200)]
FacetNames = Annotated[
    tuple[FacetName, ...],
    Field(
        max_length=MAX_FACETS,
        description="what to count among all products that pass the filters: category (or category:1 for its first "
        "level), supplier, currency, in_stock, price (in ranges), attribute:NAME",
    ),
]


class Weights(Strict):
    """How much each term counts; the query is their normalised weighted sum."""

    fused: Weight = Field(default=1.0, description="all given modalities together; 1 if left out")
    image: Weight = Field(default=0.0, description="the photo alone; 0 if left out")
    text: Weight = Field(default=0.0, description="the words alone; 0 if left out")

    @model_validator(mode="after")
    def _not_nothing(self) -> "Weights":
        if self.fused == self.image == self.text == 0:
            raise ValueError("at least one weight must differ from 0")
        return self


class QueryItem(Strict):
    """A product, a photo, words, or words with either."""

    product_id: QueryId | None = Field(default=None, description="a product of the catalogue")
    image: Base64Bytes | None = None
    image_url: PhotoUrl | None = None
    text: QueryText = None
    crop: Crop | None = Field(
        default=None,
        description="x0, y0, x1, y1 of the part of the photo that counts, in 0..1 from the top left; of a product it "
        "is its photo's, and the rest of the product does not count then",
    )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return self.product_id is None and self.image is None and self.image_url is None and self.text is None

    @model_validator(mode="after")
    def _is_one_query(self) -> Self:
        given = sum(value is not None for value in (self.product_id, self.image, self.image_url))
        if self.is_empty and not self._may_be_empty:
            raise ValueError(
                "the query is empty: give product_id, image, image_url or text (or text with one of the others)"
            )
        if given > 1:
            raise ValueError("give one of product_id, image and image_url, not both")
        if self.crop is not None and not given:
            raise ValueError("crop needs an image, or a product that has one")
        if self.crop is not None and not (self.crop[0] < self.crop[2] and self.crop[1] < self.crop[3]):
            raise ValueError("crop must be x0 < x1 and y0 < y1")
        return self

    @property
    def _may_be_empty(self) -> bool:
        return False


class SearchRequest(QueryItem):
    """A query: a product, a photo, words, or words with either; or the cursor of the page before."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "white ceramic mug with stripes", "k": 5},
                {
                    "product_id": "kestrel-4265",
                    "text": "in white",
                    "filters": {"max_price": 20},
                    "facets": ["supplier"],
                },
            ]
        }
    )

    text: QueryText = Field(
        default=None,
        description="words: what says them, and what is like them; a barcode or a product's id alone finds first what "
        "has it, whatever `min_score` says",
    )
    weights: Weights = Weights()
    negatives: tuple[Negative, ...] = Field(
        default=(), max_length=MAX_NEGATIVES, description="less like these: product ids, or words"
    )
    target: Target = Field(
        default="fusion", description="which vectors of the catalogue are searched; by default fusion"
    )
    k: Annotated[int, NUMBER] = Field(
        default=10, ge=1, le=MAX_K, description="how many hits, or groups, at most; by default 10"
    )
    filters: Filters = OPEN
    facets: FacetNames = ()
    min_score: Annotated[float | None, NUMBER] = Field(default=None, ge=-1, le=1, allow_inf_nan=False)
    exclude: tuple[QueryId, ...] = Field(default=(), max_length=1_000, description="product ids not to answer with")
    group_by: GroupBy | None = Field(
        default=None, description="only the first hit of each supplier or style, of the best 1,000 products"
    )
    cursor: str | None = Field(
        default=None,
        max_length=MAX_CURSOR,
        pattern=CURSOR,
        description="`next_cursor` of the page before; all but `k` may be left out then, or must be as it was",
    )
    alias: str = Field(
        default="live", max_length=64, description="which index answers; by default `live`, or as experiments say"
    )
    user_key: UserKey | None = None
    explain: Annotated[bool, FLAG] = Field(default=False, description="add what each term contributed to each score")

    @property
    def _may_be_empty(self) -> bool:
        return self.cursor is not None


class RefineRequest(Strict):
    """How the next answer shall differ from one before; what is left out stays as it was."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "cursor": REFINE_EXAMPLE,
                    "text": "in white",
                    "weights": {"fused": 0.6, "text": 0.4},
                    "add_negatives": ["oakandco-8729"],
                }
            ]
        }
    )

    cursor: str = Field(
        min_length=1, max_length=MAX_CURSOR, pattern=CURSOR, description="`refine_cursor` of the answer before"
    )
    text: QueryText = Field(default=None, description="the words from now on; null drops them")
    drop_photo: Annotated[bool, FLAG] = Field(
        default=False, description="go on with the words alone, without the photo or product it began with"
    )
    weights: Weights | None = Field(default=None, description="the weights from now on; null: those at first")
    add_negatives: tuple[Negative, ...] = Field(
        default=(), max_length=MAX_NEGATIVES, description="less like these, too: product ids, or words"
    )
    remove_negatives: tuple[Negative, ...] = Field(
        default=(), max_length=MAX_NEGATIVES, description="of those before, no longer less like these"
    )
    filters: Filters | None = Field(default=None, description="the filters from now on; null: none")
    facets: FacetNames | None = Field(default=None, description="what to count from now on; null: nothing")
    k: Annotated[int | None, NUMBER] = Field(
        default=None, ge=1, le=MAX_K, description="how many hits, or groups, at most; null: as many as before"
    )
    explain: Annotated[bool, FLAG] | None = Field(default=None, description="as in a search; null: as before")
    user_key: UserKey | None = None


def image_url(product_id: str, images: Sequence[str], photo: str | None) -> str | None:
    """Where a product's main photo is: the catalogue's own URL, or this service's copy."""
    if images and images[0].startswith(("http://", "https://")):
        return images[0]
    if photo is None:
        return None
    # the hash makes it a new URL when the photo changes, so that it may be cached for good
    return f"/v1/products/{quote(product_id, safe='')}/image?v={photo[:12]}"


class HitGroup(BaseModel):
    """The hits of one supplier, or of one style."""

    key: str | None = Field(
        description="the supplier, or the product that the style is named after; null for a product of no supplier"
    )
    size: int = Field(description="how many of the best 1,000 products are in it")


class Hit(BaseModel):
    """A product of the answer."""

    product_id: str
    score: float = Field(
        description="cosine similarity to the query, -1..1; what puts hits in order may be more than that"
    )
    title: str
    category: str
    supplier_id: str
    price: float | None
    currency: str | None
    in_stock: bool | None
    attributes: dict[str, str]
    image_url: str | None
    url: str | None
    explain: dict[str, float] | None = Field(
        description="contribution of each term; they add up to score, within 1e-5; null unless asked for"
    )
    words_said: float | None = Field(
        description="how much of the query's words it says, 0..1, rare words counting more, and the description's "
        "less; null where they were not looked for, and behind the first few hundred hits"
    )
    group: HitGroup | None = Field(description="what the hit stands for, where hits are grouped")


class FacetValue(BaseModel):
    """How many products have a value."""

    value: str = Field(description="as in a filter: `supplier=VALUE`, `price=5..19.9`, `attribute:colour=VALUE`")
    count: int


class SearchAnswer(BaseModel):
    """Neighbours, best first."""

    request_id: str
    model: str
    snapshot: str
    alias: str
    arm: str | None = Field(description="of an experiment; null where none runs")
    took_ms: float
    hits: list[Hit]
    facets: dict[str, list[FacetValue]] = Field(description="counts over all products that pass the filters")
    next_cursor: str | None = Field(description="for the next page; null where this is the last, or 1,000 hits are out")
    refine_cursor: str | None = Field(
        description="to ask for the same, but different, by `POST /v1/search/refine`; null on later pages, where "
        "that of the first still serves"
    )
    total: int | None = Field(description="how many hits all pages have; null but on the tab of the same style")
    total_is_exact: bool | None = Field(
        description="false where the best 1,000 listings were looked at and there may be more"
    )


class ProductAnswer(BaseModel):
    """A product of the catalogue."""

    product_id: str
    title: str
    description: str
    category: str
    supplier_id: str
    price: float | None
    currency: str | None
    in_stock: bool | None
    attributes: dict[str, str]
    image_url: str | None = Field(description="the main photo")
    url: str | None

    @classmethod
    def of(cls, item: IndexedProduct, **more: Any) -> Self:
        """The product as answered, with `more` fields; ground truth and paths of the catalogue stay inside."""
        fields = item.product.model_dump(exclude={"style_id", "images"})
        photo = image_url(item.product.product_id, item.product.images, item.photo)
        return cls(**fields, image_url=photo, **more)


class ProductWrite(Strict, Details):
    """A product as it should be; what is left out is empty, but for the photo."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"title": "White mug, 330 ml", "supplier_id": "acme", "price": 4.5, "currency": "EUR"}]
        }
    )

    price: Annotated[float | None, NUMBER] = Field(default=None, ge=0, allow_inf_nan=False)
    in_stock: Annotated[bool, FLAG] | None = None
    image: Base64Bytes | None = Field(
        default=None, description="the photo; left out, the one there is stays, and null takes it away"
    )
    image_url: PhotoUrl | None = Field(default=None, description="where the photo is now; a copy of it is kept")

    @model_validator(mode="after")
    def _has_one_photo(self) -> "ProductWrite":
        if self.image_url is not None and "image" in self.model_fields_set:
            raise ValueError("give image or image_url, not both")
        return self

    def upsert(self, product_id: str) -> Upsert:
        """The change this asks for; raises InvalidInput for an id that cannot be one."""
        details = self.model_dump(exclude={"image", "image_url", "product_id", "delete"})
        product = None
        with suppress(ValidationError):  # raised from within, ours would keep it (`bodies._validated` says why not)
            # whether it has a title or a photo is known when it is written
            product = Product(product_id=product_id, images=("image",), **details)
        if product is None:
            raise InvalidInput("A product id has 1 to 128 visible characters.")
        keeps_photo = "image" not in self.model_fields_set and self.image_url is None
        return Upsert(product, self.image, self.image_url, keeps_photo=keeps_photo)


class BulkLine(ProductWrite):
    """One line of a bulk: a product as it should be, or the end of one."""

    product_id: str = Field(max_length=128)
    delete: Annotated[bool, FLAG] = Field(default=False, description="take the product away")

    def write(self) -> Write:
        """The change this asks for; raises InvalidInput."""
        return Delete(self.product_id) if self.delete else self.upsert(self.product_id)


_EMPTY: Final = {"title": "", "description": "", "category": "", "supplier_id": ""}


def _as_patch(schema: dict[str, Any]) -> None:
    """Describe null where it is taken."""
    schema["examples"] = [{"price": 3.9, "in_stock": False, "attributes": {"colour": None}}]
    for name in _EMPTY:
        described = schema["properties"][name]
        limits = {key: described.pop(key) for key in ("type", "maxLength")}
        described["anyOf"] = [limits, {"type": "null"}]


class ProductPatch(ProductWrite):
    """What changes of a product (JSON merge patch, RFC 7396); what is left out stays.

    Null empties a field, as its empty value does, and takes away an attribute, the photo, or all attributes.
    """

    model_config = ConfigDict(json_schema_extra=_as_patch)

    attributes: dict[AttributeName, AttributeValue | None] | None = Field(  # type: ignore[assignment]
        default=None, max_length=MAX_ATTRIBUTES, description="those that change; null takes one away"
    )

    @model_validator(mode="before")
    @classmethod
    def _emptied(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: _EMPTY.get(name) if given is None else given for name, given in value.items()}

    def patch(self, product_id: str) -> Patch:
        """The change this asks for."""
        keeps_photo = self.model_fields_set.isdisjoint({"image", "image_url"})
        return Patch(product_id, self._changed, self.image, self.image_url, keeps_photo)

    def _changed(self, product: Product) -> Product:
        given = {name: getattr(self, name) for name in self.model_fields_set & Details.model_fields.keys()}
        if "attributes" in given:
            merged: Mapping[str, str | None] = {} if self.attributes is None else product.attributes | self.attributes
            given["attributes"] = {name: value for name, value in merged.items() if value is not None}
            if len(given["attributes"]) > MAX_ATTRIBUTES:
                raise InvalidInput(f"The product would have over {MAX_ATTRIBUTES} attributes. Take some away by null.")
        return product.model_copy(update=given)


class BulkPatch(ProductPatch):
    """One line of a bulk that changes some of a product."""

    product_id: str = Field(max_length=128)
    is_patch: Literal[True] = Field(alias="patch", description="what is left out stays")

    def write(self) -> Write:
        """The change this asks for."""
        return self.patch(self.product_id)


class BulkOutcome(BaseModel):
    """What became of one line of a bulk; `position` says that it was written, `type` to `detail` why it was not."""

    line: int = Field(description="which of those sent, from 1")
    product_id: str | SkipJsonSchema[None] = Field(default=None, description="where the line could be read")
    position: int | SkipJsonSchema[None] = Field(default=None, description="in the journal, as of a `WriteAnswer`")
    type: str | SkipJsonSchema[None] = Field(default=None, description="as of a `Problem`")
    status: int | SkipJsonSchema[None] = Field(default=None, description="as of a `Problem`")
    detail: str | SkipJsonSchema[None] = Field(default=None, description="as of a `Problem`")


class BulkSums(BaseModel):
    """The last line of a bulk's report; `type` to `detail` say why no more was read, where it was not."""

    lines: int = Field(description="how many were read, but for blank ones")
    written: int = Field(description="how many are written, or were so already")
    refused: int = Field(description="how many are not")
    type: str | SkipJsonSchema[None] = Field(default=None, description="as of a `Problem`")
    status: int | SkipJsonSchema[None] = Field(default=None, description="as of a `Problem`")
    detail: str | SkipJsonSchema[None] = Field(default=None, description="as of a `Problem`")


class WriteAnswer(BaseModel):
    """A change that is durable and visible."""

    product_id: str
    position: int = Field(description="in the journal; of a patch that changes nothing, the last one there was")
