from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecomrec_django.learning.similarity.content import (
    BRAND,
    CATEGORY,
    IMAGE_SHARE,
    PRICE,
    content_similarity,
    content_vectors,
    nearest_in_need,
    tokens,
)
from tests.support.histories import catalog

# Per language: colours, and kinds of products.
WORDS = {
    "English": (["red", "blue", "green"], ["linen dress", "coffee machine", "leather bag", "running shoe"]),
    "Chinese": (["红色", "蓝色", "绿色"], ["连衣裙", "咖啡机", "皮革手提包", "运动跑鞋"]),
    "Arabic": (["أحمر", "أزرق", "أخضر"], ["فستان كتان", "آلة قهوة", "حقيبة جلد", "حذاء رياضي"]),
    "Thai": (["สีแดง", "สีน้ำเงิน", "สีเขียว"], ["ชุดเดรสผ้าลินิน", "เครื่องชงกาแฟ", "กระเป๋าหนัง", "รองเท้าวิ่ง"]),
    "Hindi": (["लाल", "नीला", "हरा"], ["सूती कपड़े", "कॉफ़ी मशीन", "चमड़े का थैला", "दौड़ने के जूते"]),
}


def alike(*items: dict, within_need: bool = False) -> np.ndarray:
    table = catalog({"item": number, **item} for number, item in enumerate(items))
    everyone = np.arange(len(items))
    return content_similarity(
        content_vectors(table, table["price"].to_numpy(), within_need=within_need), everyone, everyone
    )


@pytest.mark.parametrize("language", WORDS)
def test_the_nearest_of_a_new_item_is_its_own_kind_in_any_script(language):
    colours, kinds = WORDS[language]
    titles = [f"{kind} {colour}" for colour in colours for kind in kinds]
    if language in {"Chinese", "Thai"}:
        titles = [title.replace(" ", "") for title in titles]
    size = len(titles)
    new = np.arange(size) >= size - len(kinds)
    table = catalog({"item": number, "category": 1, "title": title} for number, title in enumerate(titles))
    item, like, similarity = nearest_in_need(table, np.full(size, np.nan), np.zeros(size, np.int64), new, ~new)
    assert sorted(item.tolist()) == np.flatnonzero(new).tolist()
    assert (item % len(kinds) == like % len(kinds)).all()
    assert (similarity > 0.1).all()


def test_vowel_signs_and_accents_are_parts_of_a_word():
    assert tokens("हिन्दी किताब") == ["हिन्दी", "किताब"]
    assert tokens("Cafe\u0301 ＡＢＣ") == tokens("Café ABC") == ["café", "abc"]


def test_attributes_decide_between_equal_titles():
    found = alike(
        {"title": "shirt", "attributes": "colour=red\nsize=M"},
        {"title": "shirt", "attributes": "colour=red\nsize=L"},
        {"title": "shirt", "attributes": "colour=blue\nsize=S"},
        within_need=True,
    )
    assert found[0, 0] > found[0, 1] > found[0, 2] > 0


def test_an_attribute_is_the_same_or_it_is_not():
    found = alike(
        {"attributes": "size=4"}, {"attributes": "size=42"}, {"attributes": "width=4"}, {"attributes": "size=4"}
    )
    assert found[0].tolist() == [found[0, 0], 0, 0, pytest.approx(found[0, 0])]


def test_without_attributes_words_get_their_share():
    found = alike({"title": "tent"}, {"title": "tent"}, {"title": "tent", "attributes": "persons=2"}, within_need=True)
    assert found[0, 1] == pytest.approx(1 - BRAND - PRICE)
    assert 0 < found[0, 2] < found[0, 1]
    assert found[2, 2] == pytest.approx(1 - BRAND - PRICE)


def test_category_paths_relate_needs_but_not_items_of_one_need():
    paths = [{"category_path": path} for path in ("Food > Milk > Whole", "Food > Milk > Skimmed", "Tools > Hammers")]
    found = alike(*paths)
    assert found[0, 0] == pytest.approx(CATEGORY)
    assert CATEGORY > found[0, 1] > found[0, 2] == 0
    assert (alike(*paths, within_need=True) == 0).all()


texts = st.text(st.sampled_from("ab 红色ñกा=\n"), max_size=12)
described = st.fixed_dictionaries(
    {
        "title": texts,
        "description": texts,
        "brand": texts,
        "category_path": texts,
        "attributes": texts,
        "price": st.sampled_from([float("nan"), 0.01, 3.0, 3.1, 1e9]),
    }
)


@settings(max_examples=30, deadline=None)
@given(st.lists(described, min_size=1, max_size=5), st.booleans())
def test_similarity_is_symmetric_and_none_exceeds_one(items, within_need):
    found = alike(*items, within_need=within_need)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-5
    np.testing.assert_allclose(found, found.T, atol=1e-6)


@given(st.lists(st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3), min_size=2, max_size=6))
@settings(deadline=None, max_examples=30)
def test_image_similarity_is_symmetric_and_needs_both_images(rows):
    looks = np.array(rows, np.float32)
    length = np.sqrt((looks**2).sum(axis=1, keepdims=True))
    looks = np.where(length > 0.01, looks / np.maximum(length, 0.01), 0.0).astype(np.float32)
    items = catalog([{"item": number + 1, "title": "red tent"} for number in range(len(rows))])
    vectors = content_vectors(items, np.full(len(rows), np.nan), within_need=True)
    everything = np.arange(len(rows))
    plain = content_similarity(vectors, everything, everything)
    found = content_similarity(vectors, everything, everything, looks)
    assert found == pytest.approx(found.T, abs=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6
    blind = ~looks.any(axis=1)
    assert (found[blind] == plain[blind]).all()
    cosine = np.clip(looks @ looks.T, 0, 1)
    seen = np.ix_(~blind, ~blind)
    assert found[seen] == pytest.approx(((1 - IMAGE_SHARE) * plain + IMAGE_SHARE * cosine)[seen], abs=1e-6)


def test_images_decide_between_equal_descriptions():
    items = catalog([{"item": number, "title": "mug", "category": 1} for number in (1, 2, 3)])
    looks = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    wanting = np.array([False, False, True])
    price, need = np.full(3, 5.0), np.zeros(3, np.int64)
    assert nearest_in_need(items, price, need, wanting, ~wanting)[1].tolist() == [0]
    assert nearest_in_need(items, price, need, wanting, ~wanting, looks)[1].tolist() == [1]
