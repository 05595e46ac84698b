"""Texts of catalogues, which shops take from their web pages, without HTML."""

import html
import re
from typing import Final

_MARKUP: Final = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:#\d{2,7}|#x[\da-fA-F]{2,6}|[a-zA-Z]{2,8});")
_UNSEEN: Final = re.compile(
    r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)",  # without \Z each that never ends is sought to the end
    re.IGNORECASE | re.DOTALL,
)
_BLOCK: Final = re.compile(r"</?(?:p|div|br|li|ul|ol|tr|h\d|table)\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_END: Final = re.compile(r"(?<![ \t\xa0])[ \t\xa0]*\n\s*")


def without_html(text: str) -> str:
    """What a browser would show of a text, its blocks on lines of their own; other texts as they are."""
    if not _MARKUP.search(text):
        return text
    shown = _TAG.sub("", _BLOCK.sub("\n", _UNSEEN.sub(" ", text)))
    return _END.sub("\n", html.unescape(shown)).strip()
