"""Tells the pages at once that a release was published or an override changed."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save

from ..models import Override, Publication
from .stored import forget


def _forget(using: str, **kwargs: Any) -> None:
    # Robust: a cache that is down must not undo a merchant's work.
    transaction.on_commit(forget, using=using, robust=True)


def connect() -> None:
    for model in (Publication, Override):
        post_save.connect(_forget, model, dispatch_uid="ecomrec_forget_saved")
        post_delete.connect(_forget, model, dispatch_uid="ecomrec_forget_deleted")
