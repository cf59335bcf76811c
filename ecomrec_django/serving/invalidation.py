"""Invalidates the caches of pages when a release is published, the catalog is synced, or an override, a rule or an
experiment changes."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from ..catalog.sync import CHECKPOINT
from ..models import Arm, Checkpoint, Experiment, OfferList, Override, Publication, Rule
from .offer_store import invalidate
from .rulebook import invalidate_rulebook


def _invalidate_lists(using: str, **kwargs: Any) -> None:
    # Robust: an unavailable cache must not undo a merchant's changes.
    transaction.on_commit(invalidate, using=using, robust=True)


def _invalidate_rulebook(using: str, **kwargs: Any) -> None:
    transaction.on_commit(invalidate_rulebook, using=using, robust=True)


def _checkpoint_saved(instance: Checkpoint, using: str, **kwargs: Any) -> None:
    # The rulebook caches item attributes from the mirror.
    if instance.name == CHECKPOINT:
        _invalidate_rulebook(using)


RECEIVERS = {
    Publication: _invalidate_lists,
    Override: _invalidate_lists,
    Rule: _invalidate_rulebook,
    Experiment: _invalidate_rulebook,
    Arm: _invalidate_rulebook,
}


def connect() -> None:
    """Connect the receivers that invalidate caches after changes."""
    for model, receiver in RECEIVERS.items():
        post_save.connect(receiver, model, dispatch_uid="ecomrec_invalidate_saved")
        post_delete.connect(receiver, model, dispatch_uid="ecomrec_invalidate_deleted")
    post_save.connect(_checkpoint_saved, Checkpoint, dispatch_uid="ecomrec_invalidate_saved")
    # Lists are saved one by one only by decisions of staff. Deleted lists belong to releases that no page shows, and a
    # receiver of deletions would make Django load each of hundreds of thousands of lists.
    post_save.connect(_invalidate_lists, OfferList, dispatch_uid="ecomrec_invalidate_saved")
