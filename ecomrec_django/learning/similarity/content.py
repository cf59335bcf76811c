"""What items say of themselves: vectors of category path, text, attributes, brand and price level."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..types import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

# Shares of the squared length of a vector within one need; an item without attributes gives theirs to its text.
TEXT, ATTRIBUTES, BRAND, PRICE = 0.4, 0.2, 0.2, 0.2
# Share of the category path where needs are compared with each other.
CATEGORY = 0.2
# Share of the image similarity, where both items have images.
IMAGE_SHARE = 0.5
FEATURES = 2**18
PRICE_STEPS_PER_OCTAVE = 2
# Candidates that one item is compared with; a larger need is cut into neighbours by price.
WINDOW = 2_000


# Thai, Lao, kana and Han are written without spaces.
_LETTERS = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
# Vowels and accents of Devanagari, Arabic and others, which Python does not take for parts of a word.
_MARKS = "".join(chr(at) for at in range(0x300, 0x1D00) if unicodedata.category(chr(at)).startswith("M"))
_UNSPACED = re.compile(f"[{_LETTERS}]")
_RUNS = re.compile(rf"[{_LETTERS}]+|(?:[^\W_{_LETTERS}][{_MARKS}]*)+")


def tokens(text: str) -> list[str]:
    """Words in lower case of any script; scripts without spaces (Chinese, Japanese, Thai…) give pairs of characters.

    >>> tokens("Ruby Port, 0.75L 红色连衣裙")
    ['ruby', 'port', '75l', '红色', '色连', '连衣', '衣裙']
    """
    words: list[str] = []
    for part in _RUNS.findall(unicodedata.normalize("NFKC", text).lower()):
        if _UNSPACED.match(part):
            words += [part[at : at + 2] for at in range(max(len(part) - 1, 1))]
        elif len(part) > 1:
            words.append(part)
    return words


def content_vectors(items: pa.Table, price: FloatArray, *, within_need: bool = False) -> csr_matrix:
    """One vector of length at most 1 per item, shape (items, features): category path, text, attributes, brand, price.

    ``price`` is NaN where unknown. Two items are as similar as their vectors' dot product, 0…1. ``within_need`` leaves
    out the category path, which says nothing where it is the same.
    """
    from scipy.sparse import csr_matrix, hstack

    if not items.num_rows:
        return csr_matrix((0, 1), dtype=np.float32)
    texts = [
        f"{title or ''} {title or ''} {(description or '')[:2000]}"
        for title, description in zip(items["title"].to_pylist(), items["description"].to_pylist(), strict=True)
    ]
    attributes = _tf_idf(items["attributes"].to_pylist(), str.splitlines)
    without_attributes = np.diff(attributes.indptr) == 0
    parts = [
        (_tf_idf(texts, tokens), TEXT + ATTRIBUTES * without_attributes),
        (attributes, ATTRIBUTES),
        (_brands(items), BRAND),
        (_price_levels(price), PRICE),
    ]
    if not within_need:
        paths = _tf_idf([path or "" for path in items["category_path"].to_pylist()], tokens)
        parts = [(paths, CATEGORY), *((vectors, (1 - CATEGORY) * share) for vectors, share in parts)]
    return hstack([_scaled(vectors, share) for vectors, share in parts]).tocsr()


def _tf_idf(texts: list[str], analyzer: Callable[[str], list[str]]) -> csr_matrix:
    """TF-IDF of length 1, or 0 where there is no word, shape (texts, FEATURES)."""
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    counts = HashingVectorizer(
        analyzer=analyzer, n_features=FEATURES, alternate_sign=False, norm=None, dtype=np.float32
    ).transform(texts)
    return TfidfTransformer(sublinear_tf=True).fit_transform(counts).astype(np.float32)


def _brands(items: pa.Table) -> csr_matrix:
    from scipy.sparse import csr_matrix

    names = np.array([name or "" for name in items["brand"].to_pylist()], object).astype(str)
    brands, brand = np.unique(names, return_inverse=True)
    branded = np.flatnonzero(names != "")
    return csr_matrix((np.ones(len(branded), np.float32), (branded, brand[branded])), (len(names), len(brands)))


def _price_levels(price: FloatArray) -> csr_matrix:
    from scipy.sparse import csr_matrix

    priced = np.flatnonzero(np.isfinite(price))
    level = np.clip(np.log2(price[priced]) * PRICE_STEPS_PER_OCTAVE + 40, 0, 98)
    low = level.astype(int)
    # Two neighbouring steps share the weight, so that similarity falls smoothly with the price's distance.
    share = np.stack([1 - (level - low), level - low])
    share /= np.sqrt((share**2).sum(axis=0))
    return csr_matrix(
        (share.ravel().astype(np.float32), (np.tile(priced, 2), np.concatenate([low, low + 1]))), (len(price), 100)
    )


def _scaled(vectors: csr_matrix, share: FloatArray | float) -> csr_matrix:
    """Rows of length 1 to a share of a squared length, one for all or one each."""
    from scipy.sparse import diags

    return diags(np.broadcast_to(np.sqrt(share), vectors.shape[:1]).astype(np.float32)) @ vectors


def groups(need: IntArray, order_by: FloatArray, usable: BoolArray) -> list[IntArray]:
    """Numbers of the ``usable`` items of each need (-1 is none), by ``order_by``, in windows of WINDOW items."""
    items = np.flatnonzero(usable & (need >= 0))
    items = items[np.lexsort((items, order_by[items], need[items]))]
    if not len(items):
        return []
    parts = np.split(items, np.flatnonzero(np.diff(need[items])) + 1)
    return [part[start : start + WINDOW] for part in parts for start in range(0, len(part), WINDOW)]


def content_similarity(
    vectors: csr_matrix, rows: IntArray, columns: IntArray, image_vectors: FloatArray | None = None
) -> FloatArray:
    """Similarities of two sets of items, 0…1, shape (rows, columns) float32.

    vectors: `content_vectors` of all items
    image_vectors: each of length 1, or 0 where there is no image, shape (items, width); where both items have one,
        their cosine has the share IMAGE_SHARE
    """
    similarity = np.asarray((vectors[rows] @ vectors[columns].T).todense(), np.float32)
    if image_vectors is None:
        return similarity
    images, others = image_vectors[rows], image_vectors[columns]
    both = np.logical_and.outer(images.any(axis=1), others.any(axis=1))
    blended = (1 - IMAGE_SHARE) * similarity + IMAGE_SHARE * np.clip(images @ others.T, 0.0, 1.0)
    return np.where(both, blended, similarity)


def nearest_in_need(
    items: pa.Table,
    price: FloatArray,
    need: IntArray,
    cold: BoolArray,
    known: BoolArray,
    image_vectors: FloatArray | None = None,
) -> tuple[IntArray, IntArray, FloatArray]:
    """For each ``cold`` item its most similar ``known`` one of the same need (masks, shape (items,)).

    ``image_vectors`` as of `content_similarity`. Returns item numbers, the numbers of their neighbours, and
    similarities above 0; items without a neighbour are left out.
    """
    shared = np.intersect1d(need[cold], need[known])
    used = (cold | known) & np.isin(need, shared)
    rows = np.flatnonzero(used)
    position = np.full(len(need), -1)
    position[rows] = np.arange(len(rows))
    vectors = content_vectors(items.take(rows), price[rows], within_need=True)
    images = None if image_vectors is None else image_vectors[rows]
    parts = []
    for group in groups(need, np.nan_to_num(price), used):
        cold_items, known_items = group[cold[group]], group[known[group]]
        if len(cold_items) and len(known_items):
            similarities = content_similarity(vectors, position[cold_items], position[known_items], images)
            best = similarities.argmax(axis=1)
            parts.append((cold_items, known_items[best], similarities[np.arange(len(cold_items)), best]))
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    item, neighbour, similarity = (np.concatenate(part) for part in zip(*parts, strict=True))
    return item[similarity > 0], neighbour[similarity > 0], similarity[similarity > 0]
