"""What a network learns from product pictures: Fashion-MNIST, and the pictures of two small shops.

Fashion-MNIST: the network learns from the 60,000 training pictures and their classes. Accuracy: share of the 10,000
test pictures whose class has the highest chance, mean of those of the picture, of itself shifted by a pixel to each
side, and of the mirror images of these; ``plain``: of the picture as it is. Precision@10: the 10
nearest training pictures of each test picture by cosine of the vectors, share of the same class. Constants were chosen
on ``--validation``: the last 10,000 training pictures for the test, the others for the training.

Shops: products in 5 parts, each once the test. The network learns from the categories of the other four parts alone.
Precision@10: of a test product's 10 nearest products of those parts, the share in its leaf category; mean over the
products whose category has products in those parts.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ecomrec_django.learning.images import decoding
from ecomrec_django.learning.images import model as image_model
from ecomrec_django.learning.images.training import ImageSettings

from . import Row

FASHION = Path("/usr/share/datasets/fashion-mnist")
SHOPS = Path(__file__).resolve().parents[2] / "shared" / "data"
K, FOLDS = 10, 5
VALIDATION = 10_000
FASHION_SETTINGS = ImageSettings(epochs=20, augmentation=0.5, held_out=0.0, widths=(32, 64, 192))
SHOP_SETTINGS = ImageSettings(steps=200, held_out=0.0)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fashion", type=Path, default=FASHION, help="where the idx files of Fashion-MNIST lie")
    parser.add_argument("--shops", type=Path, default=SHOPS, help="where the folders magento and eshop lie")
    parser.add_argument("--validation", action="store_true", help="tell Fashion-MNIST's last training pictures instead")
    parser.add_argument("--only", choices=["fashion", "shops"], help="one of the two alone")


def run(options: argparse.Namespace) -> list[Row]:
    rows = []
    if options.only != "shops":
        rows += fashion(options.fashion, options.validation, FASHION_SETTINGS)
    if options.only != "fashion":
        rows += shop("magento", *_magento(options.shops / "magento"), SHOP_SETTINGS)
        rows += shop("eshop", *_eshop(options.shops / "eshop"), SHOP_SETTINGS)
    return rows


def fashion(folder: Path, validation: bool, settings: ImageSettings) -> list[Row]:
    """Rows of the network and of raw pixels."""
    if not folder.is_dir():
        raise SystemExit(f"There is no folder {folder}: install dataset-fashion-mnist, or name it by --fashion.")
    shown, label = _idx(folder / "train-images-idx3-ubyte.gz"), _idx(folder / "train-labels-idx1-ubyte.gz")
    if validation:
        asked, right = shown[-VALIDATION:], label[-VALIDATION:]
        shown, label = shown[:-VALIDATION], label[:-VALIDATION]
    else:
        asked, right = _idx(folder / "t10k-images-idx3-ubyte.gz"), _idx(folder / "t10k-labels-idx1-ubyte.gz")
    shown, asked = (np.repeat(part[..., None], 3, axis=3) for part in (shown, asked))
    began = time.perf_counter()
    model = image_model.train(shown, {"class": label}, settings=settings)
    trained = time.perf_counter()
    chances = [image_model.predict(model, view)["class"] for view in _views(asked)]
    known, vectors = image_model.embed(model, shown), image_model.embed(model, asked)
    return [
        {
            "name": "ecomrec:Fashion-MNIST",
            "accuracy": float((sum(chances).argmax(axis=1) == right).mean()),
            "plain": float((chances[0].argmax(axis=1) == right).mean()),
            "precision@10": precision(known, label, vectors, right),
            "products": len(shown) + len(asked),
            "weights": model.network.count_params(),
            "train_seconds": trained - began,
        },
        {
            "name": "raw pixels:Fashion-MNIST",
            "precision@10": precision(_pixels(shown[..., :1]), label, _pixels(asked[..., :1]), right),
            "products": len(shown) + len(asked),
        },
    ]


def _views(pictures: np.ndarray) -> Iterator[np.ndarray]:
    """Themselves, shifted by a pixel to each side, and the mirror images of all of these."""
    side = pictures.shape[1]
    edged = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    for down, across in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)):
        view = edged[:, 1 + down : 1 + down + side, 1 + across : 1 + across + side]
        yield view
        yield view[:, :, ::-1]


def shop(name: str, shown: np.ndarray, label: np.ndarray, settings: ImageSettings) -> list[Row]:
    """Rows of the network, of colour histograms and of raw pixels."""
    rng = np.random.default_rng(0)
    part = rng.permutation(len(label)) % FOLDS
    seconds = []

    def learned(known: np.ndarray) -> np.ndarray:
        began = time.perf_counter()
        model = image_model.train(shown, {"category": np.where(known, label, -1)}, settings=settings)
        seconds.append(time.perf_counter() - began)
        return image_model.embed(model, shown)

    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "ecomrec": learned,
        "colour histograms": lambda known: histograms(shown),
        "raw pixels": lambda known: _pixels(shown),
    }
    rows = []
    for way, vectors_of in ways.items():
        found = []
        for test in range(FOLDS):
            known = part != test
            vectors = vectors_of(known)
            asked = ~known & np.isin(label, label[known])
            found.append((precision(vectors[known], label[known], vectors[asked], label[asked]), asked.sum()))
        values, counts = np.array(found).T
        row: Row = {"name": f"{way}:{name}", "precision@10": float(np.average(values, weights=counts))}
        row |= {"products": len(label), "categories": len(np.unique(label))}
        rows.append(row)
    rows[0]["train_seconds"] = float(np.mean(seconds))
    return rows


def precision(known: np.ndarray, label: np.ndarray, asked: np.ndarray, right: np.ndarray) -> float:
    """The mean share of the ``asked`` vectors' K nearest ``known`` ones by cosine that have the ``right`` label."""
    shares = []
    for at in range(0, len(asked), 1_000):
        alike = asked[at : at + 1_000] @ known.T
        nearest = np.argpartition(-alike, K - 1, axis=1)[:, :K]
        shares.append((label[nearest] == right[at : at + 1_000, None]).mean(axis=1))
    return float(np.concatenate(shares).mean())


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _pixels(shown: np.ndarray) -> np.ndarray:
    return _unit(shown.reshape(len(shown), -1).astype(np.float32))


def histograms(shown: np.ndarray) -> np.ndarray:
    """Square roots of shares of 8 × 8 × 8 colours, whose product is the Bhattacharyya coefficient."""
    cells = (shown // 32).astype(np.int64) @ np.array([64, 8, 1])
    counts = np.stack([np.bincount(own.ravel(), minlength=512) for own in cells])
    return _unit(np.sqrt(counts.astype(np.float32)))


def _idx(path: Path) -> np.ndarray:
    """The array of an idx file of bytes: two zeros, type 8, the number of dimensions, then 4 bytes for each."""
    data = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def _magento(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    with (folder / "products.csv").open(encoding="utf-8") as file:
        products = list(csv.DictReader(file))
    found = {path.stem.lower(): path for path in folder.glob("*.jpg")}
    # A product that lies in collections too has their paths behind that of its category.
    return _read(
        [(found.get(one["sku"].lower()), re.split("/Collections|/Promotions", one["category"])[0]) for one in products]
    )


def _eshop(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    products = json.loads((folder / "catalog.json").read_text(encoding="utf-8"))
    return _read([(folder / "Pics" / f"{product['Id']}.webp", product["Type"]) for product in products])


def _read(products: list[tuple[Path | None, str]]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, and numbers of their categories."""
    there = [(path, category) for path, category in products if path and path.exists()]
    if not there:
        raise SystemExit("There are no pictures of the shops: name the folder that holds magento and eshop by --shops.")
    shown = np.stack([decoding.decode_image(path.read_bytes()) for path, _ in there])
    return shown, np.unique([category for _, category in there], return_inverse=True)[1]
