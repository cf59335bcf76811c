"""The items that stand on most product pages of the published release, with buttons to hide and to limit them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..conf import conf
from ..db import storable
from ..errors import DataError
from ..merchandising import decisions
from ..models import Item, Publication, Rule
from .base import strategy_label
from .components.figures import format_number, percent, percent_text
from .components.offer_cards import items_by_id
from .components.thumbnails import thumbnail
from .review_actions import may_review


@dataclass(frozen=True, kw_only=True)
class ShownItem:
    """One row of the panel.

    percent: share of the pages, from 0 to 100
    hidden: whether a rule hides it everywhere
    limit: the lowest share, 0 to 1, that a rule about this item allows; None for none
    """

    item: Item
    percent: float
    hidden: bool
    limit: float | None

    @property
    def picture(self) -> SafeString:
        """The item's image."""
        return thumbnail(self.item, 32)

    @property
    def text(self) -> str:
        """The share as a percentage."""
        return percent_text(format_number(self.percent, 1))

    @property
    def limit_text(self) -> str:
        """The limit as a percentage, "" for none."""
        return "" if self.limit is None else percent(self.limit, 1)


def most_shown_page(request: HttpRequest) -> dict[str, Any]:
    """The context of the page."""
    publication = Publication.objects.current().select_related("release").first()
    release = publication.release if publication is not None else None
    shown = release.most_shown if release is not None else {}
    items = items_by_id({item for rows in shown.values() for item, _share in rows})
    rules = Rule.objects.filter(active=True, item__in=items.values(), category=None, brand="")
    hiding = set(rules.filter(action=Rule.Action.HIDE).values_list("item_id", flat=True))
    limits: dict[int | None, float] = {}
    for pk, share in rules.filter(action=Rule.Action.LIMIT, max_share__isnull=False).values_list(
        "item_id", "max_share"
    ):
        limits[pk] = min(share or 0.0, limits.get(pk, 1.0))
    return {
        "title": _("Most shown offers"),
        "release": release,
        "places": conf.LIMIT,
        "strategies": [
            (
                strategy,
                strategy_label(strategy),
                [
                    ShownItem(
                        item=items[name],
                        percent=100 * share,
                        hidden=items[name].pk in hiding,
                        limit=limits.get(items[name].pk),
                    )
                    for name, share in rows
                    if name in items
                ],
            )
            for strategy, rows in shown.items()
            if strategy in conf.STRATEGIES
        ],
        "max_share": None if conf.MAX_SHARE is None else percent(conf.MAX_SHARE, 1),
        "reviews": may_review(request.user),
    }


def decide(request: HttpRequest) -> str:
    """Hide or limit the item of the pressed button; returns a message. Raises DataError."""
    item = Item.objects.filter(external_id=storable(request.POST.get("item", ""))).first()
    if item is None:
        raise DataError(_("This item is no longer in the catalog."))
    if "hide" in request.POST:
        decisions.hide_item(request.user, item)
        return _("“%(item)s” is no longer offered anywhere.") % {"item": item}
    try:
        share = float(request.POST.get("percent", "")) / 100
    except ValueError:
        raise DataError(_("Enter a percentage above 0 and below 100.")) from None
    decisions.limit_item(request.user, item, share)
    return _("“%(item)s” is limited from the next training on.") % {"item": item}
