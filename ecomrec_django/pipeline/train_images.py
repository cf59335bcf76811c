"""Image vectors and suggested attributes of items, by a network trained on the shop's own images."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from ..artifacts import network_folder, release_folder
from ..catalog.adapter import Catalog
from ..conf import conf
from ..db import chunks, to_db_time
from ..errors import DataError, TrainingError
from ..learning.memory import MemoryLimit
from ..learning.ranking import model
from ..learning.types import ImageArray, IntArray
from ..locks import exclusive
from ..models import Category, Item, ItemPicture, Publication, TrainingRun
from .image_vectors import pack_vectors, unpack_vector
from .network_store import UNFINISHED, latest_network, save_network
from .progress import Reporter, StageProgress
from .runs import finish_run, recorded_run

if TYPE_CHECKING:
    from ..learning.images.model import ImageModel

logger = logging.getLogger(__name__)

# Images in memory at once.
IMAGES_AT_ONCE = 256
# Images that a network is trained on, sampled in larger shops.
MAX_TRAINED = 20_000
# The network is trained again after this share of images is new or changed.
STALE = 0.2
# Maximum values of an attribute that the network distinguishes, and minimum items with each.
MAX_VALUES, MIN_ITEMS = 50, 5
# From SURE on, the suggested category is assigned to an item without one; below MIN_PROBABILITY, nothing is suggested.
SURE, MIN_PROBABILITY = 0.7, 0.3
# Minimum share of images in pairs to train on pairs.
MIN_PAIRED = 0.1
LOGGED_PROBLEMS = 20
KIND = "pictures"


class _ItemImage(NamedTuple):
    """An item with its decoded image, or with the reason why there is none.

    pk: Item.pk
    name: Item.image
    pixels: shape (SIZE, SIZE, 3); None for an unusable image
    problem: why the image is unusable; empty otherwise
    """

    pk: int
    name: str
    pixels: ImageArray | None
    problem: str


@dataclass
class _Counts:
    embedded: int = 0
    problems: Counter[str] = field(default_factory=Counter)


def train_images(progress: StageProgress | None = None) -> TrainingRun:
    """Embed new and changed images, after training a network if there is none or it is out of date.

    Returns the finished run, whose message says what was skipped and why. Raises TrainingError if another run is in
    progress, or if this one fails; vectors stored so far remain.
    """
    with exclusive("pictures"), recorded_run(TrainingRun.Kind.PICTURES) as run:
        _ImageRun(run, progress).run()
    return run


class _ImageRun:
    def __init__(self, record: TrainingRun, progress: StageProgress | None) -> None:
        self.record = record
        self.catalog: Catalog = conf.CATALOG()
        self.report = Reporter(record, 100, progress, MemoryLimit(conf.DEEP_MEMORY))
        self.counts = _Counts()
        self.messages: list[str] = []

    def run(self) -> None:
        ItemPicture.objects.filter(Q(item__image="") | Q(item__active=False)).delete()
        with self.report.stage("network", 60):
            name, metadata = self._network()
        if name:
            with self.report.stage("vectors", 40):
                self._embed(name, metadata["heads"])
        counts, problems = self.counts, self.counts.problems
        if counts.embedded or problems:
            images = "1 image" if counts.embedded == 1 else f"{counts.embedded} images"
            self.messages.append(f"{images} analysed.")
        elif name:
            self.messages.append("No new images.")
        if problems:
            listed = ", ".join(f"{reason}: {count}" for reason, count in problems.most_common(5))
            self.messages.append(f"{problems.total()} could not be used ({listed}).")
        self.record.metrics.update(embedded=counts.embedded, problems=dict(problems), network=name)
        if counts.embedded:
            self.record.metrics["map"] = _map(name)
        finish_run(self.record, " ".join(self.messages))

    def _network(self) -> tuple[str, dict[str, Any]]:
        """Name and metadata of the network to use; an empty name if there are too few images for one."""
        path, metadata = latest_network(KIND)
        name = path.name if path else ""
        if not _items_with_image().exists():
            self.messages.append("No product in the catalog has an image.")
            return "", {}
        if name:
            since = to_db_time(datetime.fromisoformat(metadata["trained"]))
            embedded = ItemPicture.objects.filter(network=name, read_at__gt=since).count()
            changed = embedded + _waiting(name).filter(~Q(picture__problem__gt="")).count() - metadata["items"]
            if changed < STALE * metadata["items"]:
                return name, metadata
        try:
            return self._train()
        except TrainingError as error:
            self.messages.append(str(error) if not name else f"The network was not updated. {error}")
            return name, metadata

    def _train(self) -> tuple[str, dict[str, Any]]:
        """Train on the attributes of items with images; returns the name and metadata of the network."""
        from ..learning.images.decoding import SIZE
        from ..learning.images.model import save, train

        # A duplicate adds no information, and would be both held out and trained on.
        distinct = _items_with_image().values("image").annotate(item=Min("pk")).order_by("item")
        pks = np.array(distinct.values_list("item", flat=True))
        sample = np.sort(np.random.default_rng(0).permutation(pks)[:MAX_TRAINED])
        items, pixels = [], []
        for done, image in enumerate(self._read(sample.tolist()), start=1):
            if image.pixels is not None:
                items.append(image.pk)
                pixels.append(image.pixels)
            self.report(done, 4 * len(sample))
        heads, pairs = _heads(items), _viewed_together(items)
        network = train(
            np.stack(pixels) if pixels else np.empty((0, SIZE, SIZE, 3), np.uint8),
            {name: head.classes for name, head in heads.items()},
            pairs,
            checkpoint=network_folder(KIND) / UNFINISHED,
            progress=lambda done, total: self.report(total + 3 * done, 4 * total),
        )
        metadata = {
            "trained": timezone.now().isoformat(),
            "items": _items_with_image().count(),
            "heads": {name: head.values for name, head in heads.items()},
        }
        losses = [round(loss, 4) for loss in network.figures["held_out_losses"] if np.isfinite(loss)]
        figures = {"trained_on": len(items), "best_round": network.figures["best_round"], "losses": losses}
        self.record.metrics.update(figures)
        return save_network(KIND, lambda folder: save(network, folder), metadata).name, metadata

    def _embed(self, name: str, heads: dict[str, list[Any]]) -> None:
        """Store the vectors of all images that this network has not embedded yet."""
        from ..learning.images.model import embed, load

        network = load(network_folder(KIND) / name)
        pks = list(_waiting(name).order_by("image", "pk").values_list("pk", flat=True))
        done = 0
        for chunk in chunks(self._read(pks), IMAGES_AT_ONCE):
            usable = [(image, image.pixels) for image in chunk if image.pixels is not None]
            rows = [
                ItemPicture(item_id=image.pk, image=image.name, problem=image.problem)
                for image in chunk
                if image.problem
            ]
            if usable:
                pixels = np.stack([image_pixels for _, image_pixels in usable])
                vectors = pack_vectors(embed(network, pixels))
                suggestions = _suggestions([image.pk for image, _ in usable], heads, network, pixels)
                rows += [
                    ItemPicture(item_id=image.pk, image=image.name, vector=vector, network=name, **suggestion)
                    for (image, _), vector, suggestion in zip(usable, vectors, suggestions, strict=True)
                ]
            _write(rows)
            self.counts.embedded += len(usable)
            self.counts.problems.update(_kind(image.problem) for image in chunk if image.problem)
            done += len(chunk)
            self.report(done, len(pks))

    def _read(self, pks: Sequence[int]) -> Iterator[_ItemImage]:
        """The images of items, read from the shop's storage."""
        last = _ItemImage(0, "", None, "")
        for chunk in chunks(pks, IMAGES_AT_ONCE):
            rows = Item.objects.filter(pk__in=chunk).values_list("pk", "external_id", "image")
            items = {pk: (external_id, image) for pk, external_id, image in rows}
            products = self.catalog.in_bulk([external_id for external_id, _ in items.values()], None)
            for pk in chunk:
                external_id, image = items[pk]
                # Variants of a product share their image.
                if image != last.name:
                    last = self._item_image(pk, image, external_id, products.get(external_id))
                yield last._replace(pk=pk)

    def _item_image(self, pk: int, image: str, external_id: str, product: Any) -> _ItemImage:
        try:
            return _ItemImage(pk, image, self._pixels(product), "")
        except Exception as error:  # an error in one image must not stop the others
            problem = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
            if self.counts.problems.total() < LOGGED_PROBLEMS:
                logger.warning("The image of product %s was skipped: %s", external_id, problem)
            return _ItemImage(pk, image, None, problem[:200])

    def _pixels(self, product: Any) -> ImageArray:
        from ..learning.images.decoding import SIZE, decode_image

        if product is None:
            raise DataError("the product is not visible in the shop")
        file = self.catalog.open_picture(product)
        if file is None:
            raise DataError("the adapter returned no image (see Catalog.open_picture)")
        with closing(file):
            return decode_image(file, SIZE)


def _items_with_image() -> QuerySet[Item]:
    return Item.objects.filter(active=True).exclude(image="")


def _waiting(network: str) -> QuerySet[Item]:
    """Items whose image this network has not embedded or failed to embed."""
    embedded = Q(picture__network=network) & Q(picture__image=F("image"))
    return _items_with_image().filter(Q(picture__isnull=True) | ~embedded)


def _map(network: str) -> dict[str, Any]:
    """A map of the images of at most MAX_POINTS random items, on which similar images are close."""
    from ..learning.projection import MAX_POINTS, project_2d

    rows = ItemPicture.objects.filter(network=network, vector__isnull=False)
    pks = np.array(rows.order_by("pk").values_list("pk", flat=True))
    sample = np.sort(np.random.default_rng(0).permutation(pks)[:MAX_POINTS]).tolist()
    vectors = rows.filter(pk__in=sample).order_by("pk").values_list("vector", flat=True)
    places = project_2d(np.stack([unpack_vector(vector) for vector in vectors if vector]))
    return {"items": sample, "places": places.round(3).tolist()}


class _Head(NamedTuple):
    """An attribute that a network predicts.

    values: the values that it distinguishes
    classes: index in ``values`` of each item, -1 for none, shape (items,)
    """

    values: list[Any]
    classes: IntArray


def _heads(pks: Sequence[int]) -> dict[str, _Head]:
    """The attributes of items by name: category (Category.pk), brand, and the most frequent attributes."""
    rows: dict[int, tuple[int | None, str, dict[str, str]]] = {}
    for chunk in chunks(pks):
        items = Item.objects.filter(pk__in=chunk).values_list("pk", "category_id", "brand", "attributes")
        rows |= {pk: (category, brand, attributes) for pk, category, brand, attributes in items}
    ordered = [rows[pk] for pk in pks]
    columns: dict[str, list[Any]] = {
        "category": [category for category, _, _ in ordered],
        "brand": [brand or None for _, brand, _ in ordered],
    }
    names = Counter(name for _, _, attributes in ordered for name in attributes)
    for name, _ in names.most_common(5):
        columns[f"attribute:{name}"] = [attributes.get(name) for _, _, attributes in ordered]
    heads = {}
    for name, values in columns.items():
        counts = Counter(values).most_common()
        frequent = [value for value, count in counts if value is not None and count >= MIN_ITEMS]
        frequent = frequent if name == "category" else frequent[:MAX_VALUES]
        if len(frequent) > 1:
            index = {value: number for number, value in enumerate(frequent)}
            heads[name] = _Head(frequent, np.array([index.get(value, -1) for value in values]))
    return heads


def _viewed_together(pks: Sequence[int]) -> IntArray | None:
    """Pairs of items viewed in one session, as indices of ``pks``, shape (pairs, 2), from the published release.

    None if there are few: each pair costs a second pass over an image, which is better spent on the first.
    """
    model = _published_model()
    if model is None:
        return None
    co_viewed = model.item_features.co_viewed
    anchor = np.repeat(np.arange(len(co_viewed)), np.diff(co_viewed.starts))
    index = np.full(len(co_viewed), -1)
    numbers = model.ids.numbers(np.array(pks, np.int64))
    index[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
    pairs = np.stack([index[anchor], index[co_viewed.columns]], axis=1)
    pairs = np.unique(np.sort(pairs[(pairs >= 0).all(axis=1)], axis=1), axis=0)
    return pairs if len(np.unique(pairs)) >= MIN_PAIRED * len(pks) else None


def _published_model() -> model.Model | None:
    published = Publication.objects.current().values_list("release_id", "release__digest").first()
    if published is None or not published[1]:
        return None
    try:
        return model.load(release_folder(published[0]), published[1])
    except DataError as error:
        logger.warning("Pairs of items viewed together are unknown: %s", error)
        return None


def _suggestions(
    pks: Sequence[int], heads: dict[str, list[Any]], network: ImageModel, pixels: ImageArray
) -> list[dict[str, Any]]:
    """Fields of ItemPicture for the attributes that each item lacks."""
    from ..learning.images.model import predict

    missing = _missing(pks, heads)
    suggestions: list[dict[str, Any]] = [{"category_id": None, "suggestions": {}} for _ in pks]
    rows = [row for row, names in enumerate(missing) if names]
    if not rows:
        return suggestions
    probabilities = predict(network, pixels[rows])
    categories = set(Category.objects.filter(pk__in=heads.get("category", [])).values_list("pk", flat=True))
    for index, row in enumerate(rows):
        for name in missing[row]:
            best = int(probabilities[name][index].argmax())
            value, probability = heads[name][best], round(float(probabilities[name][index][best]), 3)
            if probability < MIN_PROBABILITY or (name == "category" and value not in categories):
                continue
            suggestions[row]["suggestions"][name] = [value, probability]
            if name == "category" and probability >= SURE:
                suggestions[row]["category_id"] = value
    return suggestions


def _missing(pks: Sequence[int], heads: dict[str, list[Any]]) -> list[list[str]]:
    """The names of the attributes that each item lacks."""
    rows = Item.objects.filter(pk__in=pks).values_list("pk", "category_id", "brand", "attributes")
    known = {
        pk: {"category": category, "brand": brand, **{f"attribute:{name}": text for name, text in attributes.items()}}
        for pk, category, brand, attributes in rows
    }
    return [[name for name in heads if not known[pk].get(name)] for pk in pks]


def _write(rows: Sequence[ItemPicture]) -> None:
    """Replace the stored rows of these items."""
    now = to_db_time(timezone.now())
    for row in rows:
        row.read_at = now
    with transaction.atomic():
        ItemPicture.objects.filter(pk__in=[row.pk for row in rows]).delete()
        ItemPicture.objects.bulk_create(rows, batch_size=500)


def _kind(problem: str) -> str:
    """The kind of a problem, without details that differ between images."""
    return problem.split(":")[0][:60]
