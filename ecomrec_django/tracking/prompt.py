"""Orders and reviews are imported as soon as they are saved: after the response of the request that saved them, or at
once where there is none. The scheduled import finds whatever is missed here."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import post_save

from ..conf import conf
from ..errors import ConfigurationError
from ..serving.failures import note_failure
from .orders import import_order
from .request import current_request, of
from .reviews import import_review


def connect() -> None:
    user_logged_in.connect(_logged_in, dispatch_uid="ecomrec_logged_in")
    try:
        catalog = conf.CATALOG
    except ConfigurationError:
        # The system check says so.
        return
    catalog.connect()
    for label, receiver in ((catalog.order_model, _order_saved), (catalog.review_model, _review_saved)):
        if label:
            post_save.connect(receiver, apps.get_model(label), dispatch_uid=f"ecomrec_{receiver.__name__}")


def _logged_in(*, request: Any = None, user: Any, **kwargs: Any) -> None:
    if request is not None:
        of(request).account = user


def order_changed(order: Any, using: str | None = None) -> None:
    """A row of ``order_model`` or something of its lines changed: it is imported as soon as that is committed."""
    transaction.on_commit(lambda: _order_committed(order), using=using, robust=True)


def _order_saved(*, instance: Any, using: str, raw: bool = False, **kwargs: Any) -> None:
    # A fixture's rows come before those they refer to.
    if not raw:
        order_changed(instance, using)


def _review_saved(*, instance: Any, using: str, raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        transaction.on_commit(lambda: _review_committed(instance), using=using, robust=True)


def _order_committed(order: Any) -> None:
    request = current_request.get()
    if request is None:
        promptly(import_order, order)
    else:
        of(request).orders[order.pk] = order


def _review_committed(review: Any) -> None:
    request = current_request.get()
    if request is None:
        promptly(import_review, review)
    else:
        of(request).reviews[review.pk] = review


def promptly(work: Any, *arguments: Any) -> None:
    """What goes wrong is noted: the scheduled import tries again."""
    try:
        work(*arguments)
    except Exception as error:
        note_failure("tracking", error, "An import was put off to the next scheduled one")
