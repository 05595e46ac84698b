"""Words and examples of the API's description: what a name means wherever it stands, answers of the demo shop."""

from collections.abc import Mapping
from typing import Any, Final

_SNAPSHOT: Final = "demo-998bee26-0fbd460d-3.1"
_FINGERPRINT: Final = "0fbd460de06bfa6c4220d5854b5aae8ac3768d93a73e3ed739dfe2774bde9761"
_CREATED: Final = "2026-11-22T19:04:17Z"
_PRODUCT: Final = {
    "product_id": "oakandco-8729",
    "title": "The waves shoulder bag with print, cotton canvas, 38 x 42 cm",
    "category": "Bags > Shopping Bags > Tote Bags",
    "supplier_id": "oakandco",
    "price": 8.5,
    "currency": "GBP",
    "in_stock": True,
    "attributes": {"size": "38 x 42 cm", "weight": "220 gsm"},
    "image_url": "/v1/products/oakandco-8729/image?v=b23bac7a9ea3",
    "url": None,
}
_LISTING: Final = {**_PRODUCT, "description": "Holds A3 folders and big books."}
_HIT: Final = {**_PRODUCT, "score": 0.5065, "explain": None, "words_said": None, "group": None}
_FACETS: Final = {"supplier": [{"value": "kestrel", "count": 106}, {"value": "pennyworth", "count": 106}]}
_CURSOR: Final = "CwEAAHsibGlzdGluZyI6IjVjOGExOGViNGI4OGQ2MTcifQ==.b3k1Q0pXNnZkS2lEa0hOeQ"
_ANSWER: Final = {
    "request_id": "01a21946-22f4-700a-909d-d57709639f63",
    "model": "v1",
    "snapshot": _SNAPSHOT,
    "alias": "live",
    "arm": None,
    "took_ms": 9.7,
    "hits": [_HIT],
    "facets": _FACETS,
    "next_cursor": _CURSOR,
    "refine_cursor": _CURSOR,
    "total": None,
    "total_is_exact": None,
}
_NOT_FOUND: Final = {
    "type": "samestyle:not-found",
    "title": "Not found",
    "status": 404,
    "detail": "There is no product 'nobody' in this snapshot.",
}
_OPERATION: Final = {
    "id": "01a21946-22f4-700a-909d-d57709639f63",
    "alias": "live",
    "snapshot": "next",
    "stage": "done",
    "started_at": _CREATED,
    "finished_at": "2026-11-22T19:04:19Z",
    "error": None,
}

EVENT_EXAMPLE: Final[dict[str, Any]] = {
    "event_id": "4f1f3a7e-click-1",
    "type": "click",
    "request_id": "01a21946-22f4-700a-909d-d57709639f63",
    "product_id": "oakandco-8729",
    "position": 1,
    "user_key": "customer-1234",
    "time": "2026-11-22T19:05:02Z",
}

EXAMPLES: Final[Mapping[str, Any]] = {
    "SearchAnswer": _ANSWER,
    "BatchAnswer": {
        "results": [{"answer": _ANSWER, "error": None}, {"answer": None, "error": _NOT_FOUND}],
        "took_ms": 12.4,
    },
    "CompareAnswer": {
        "score": 0.9623,
        "verdict": "same-style",
        "mode": "m-m",
        "thresholds": {"same_style": 0.8517, "similar": 0.6971},
        "contradictions": [],
        "same_gtin": False,
        "model": "v1",
        "snapshot": _SNAPSHOT,
        "took_ms": 1.05,
    },
    "EmbedAnswer": {
        "fingerprint": _FINGERPRINT,
        "dim": 4,
        "model": "v1",
        "embeddings": [{"vector": [0.5, -0.5, 0.5, 0.5], "error": None}, {"vector": None, "error": _NOT_FOUND}],
        "took_ms": 6.2,
    },
    "EventsAnswer": {"accepted": 1, "duplicates": 0, "refused": [{"index": 1, "error": _NOT_FOUND}]},
    "EventItem": EVENT_EXAMPLE,
    "ProductAnswer": _LISTING,
    "BrowseAnswer": {
        "snapshot": _SNAPSHOT,
        "total": 106,
        "products": [_LISTING],
        "facets": _FACETS,
        "next_cursor": _CURSOR,
    },
    "DuplicatesAnswer": {
        "snapshot": _SNAPSHOT,
        "total": 7,
        "groups": [
            {"style_group": "nordhaus-6795", "size": 3, "listings": [{**_LISTING, "score": 0.9186}]},
        ],
        "next_cursor": None,
    },
    "AliasChange": {"snapshot": "next"},
    "BulkLine": {"product_id": "my-mug", "title": "White mug, 330 ml", "supplier_id": "acme", "price": 4.5},
    "BulkPatch": {"product_id": "my-mug", "patch": True, "price": 3.9, "in_stock": False},
    "BulkOutcome": {"line": 1, "product_id": "my-mug", "position": 1},
    "BulkSums": {"lines": 1, "written": 1, "refused": 0},
    "WriteAnswer": {"product_id": "my-mug", "position": 1},
    "SnapshotsAnswer": {
        "snapshots": [
            {
                "manifest": {
                    "schema_version": 3,
                    "name": _SNAPSHOT,
                    "created_at": _CREATED,
                    "model": "v1",
                    "fingerprint": _FINGERPRINT,
                    "variant": "int8",
                    "dim": 256,
                    "fields": ["fusion"],
                    "products": 785,
                    "shards": 1,
                    "recall_at_10": 1.0,
                    "files": {},
                },
                "refused": None,
                "desired_by": ["live"],
                "served_by": ["live"],
            }
        ]
    },
    "StatusAnswer": {
        "status": "ready",
        "reasons": [],
        "aliases": [
            {
                "alias": "live",
                "snapshot": _SNAPSHOT,
                "desired": None,
                "refused": None,
                "model": "v1",
                "fingerprint": _FINGERPRINT,
                "products": 785,
                "changes": 0,
                "snapshot_due": False,
                "position": 0,
                "created_at": _CREATED,
                "requests": 0,
            }
        ],
        "journal_head": 0,
        "models": [_FINGERPRINT],
        "operations": [_OPERATION],
    },
    "OperationAnswer": _OPERATION,
    "Health": {"status": "ready", "model": "v1", "snapshot": _SNAPSHOT, "products": 785},
}
"""By the schema's name."""

PROBLEMS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid-input", "k: Input should be greater than or equal to 1. See /docs for what this route takes."),
    401: ("unauthorized", "Send an API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`."),
    403: ("forbidden", "This takes a key with the role admin; this one has search. Ask for another key."),
    404: ("not-found", "There is no product 'nobody' in this snapshot."),
    408: ("too-slow", "The body did not come within 20 s. Send a smaller photo, or faster."),
    409: ("conflict", "Another swap runs."),
    410: ("gone", "Snapshot demo-1 is served no more. Start again without a cursor."),
    412: ("fingerprint-mismatch", "live is of another vector space than the one expected."),
    413: ("too-large", "The body is over 20 MB. Send a smaller photo, or a bulk in parts."),
    415: ("unsupported-media", "This route takes application/json, not text/plain."),
    422: ("undecodable-image", "The image is empty. Send a JPEG, PNG, WebP, GIF, BMP or TIFF photo."),
    429: ("overloaded", "Too many queries are waiting for the encoder. Try again in a second."),
    431: ("headers-too-large", "The URL and headers are over 131,072 bytes. Send less."),
    503: ("not-ready", "The service is starting or shutting down. Ask again, or ask another instance."),
    504: ("deadline-exceeded", "The answer was not ready within 5 s. Try again, or ask for less."),
}
"""By status: the slug and detail of one that it may be."""

MEANINGS: Final[Mapping[str, str]] = {
    "alias": "which index answered, or is meant",
    "aliases": "what this gateway serves, by alias",
    "answer": "as of a search alone; null where there is an error",
    "attributes": "what else the listing declares, name and value",
    "bytes": "its size",
    "category": "a path, levels joined by ' > '",
    "count": "how many products",
    "created_at": "when the snapshot was cut",
    "currency": "of the price, as the catalogue writes it",
    "curve": "what each value was measured to give",
    "description": "of the listing",
    "dim": "how many numbers a vector has",
    "embeddings": "one for each input, in their order",
    "error": "what went wrong; null where nothing did",
    "errors": "the fields that are wrong, where it is about some",
    "facets": "counts over all products that pass the filters",
    "field": "its name, `body` where it is the whole",
    "fields": "what can be searched: fusion, image, text",
    "files": "its files, by path",
    "fingerprint": "the name of the vector space",
    "finished_at": "null while it runs",
    "groups": "the largest first",
    "hits": "the best first",
    "id": "of the operation",
    "if-none-match": "the ETag of a copy that is there",
    "image": "the photo",
    "image_url": "where the main photo is; null without one",
    "in_stock": "null where the listing does not say",
    "index_type": "how it is searched",
    "journal_head": "the last entry of the journal",
    "journal_position": "of that journal, up to which its changes are in",
    "max_price": "highest price, inclusive, in whatever currency",
    "metric": "what a score is",
    "min_price": "lowest price, inclusive, in whatever currency",
    "min_score": "only hits at or above it",
    "model": "the bundle's name",
    "name": "of the snapshot",
    "next_cursor": "for the next page; null where this is the last",
    "parameter": "what was tuned",
    "price": "null where the listing does not say",
    "product_id": "1 to 128 visible characters",
    "products": "the products, or how many there are",
    "reason": "what is wrong with it",
    "reasons": "why it is degraded",
    "recall_at_10": "share of the ten nearest that are found",
    "relative_cost": "its time, as a share of a scan's",
    "request_id": "a UUID, to be given back with what became of the answer",
    "results": "one for each query, in their order",
    "schema_version": "of the snapshot's format",
    "sha256": "its checksum",
    "shards": "how many parts the index has",
    "size": "how many listings there are",
    "snapshot": "the snapshot's name",
    "snapshots": "the newest first",
    "sort": "in which order; ties by product id",
    "stage": "what is being done, or done or failed",
    "started_at": "when it began",
    "status": "ready or degraded; of a problem, the HTTP status",
    "supplier_id": "who lists it",
    "target": "the recall asked for",
    "text": "words",
    "title": "the listing's; of a problem, in short",
    "took_ms": "milliseconds of work in the service",
    "total": "how many there are on all pages",
    "url": "where the listing is; null where the catalogue does not say",
    "user_key": "tells one shopper from another, as an account's id; hashed before it is kept, it decides the arm",
    "variant": "which set of the model's encoders",
    "value": "how hard is searched",
}
"""By property or parameter, for those without words of their own."""
