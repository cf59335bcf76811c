"""What items say of themselves: vectors of brand, price level, title and description, compared within one need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from scipy.sparse import csr_matrix

# Share of the squared length of a vector.
TEXT, BRAND, PRICE = 0.6, 0.2, 0.2
FEATURES = 2**18
PRICE_STEPS_PER_OCTAVE = 2
# Candidates that one item is compared with; a larger need is cut into neighbours by price.
WINDOW = 2_000


# Thai, Lao, kana and Han are written without spaces.
_LETTERS = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(f"[{_LETTERS}]")
_RUNS = re.compile(rf"[{_LETTERS}]+|[^\W_{_LETTERS}]+")


def tokens(text: str) -> list[str]:
    """Words in lower case of any script; scripts without spaces (Chinese, Japanese, Thai…) give pairs of characters.

    >>> tokens("Ruby Port, 0.75L 红色连衣裙")
    ['ruby', 'port', '75l', '红色', '色连', '连衣', '衣裙']
    """
    found: list[str] = []
    for part in _RUNS.findall(text.lower()):
        if _UNSPACED.match(part):
            found += [part[at : at + 2] for at in range(max(len(part) - 1, 1))]
        elif len(part) > 1:
            found.append(part)
    return found


def content_vectors(items: pa.Table, price: np.ndarray) -> csr_matrix:
    """One vector of length at most 1 per item, shape (items, features): TF-IDF of the text, brand, price level.

    ``price`` is NaN where unknown. Two items are as similar as their vectors' dot product, 0…1.
    """
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    rows = items.num_rows
    if not rows:
        return csr_matrix((0, 1), dtype=np.float32)
    texts = [
        f"{title or ''} {title or ''} {(description or '')[:2000]}"
        for title, description in zip(items["title"].to_pylist(), items["description"].to_pylist(), strict=True)
    ]
    counts = HashingVectorizer(
        analyzer=tokens, n_features=FEATURES, alternate_sign=False, norm=None, dtype=np.float32
    ).transform(texts)
    text = TfidfTransformer(sublinear_tf=True).fit_transform(counts).astype(np.float32)

    brands, brand = np.unique(
        np.array([name or "" for name in items["brand"].to_pylist()], object).astype(str), return_inverse=True
    )
    branded = np.flatnonzero(brands[brand] != "")
    brand_vectors = csr_matrix((np.ones(len(branded), np.float32), (branded, brand[branded])), (rows, len(brands)))

    priced = np.flatnonzero(np.isfinite(price))
    level = np.clip(np.log2(price[priced]) * PRICE_STEPS_PER_OCTAVE + 40, 0, 98)
    low = level.astype(int)
    # Two neighbouring steps share the weight, so that similarity falls smoothly with the price's distance.
    share = np.stack([1 - (level - low), level - low])
    share /= np.sqrt((share**2).sum(axis=0))
    price_vectors = csr_matrix(
        (share.ravel().astype(np.float32), (np.tile(priced, 2), np.concatenate([low, low + 1]))), (rows, 100)
    )
    return hstack(
        [text * np.float32(TEXT**0.5), brand_vectors * np.float32(BRAND**0.5), price_vectors * np.float32(PRICE**0.5)]
    ).tocsr()


def groups(need: np.ndarray, order_by: np.ndarray, kept: np.ndarray) -> list[np.ndarray]:
    """Item numbers of each need (-1 is none), by ``order_by`` within, cut into windows of at most WINDOW items."""
    chosen = np.flatnonzero(kept & (need >= 0))
    chosen = chosen[np.lexsort((chosen, order_by[chosen], need[chosen]))]
    if not len(chosen):
        return []
    parts = np.split(chosen, np.flatnonzero(np.diff(need[chosen])) + 1)
    return [part[at : at + WINDOW] for part in parts for at in range(0, len(part), WINDOW)]


def similar(vectors: csr_matrix, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Similarities of two sets of items, shape (rows, columns) float32."""
    return np.asarray((vectors[rows] @ vectors[columns].T).todense(), np.float32)


def nearest(
    items: pa.Table, price: np.ndarray, need: np.ndarray, wanting: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each ``wanting`` item its most similar ``known`` one of the same need (masks, shape (items,)).

    Returns item numbers, the numbers of their neighbours, and similarities above 0; items without one are left out.
    """
    size = len(need)
    shared = np.intersect1d(need[wanting], need[known])
    used = (wanting | known) & np.isin(need, shared)
    rows = np.flatnonzero(used)
    place = np.full(size, -1)
    place[rows] = np.arange(len(rows))
    vectors = content_vectors(items.take(rows), price[rows])
    found = []
    for group in groups(need, np.nan_to_num(price), used):
        from_, to = group[wanting[group]], group[known[group]]
        if len(from_) and len(to):
            alike = similar(vectors, place[from_], place[to])
            best = alike.argmax(axis=1)
            found.append((from_, to[best], alike[np.arange(len(from_)), best]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    item, like, similarity = (np.concatenate(part) for part in zip(*found, strict=True))
    return item[similarity > 0], like[similarity > 0], similarity[similarity > 0]
