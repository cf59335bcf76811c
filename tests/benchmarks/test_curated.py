"""The benchmark of curated links, on a store whose links follow from its words, its pictures, or neither."""

from argparse import Namespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import curated

KINDS, SIZES = 6, 5
LEAVES = ("Tops", "Bottoms")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A product of each of two categories, six designs and five colours. What is of one design shares words, and what
    is of one colour looks alike; prices rise with the number of the colour."""
    folder = tmp_path_factory.mktemp("store")
    lines, links = ["sku,name,category,price,description"], ["kind,sku,linked_sku"]
    for leaf in LEAVES:
        for design in range(KINDS):
            for colour in range(SIZES):
                sku = f"{leaf}-{design}-{colour}"
                words = f"design{design} cut{design} weave{design}"
                lines.append(f"{sku},{words},{leaf},{10 + colour},<p class='text'>{words}</p>")
                pixels = np.zeros((32, 32, 3), np.uint8)
                pixels[:, : 6 * (colour + 1)] = 255
                Image.fromarray(pixels).save(folder / f"{sku.lower()}.jpg")
                other = LEAVES[leaf == LEAVES[0]]
                links += [f"upsell,{sku},{leaf}-{design}-{above}" for above in range(colour + 1, SIZES)]
                links += [f"crosssell,{sku},{other}-{design}-{each}" for each in range(SIZES)]
                links += [f"related,{sku},{each}-{some}-{colour}" for each in LEAVES for some in range(KINDS)
                          if (each, some) != (leaf, design)]  # fmt: skip
    (folder / "products.csv").write_text("\n".join(lines))
    (folder / "links.csv").write_text("\n".join(links))
    return folder


def test_links_are_found_by_what_they_follow_from(store):
    rows = {row["name"]: row for row in curated.run(Namespace(shop=store, histograms=True))}
    assert rows["content:upsell"]["recall@4"] == rows["content:crosssell"]["recall@4"] == 1
    assert rows["content:crosssell"]["recall@10"] == rows["pictures:related"]["recall@10"] == 1
    for kind, method in (("upsell", "pictures"), ("crosssell", "pictures"), ("related", "content")):
        assert rows[f"{method}:{kind}"]["recall@4"] < 0.6
    assert rows["random:crosssell"]["recall@4"] == pytest.approx(1 / 6, abs=0.05)
    assert (rows["random:upsell"]["links"], rows["random:upsell"]["products"]) == (120, 48)


def test_recall_counts_what_can_be_found():
    similarity = np.array([[0, 3, 2, 1, 0.5, 0.4]] * 6)
    eligible = ~np.eye(6, dtype=bool)
    links = {0: {1, 5}, 4: {0, 1, 2, 3, 5}}
    assert curated.recalls(similarity, eligible, links) == {"recall@4": (0.5 + 1) / 2, "recall@10": 1.0}
