"""Descriptions as readers see them: without the markup of a rich-text editor, whose words would outweigh theirs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Markup past this length is not read; reading is slower than linear for some broken markup.
MAX_LENGTH = 100_000
UNSEEN_TAGS = frozenset(("head", "noscript", "script", "style", "template"))

# Tags within a word; all others end one.
_INLINE_TAGS = re.compile("a|abbr|b|cite|code|del|em|font|i|ins|label|mark|q|s|small|span|strike|strong|sub|sup|u|wbr")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--|<!\[CDATA\[")
# Left out beforehand: the parser takes time squared for comments without an end.
_NO_TEXT = re.compile(r"<!--.*?(?:-->|\Z)|<![a-zA-Z][^<>]*>|<!\[CDATA\[|\]\]>", re.DOTALL)
_ENTITY = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]+|#[0-9]+|#[xX][0-9a-fA-F]+);")
# A less-than sign in a text: it begins no tag, or one without an end.
_LESS_THAN = re.compile(r"<(?!/?[a-zA-Z][^<>]*>)")
_SOFT_HYPHENS = re.compile("[\u00ad\u200b]")


def plain_text(text: str) -> str:
    """The words of a text that may be HTML, in order, with single spaces between; a text without markup as it is.

    Scripts, styles and comments are left out. Markup that was escaped once more, as exports do, is read as well.

    >>> plain_text("<p>Boils <b>w</b>ater</p><table><tr><td>1.7&nbsp;l</td><td>2 kW</td></tr></table>")
    'Boils water 1.7 l 2 kW'
    >>> plain_text("waist < 90 cm & hip > 80 cm")
    'waist < 90 cm & hip > 80 cm'
    """
    for _ in range(2):
        if not (_TAG.search(text) or _ENTITY.search(text)):
            break
        reader = _TextReader()
        reader.feed(_LESS_THAN.sub("&lt;", _NO_TEXT.sub("", text[:MAX_LENGTH])))
        reader.close()
        text = " ".join(_SOFT_HYPHENS.sub("", "".join(reader.parts)).split())
    return text


class _TextReader(HTMLParser):
    """Collects the visible text of a document in ``parts``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  as the parser calls it
        if tag in UNSEEN_TAGS and not self._unseen:
            self._unseen = tag
        self._end_word(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._unseen:
            self._unseen = ""
        self._end_word(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  as the parser calls it
        self._end_word(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(data)

    def _end_word(self, tag: str) -> None:
        if not _INLINE_TAGS.fullmatch(tag):
            self.parts.append(" ")
