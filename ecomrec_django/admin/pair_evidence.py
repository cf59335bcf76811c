"""The evidence of one pair, prepared for its page."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ..conf import conf
from ..insights.pair_evidence import PairEvidence, pair_evidence
from ..models import OfferList
from ..serving.registry import strategy_named
from ..strategies.base import decode_offers
from .base import strategy_label
from .components.charts import Cell, Chart, Column, Row
from .components.evidence import Figure, figures, format_value, reason_label
from .components.feature_labels import feature_label
from .components.figures import format_number
from .components.offer_cards import items_by_id
from .components.thumbnails import thumbnail

SIGNALS_DRAWN = 10


def evidence_page(request: HttpRequest, offer_list: OfferList, item: str) -> dict[str, Any]:
    """The context of the page of one offer of a list. Raises Http404 if the item is not in the list."""
    offers = {offer.item: offer for offer in decode_offers(offer_list.proposed or offer_list.offers)}
    offer = offers.get(item)
    offered_item = items_by_id([item]).get(item) if offer is not None else None
    if offer is None or offered_item is None or offer_list.anchor is None:
        raise Http404(_("This item is not in this list."))
    task = strategy_named(offer_list.strategy).ranker if offer_list.strategy in conf.STRATEGIES else ""
    evidence = pair_evidence(offer_list.anchor, offered_item, offer_list.release, task)
    sees_orders = _sees_orders(request)
    return {
        "title": _("%(offer)s with %(anchor)s") % {"offer": offered_item, "anchor": offer_list.anchor},
        "strategy": strategy_label(offer_list.strategy),
        "anchor": offer_list.anchor,
        "offer": offered_item,
        "pictures": [(thumbnail(row, 96), row.title, row.price) for row in (offer_list.anchor, offered_item)],
        "reason": reason_label(offer.reason),
        "trained": figures(offer),
        "counted": _figures(evidence),
        "capped": evidence.capped,
        "charts": _charts(evidence),
        "sees_orders": sees_orders,
        "orders": _orders(evidence) if sees_orders else [],
        "more_orders": evidence.orders - len(evidence.latest),
    }


def _sees_orders(request: HttpRequest) -> bool:
    """Whether the user may view the shop's orders or, if the adapter names no model of them, events."""
    model = conf.CATALOG.order_model
    if model is None:
        return request.user.has_perm("ecomrec.view_event")
    app, _dot, name = model.lower().partition(".")
    return request.user.has_perm(f"{app}.view_{name}")


def _figures(evidence: PairEvidence) -> list[Figure]:
    counts = [
        Figure(_("Orders with both"), format_number(evidence.orders, 0)),
        Figure(_("Different customers"), format_number(evidence.customers, 0)),
        Figure(_("Orders with the anchor"), format_number(evidence.anchor_orders, 0)),
        Figure(_("Orders with the offer"), format_number(evidence.offer_orders, 0)),
    ]
    names = {
        "content_similarity": _("Description similarity"),
        "image_similarity": _("Image similarity"),
        "co_viewed": _("Viewed by the same visitors"),
    }
    return [
        *counts,
        *(Figure(names[name], format_value(value, "percent")) for name, value in evidence.similarities.items()),
    ]


def _charts(evidence: PairEvidence) -> list[Chart]:
    charts = []
    if len(evidence.months) > 1:
        rows = [
            Row(
                date_format(month.first, "YEAR_MONTH_FORMAT"),
                [
                    Cell(format_value(month.both / month.anchor, "percent"), month.both / month.anchor),
                    Cell(format_number(month.both, 0)),
                    Cell(format_number(month.anchor, 0)),
                ],
                short=month.first.strftime("%Y-%m"),
            )
            for month in evidence.months
        ]
        columns = [
            Column(_("Month")),
            Column(_("Share of the anchor's orders"), drawn=True),
            Column(_("Orders with both")),
            Column(_("Orders with the anchor")),
        ]
        charts.append(
            Chart(
                kind="lines",
                caption=_("Bought with the anchor, by month"),
                columns=columns,
                rows=rows,
            )
        )
    if evidence.contributions:
        rows = [
            Row(feature_label(name) if name else _("All shopper features"), [Cell(format_value(value, 3), value)])
            for name, value in evidence.contributions
        ]
        columns = [Column(_("Feature")), Column(_("Contribution to the log-odds"), drawn=True)]
        caption = _("Feature contributions for an unknown shopper")
        charts.append(Chart(kind="bars", caption=caption, columns=columns, rows=rows, most=SIGNALS_DRAWN))
    return charts


def _orders(evidence: PairEvidence) -> list[tuple[str, str, str]]:
    """Number, day and address in the shop's admin of each order; the address is empty if there is none."""
    urls = conf.CATALOG().order_admin_urls([order.order for order in evidence.latest])
    return [
        (order.order, date_format(order.time, "DATE_FORMAT"), urls.get(order.order, "")) for order in evidence.latest
    ]
