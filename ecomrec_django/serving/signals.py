"""Tells the pages at once that a release was published, the catalog synced, or an override, a rule or an experiment
changed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from ..catalog.sync import CHECKPOINT
from ..models import Arm, Checkpoint, Experiment, OfferList, Override, Publication, Rule
from .rulebook import forget_rulebook
from .stored import forget


def _forget(using: str, **kwargs: Any) -> None:
    # Robust: a cache that is down must not undo a merchant's work.
    transaction.on_commit(forget, using=using, robust=True)


def _forget_rulebook(using: str, **kwargs: Any) -> None:
    transaction.on_commit(forget_rulebook, using=using, robust=True)


def _forget_mirrored(instance: Checkpoint, using: str, **kwargs: Any) -> None:
    # Rules are asked about what the mirror said before.
    if instance.name == CHECKPOINT:
        _forget_rulebook(using)


FORGOTTEN = {
    Publication: _forget,
    Override: _forget,
    Rule: _forget_rulebook,
    Experiment: _forget_rulebook,
    Arm: _forget_rulebook,
}


def connect() -> None:
    for model, forgets in FORGOTTEN.items():
        post_save.connect(forgets, model, dispatch_uid="ecomrec_forget_saved")
        post_delete.connect(forgets, model, dispatch_uid="ecomrec_forget_deleted")
    post_save.connect(_forget_mirrored, Checkpoint, dispatch_uid="ecomrec_forget_saved")
    # Saved one by one only when a merchant decides about a list. Those deleted are of releases that no page shows, and
    # a listener would have each of their hundred thousands loaded and told.
    post_save.connect(_forget, OfferList, dispatch_uid="ecomrec_forget_saved")
