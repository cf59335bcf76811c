"""What items say of themselves: vectors of category path, text, attributes, brand and price level."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

# Shares of the squared length of a vector within one need; an item without attributes gives theirs to its text.
TEXT, ATTRIBUTES, BRAND, PRICE = 0.4, 0.2, 0.2, 0.2
# Share of the category path where needs are compared with each other.
CATEGORY = 0.2
# Share of how two items look, where both have pictures.
LOOKS = 0.5
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
    found: list[str] = []
    for part in _RUNS.findall(unicodedata.normalize("NFKC", text).lower()):
        if _UNSPACED.match(part):
            found += [part[at : at + 2] for at in range(max(len(part) - 1, 1))]
        elif len(part) > 1:
            found.append(part)
    return found


def content_vectors(items: pa.Table, price: np.ndarray, within_need: bool = False) -> csr_matrix:
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
    attributes = _weighed(items["attributes"].to_pylist(), str.splitlines)
    plain = np.diff(attributes.indptr) == 0
    parts = [
        (_weighed(texts, tokens), TEXT + ATTRIBUTES * plain),
        (attributes, ATTRIBUTES),
        (_brands(items), BRAND),
        (_price_levels(price), PRICE),
    ]
    if not within_need:
        paths = _weighed([path or "" for path in items["category_path"].to_pylist()], tokens)
        parts = [(paths, CATEGORY), *((vectors, (1 - CATEGORY) * share) for vectors, share in parts)]
    return hstack([_scaled(vectors, share) for vectors, share in parts]).tocsr()


def _weighed(texts: list[str], analyzer: Callable[[str], list[str]]) -> csr_matrix:
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


def _price_levels(price: np.ndarray) -> csr_matrix:
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


def _scaled(vectors: csr_matrix, share: np.ndarray | float) -> csr_matrix:
    """Rows of length 1 to a share of a squared length, one for all or one each."""
    from scipy.sparse import diags

    return diags(np.broadcast_to(np.sqrt(share), vectors.shape[:1]).astype(np.float32)) @ vectors


def groups(need: np.ndarray, order_by: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """Item numbers of each need (-1 is none), by ``order_by`` within, cut into windows of at most WINDOW items."""
    chosen = np.flatnonzero(kept & (need >= 0))
    chosen = chosen[np.lexsort((chosen, order_by[chosen], need[chosen]))]
    if not len(chosen):
        return []
    parts = np.split(chosen, np.flatnonzero(np.diff(need[chosen])) + 1)
    return [part[at : at + WINDOW] for part in parts for at in range(0, len(part), WINDOW)]


def similar(vectors: csr_matrix, rows: np.ndarray, columns: np.ndarray, looks: np.ndarray | None = None) -> np.ndarray:
    """Similarities of two sets of items, 0…1, shape (rows, columns) float32.

    ``looks``: vectors of the items' pictures, each of length 1, or 0 where there is none, shape (items, width). Where
    both items have one, their cosine has the share LOOKS.
    """
    alike = np.asarray((vectors[rows] @ vectors[columns].T).todense(), np.float32)
    if looks is None:
        return alike
    one, other = looks[rows], looks[columns]
    both = one.any(axis=1)[:, None] & other.any(axis=1)[None, :]
    return np.where(both, (1 - LOOKS) * alike + LOOKS * np.clip(one @ other.T, 0.0, 1.0), alike)


def nearest(
    items: pa.Table,
    price: np.ndarray,
    need: np.ndarray,
    wanting: np.ndarray,
    known: np.ndarray,
    looks: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each ``wanting`` item its most similar ``known`` one of the same need (masks, shape (items,)).

    ``looks`` as of `similar`. Returns item numbers, the numbers of their neighbours, and similarities above 0; items
    without one are left out.
    """
    size = len(need)
    shared = np.intersect1d(need[wanting], need[known])
    used = (wanting | known) & np.isin(need, shared)
    rows = np.flatnonzero(used)
    place = np.full(size, -1)
    place[rows] = np.arange(len(rows))
    vectors = content_vectors(items.take(rows), price[rows], within_need=True)
    looks = None if looks is None else looks[rows]
    found = []
    for group in groups(need, np.nan_to_num(price), used):
        from_, to = group[wanting[group]], group[known[group]]
        if len(from_) and len(to):
            alike = similar(vectors, place[from_], place[to], looks)
            best = alike.argmax(axis=1)
            found.append((from_, to[best], alike[np.arange(len(from_)), best]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    item, like, similarity = (np.concatenate(part) for part in zip(*found, strict=True))
    return item[similarity > 0], like[similarity > 0], similarity[similarity > 0]
