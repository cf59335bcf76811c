"""Signal receivers that import orders and reviews as soon as they are saved, and follow deletions in the shop.

The import runs after the response of the current request, or at once outside of requests. The scheduled import adds
whatever is missed here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_delete

from ..catalog.adapter import Catalog
from ..catalog.paths import model_named
from ..conf import conf
from ..db import savepoints
from ..errors import ConfigurationError
from ..failures import note_failure
from ..models import Visitor
from ..privacy.erasure import erase
from .importers.order_rows import baskets_of, follow_new_owners
from .importers.orders import import_order
from .importers.removal import remove_orders
from .importers.reviews import import_review
from .request_state import current_request, recorded
from .visitors import user_key


def connect() -> None:
    """Connect the receivers of logins, and of the shop's own accounts, orders and reviews."""
    user_logged_in.connect(_logged_in, dispatch_uid="ecomrec_logged_in")
    post_delete.connect(_account_deleted, settings.AUTH_USER_MODEL, dispatch_uid="ecomrec_account_deleted")
    # What is wrong here is reported by the system checks.
    try:
        catalog = conf.CATALOG
    except ConfigurationError:
        return
    if not (isinstance(catalog, type) and issubclass(catalog, Catalog)):
        return
    catalog.connect()
    for label, receiver in ((catalog.order_model, _order_saved), (catalog.review_model, _review_saved)):
        with suppress(ConfigurationError):
            if label:
                post_save.connect(receiver, model_named(label), dispatch_uid=f"ecomrec_{receiver.__name__}")
    with suppress(ConfigurationError):
        if catalog.order_model:
            # Its lines are gone once it is deleted.
            pre_delete.connect(_order_deleting, model_named(catalog.order_model), dispatch_uid="ecomrec_order_deleted")


def _logged_in(*, request: Any = None, user: Any, **kwargs: Any) -> None:
    if request is not None:
        recorded(request).account = user


def order_changed(order: Any, using: str | None = None) -> None:
    """Import an order after the commit; call this when a row of ``order_model`` or one of its lines changed."""
    transaction.on_commit(lambda: _order_committed(order), using=using, robust=True)


def _order_saved(*, instance: Any, using: str, raw: bool = False, **kwargs: Any) -> None:
    # Fixtures may load rows before those they refer to.
    if not raw:
        order_changed(instance, using)


def _review_saved(*, instance: Any, using: str, raw: bool = False, **kwargs: Any) -> None:
    if not raw:
        transaction.on_commit(lambda: _review_committed(instance), using=using, robust=True)


def _order_deleting(*, instance: Any, using: str, **kwargs: Any) -> None:
    request = current_request.get()
    if request is not None:
        recorded(request).orders.pop(instance.pk, None)
    try:
        with savepoints():
            baskets = baskets_of(instance)
    except Exception as error:
        note_failure("tracking", error, "A deleted order is kept until ecomrec_import_orders --reconcile removes it")
        return
    transaction.on_commit(lambda: try_now(remove_orders, baskets), using=using, robust=True)


def _account_deleted(*, instance: Any, using: str, **kwargs: Any) -> None:
    key = user_key(instance.pk)
    transaction.on_commit(lambda: try_now(_erase_account, key), using=using, robust=True)


def _erase_account(key: str) -> None:
    if Visitor.objects.filter(key=key).exists():
        try_now(follow_new_owners, key)
        erase([key])


def _order_committed(order: Any) -> None:
    if order.pk is None:
        # Deleted in the same transaction.
        return
    request = current_request.get()
    if request is None:
        try_now(import_order, order)
    else:
        recorded(request).orders[order.pk] = order


def _review_committed(review: Any) -> None:
    request = current_request.get()
    if request is None:
        try_now(import_review, review)
    else:
        recorded(request).reviews[review.pk] = review


def try_now(work: Any, *arguments: Any) -> None:
    """Call ``work``; failures are recorded, and the scheduled import tries again."""
    try:
        work(*arguments)
    except Exception as error:
        note_failure("tracking", error, "An import failed; the next scheduled import retries it")
