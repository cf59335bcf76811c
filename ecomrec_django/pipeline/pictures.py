"""What the pictures of the catalog tell: a vector of each, by a network that is trained on the shop's own."""

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

from ..catalog.adapter import Catalog
from ..conf import conf
from ..errors import DataError, TrainingError
from ..learning import artifact
from ..learning.memory import Ceiling
from ..models import Category, Item, ItemPicture, Publication, TrainingRun
from ..models.bulk import chunks, storable
from .learned import folder_of
from .lock import only_one
from .looks import packed, unpacked
from .networks import UNFINISHED, folder_of_kind, keep, newest
from .progress import Progress, Reporter
from .runs import finish, recorded

if TYPE_CHECKING:
    from ..learning.images import ImageModel

logger = logging.getLogger(__name__)

# Pictures held at once.
AT_ONCE = 256
# Pictures that a network is trained on, drawn at random in a larger shop.
MOST_TRAINED = 20_000
# Part of the pictures trained on by which the catalog has grown or changed before another training.
STALE = 0.2
# Values of an attribute that are told apart, and items that have to have one.
MOST_VALUES, FEWEST_ITEMS = 50, 5
# Chance from which an item without a category is taken to be of the suggested one; below LEAST nothing is suggested.
SURE, LEAST = 0.7, 0.3
# Part of the pictures that have to be in pairs for these to be learned from.
PAIRED = 0.1
LOGGED_PROBLEMS = 20
KIND = "pictures"


class _Pictured(NamedTuple):
    """An item with its picture, shape (SIZE, SIZE, 3) uint8, or with what was wrong with it."""

    pk: int
    image: str
    pixels: np.ndarray | None
    problem: str


@dataclass
class _Counts:
    embedded: int = 0
    problems: Counter[str] = field(default_factory=Counter)


def learn_pictures(progress: Progress | None = None) -> TrainingRun:
    """Look at the pictures that are new or changed; train a network first where there is none or it is out of date.

    Returns the finished run, whose message says what was skipped and why. Raises TrainingError if another such run is
    at work, or after marking this one failed; vectors made so far stay.
    """
    with only_one("pictures"), recorded(TrainingRun.Kind.PICTURES) as run:
        _Looking(run, progress).walk()
    return run


class _Looking:
    def __init__(self, run: TrainingRun, progress: Progress | None) -> None:
        self.run = run
        self.catalog: Catalog = conf.CATALOG()
        self.report = Reporter(run, 100, progress, Ceiling(conf.DEEP_MEMORY))
        self.counts = _Counts()
        self.said: list[str] = []

    def walk(self) -> None:
        ItemPicture.objects.filter(Q(item__image="") | Q(item__active=False)).delete()
        with self.report.stage("network", 60):
            name, about = self._network()
        if name:
            with self.report.stage("vectors", 40):
                self._embed(name, about["heads"])
        counts, problems = self.counts, self.counts.problems
        if counts.embedded or problems:
            many = "1 picture was" if counts.embedded == 1 else f"{counts.embedded} pictures were"
            self.said.append(f"{many} looked at.")
        elif name:
            self.said.append("No picture is new.")
        if problems:
            listed = ", ".join(f"{reason}: {count}" for reason, count in problems.most_common(5))
            self.said.append(f"{problems.total()} could not be used ({listed}).")
        self.run.metrics.update(embedded=counts.embedded, problems=dict(problems), network=name)
        if counts.embedded:
            self.run.metrics["map"] = _map(name)
        finish(self.run, " ".join(self.said))

    def _network(self) -> tuple[str, dict[str, Any]]:
        """Name of the network to be used, and what is written of it; "" where there are too few pictures for one."""
        path, about = newest(KIND)
        name = path.name if path else ""
        if not _pictured().exists():
            self.said.append("No product of the catalog has a picture.")
            return "", {}
        if name:
            since = storable(datetime.fromisoformat(about["trained"]))
            looked_at = ItemPicture.objects.filter(network=name, read__gt=since).count()
            changed = looked_at + _waiting(name).filter(~Q(picture__problem__gt="")).count() - about["items"]
            if changed < STALE * about["items"]:
                return name, about
        try:
            return self._trained()
        except TrainingError as error:
            self.said.append(str(error) if not name else f"The network stays as it is: {error}")
            return name, about

    def _trained(self) -> tuple[str, dict[str, Any]]:
        """Train on what the catalog says of its pictured items; returns what `_network` does."""
        from ..learning.images import save, train
        from ..learning.pictures import SIZE

        # The same picture twice teaches nothing, and would be held out and learned from at once.
        once = _pictured().values("image").annotate(item=Min("pk")).order_by("item")
        pks = np.array(once.values_list("item", flat=True))
        drawn = np.sort(np.random.default_rng(0).permutation(pks)[:MOST_TRAINED])
        found, pixels = [], []
        for done, pictured in enumerate(self._read(drawn.tolist()), start=1):
            if pictured.pixels is not None:
                found.append(pictured.pk)
                pixels.append(pictured.pixels)
            self.report(done, 4 * len(drawn))
        heads, pairs = _heads(found), _looked_at_together(found)
        network = train(
            np.stack(pixels) if pixels else np.empty((0, SIZE, SIZE, 3), np.uint8),
            {name: head.classes for name, head in heads.items()},
            pairs,
            checkpoint=folder_of_kind(KIND) / UNFINISHED,
            progress=lambda done, total: self.report(total + 3 * done, 4 * total),
        )
        about = {
            "trained": timezone.now().isoformat(),
            "items": _pictured().count(),
            "heads": {name: head.values for name, head in heads.items()},
        }
        losses = [round(loss, 4) for loss in network.figures["held_out_losses"] if np.isfinite(loss)]
        self.run.metrics.update(trained_on=len(found), best_round=network.figures["best_round"], losses=losses)
        return keep(KIND, lambda folder: save(network, folder), about).name, about

    def _embed(self, name: str, heads: dict[str, list[Any]]) -> None:
        """Write the rows of all that this network has not looked at yet."""
        from ..learning.images import embed, load

        network = load(folder_of_kind(KIND) / name)
        pks = list(_waiting(name).order_by("image", "pk").values_list("pk", flat=True))
        done = 0
        for some in chunks(self._read(pks), AT_ONCE):
            sound = [(one, one.pixels) for one in some if one.pixels is not None]
            rows = [ItemPicture(item_id=one.pk, image=one.image, problem=one.problem) for one in some if one.problem]
            if sound:
                pixels = np.stack([each for _, each in sound])
                vectors = embed(network, pixels)
                told = _suggestions([one.pk for one, _ in sound], heads, network, pixels)
                rows += [
                    ItemPicture(item_id=one.pk, image=one.image, vector=vector, network=name, **suggested)
                    for (one, _), vector, suggested in zip(sound, packed(vectors), told, strict=True)
                ]
            _write(rows)
            self.counts.embedded += len(sound)
            self.counts.problems.update(_kind(one.problem) for one in some if one.problem)
            done += len(some)
            self.report(done, len(pks))

    def _read(self, pks: Sequence[int]) -> Iterator[_Pictured]:
        """The pictures of some items, through the shop's storage."""
        last = _Pictured(0, "", None, "")
        for some in chunks(pks, AT_ONCE):
            found = Item.objects.filter(pk__in=some).values_list("pk", "external_id", "image")
            rows = {pk: (external_id, image) for pk, external_id, image in found}
            products = self.catalog.in_bulk([external_id for external_id, _ in rows.values()], None)
            for pk in some:
                external_id, image = rows[pk]
                # Variants of a product share their picture.
                if image != last.image:
                    last = self._pictured(pk, image, external_id, products.get(external_id))
                yield last._replace(pk=pk)

    def _pictured(self, pk: int, image: str, external_id: str, product: Any) -> _Pictured:
        try:
            return _Pictured(pk, image, self._pixels(product), "")
        except Exception as error:  # whatever one picture raises must not stop the others
            problem = str(error) if isinstance(error, DataError) else f"{type(error).__name__}: {error}"
            if self.counts.problems.total() < LOGGED_PROBLEMS:
                logger.warning("The picture of product %s was skipped: %s", external_id, problem)
            return _Pictured(pk, image, None, problem[:200])

    def _pixels(self, product: Any) -> np.ndarray:
        from ..learning.pictures import SIZE, read

        if product is None:
            raise DataError("the shop does not show the product")
        file = self.catalog.open_picture(product)
        if file is None:
            raise DataError("the adapter opens no picture (see Catalog.open_picture)")
        with closing(file):
            return read(file, SIZE)


def _pictured() -> QuerySet[Item]:
    return Item.objects.filter(active=True).exclude(image="")


def _waiting(network: str) -> QuerySet[Item]:
    """Items whose picture this network has not looked at, or could not."""
    looked_at = Q(picture__network=network) & Q(picture__image=F("image"))
    return _pictured().filter(Q(picture__isnull=True) | ~looked_at)


def _map(network: str) -> dict[str, Any]:
    """Where the pictures of items lie on a map, of at most MOST items drawn by chance."""
    from ..learning.maps import MOST, on_a_map

    rows = ItemPicture.objects.filter(network=network, vector__isnull=False)
    pks = np.array(rows.order_by("pk").values_list("pk", flat=True))
    drawn = np.sort(np.random.default_rng(0).permutation(pks)[:MOST]).tolist()
    found = rows.filter(pk__in=drawn).order_by("pk").values_list("vector", flat=True)
    places = on_a_map(np.stack([unpacked(vector) for vector in found if vector]))
    return {"items": drawn, "places": places.round(3).tolist()}


class _Head(NamedTuple):
    """``classes``: place in ``values`` of each item, -1 for none, shape (items,)."""

    values: list[Any]
    classes: np.ndarray


def _heads(pks: Sequence[int]) -> dict[str, _Head]:
    """What the catalog says of items: category (Category.pk), brand, and attributes by name."""
    rows: dict[int, tuple[int | None, str, dict[str, str]]] = {}
    for some in chunks(pks):
        found = Item.objects.filter(pk__in=some).values_list("pk", "category_id", "brand", "attributes")
        rows |= {pk: (category, brand, attributes) for pk, category, brand, attributes in found}
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
        often = [value for value, count in Counter(values).most_common() if value is not None and count >= FEWEST_ITEMS]
        often = often if name == "category" else often[:MOST_VALUES]
        if len(often) > 1:
            places = {value: place for place, value in enumerate(often)}
            heads[name] = _Head(often, np.array([places.get(value, -1) for value in values]))
    return heads


def _looked_at_together(pks: Sequence[int]) -> np.ndarray | None:
    """Places in ``pks`` of items that shoppers looked at in one session, by the published release, shape (pairs, 2).

    None where they are few: each pair costs a second look at a picture, which is better spent on the first.
    """
    model = _published_model()
    if model is None:
        return None
    beside = model.facts.co_seen
    one = np.repeat(np.arange(len(beside)), np.diff(beside.starts))
    place = np.full(len(beside), -1)
    numbers = model.ids.numbers(np.array(pks, np.int64))
    place[numbers[numbers >= 0]] = np.flatnonzero(numbers >= 0)
    pairs = np.stack([place[one], place[beside.columns]], axis=1)
    pairs = np.unique(np.sort(pairs[(pairs >= 0).all(axis=1)], axis=1), axis=0)
    return pairs if len(np.unique(pairs)) >= PAIRED * len(pks) else None


def _published_model() -> artifact.Model | None:
    published = Publication.objects.filter(pk=1).values_list("release_id", "release__digest").first()
    if published is None or not published[1]:
        return None
    try:
        return artifact.load(folder_of(published[0]), published[1])
    except DataError as error:
        logger.warning("What was looked at together is not known: %s", error)
        return None


def _suggestions(
    pks: Sequence[int], heads: dict[str, list[Any]], network: ImageModel, pixels: np.ndarray
) -> list[dict[str, Any]]:
    """Fields of ItemPicture for what each item does not say of itself."""
    from ..learning.images import predict

    lacking = _lacking(pks, heads)
    told: list[dict[str, Any]] = [{"category_id": None, "suggested": {}} for _ in pks]
    rows = [row for row, names in enumerate(lacking) if names]
    if not rows:
        return told
    chances = predict(network, pixels[rows])
    categories = set(Category.objects.filter(pk__in=heads.get("category", [])).values_list("pk", flat=True))
    for place, row in enumerate(rows):
        for name in lacking[row]:
            best = int(chances[name][place].argmax())
            value, chance = heads[name][best], round(float(chances[name][place][best]), 3)
            if chance < LEAST or (name == "category" and value not in categories):
                continue
            told[row]["suggested"][name] = [value, chance]
            if name == "category" and chance >= SURE:
                told[row]["category_id"] = value
    return told


def _lacking(pks: Sequence[int], heads: dict[str, list[Any]]) -> list[list[str]]:
    """The names of what each item does not say of itself."""
    found = Item.objects.filter(pk__in=pks).values_list("pk", "category_id", "brand", "attributes")
    known = {
        pk: {"category": category, "brand": brand, **{f"attribute:{name}": text for name, text in attributes.items()}}
        for pk, category, brand, attributes in found
    }
    return [[name for name in heads if not known[pk].get(name)] for pk in pks]


def _write(rows: Sequence[ItemPicture]) -> None:
    """In place of what is known of these items."""
    now = storable(timezone.now())
    for row in rows:
        row.read = now
    with transaction.atomic():
        ItemPicture.objects.filter(pk__in=[row.pk for row in rows]).delete()
        ItemPicture.objects.bulk_create(rows, batch_size=500)


def _kind(problem: str) -> str:
    """Problems of one kind under one name, without what differs from picture to picture."""
    return problem.split(":")[0][:60]
