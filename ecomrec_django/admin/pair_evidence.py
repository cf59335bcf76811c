"""The evidence of one pair, ready for its page."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ..conf import conf
from ..insights.evidence import PairEvidence, pair_evidence
from ..models import OfferList
from ..serving.registry import strategy_named
from ..strategies.base import decode_offers
from .base import strategy_label
from .cards import items_by_id
from .charts import Cell, Chart, Column, Row
from .evidence import Figure, figures, reason_label, rounded, written
from .pictures import picture
from .signal_labels import signal_label

SIGNALS_DRAWN = 10


def evidence_page(request: HttpRequest, offer_list: OfferList, item: str) -> dict[str, Any]:
    """The context of the page of one offer of a list. Raises Http404 for what does not stand in it."""
    offers = {offer.item: offer for offer in decode_offers(offer_list.learned or offer_list.offers)}
    offer, found = offers.get(item), items_by_id([item]).get(item)
    if offer is None or found is None or offer_list.anchor is None:
        raise Http404(_("This item does not stand in this list."))
    task = strategy_named(offer_list.strategy).task if offer_list.strategy in conf.STRATEGIES else ""
    evidence = pair_evidence(offer_list.anchor, found, offer_list.release, task)
    sees_orders = _sees_orders(request)
    return {
        "title": _("%(offer)s beside %(anchor)s") % {"offer": found, "anchor": offer_list.anchor},
        "strategy": strategy_label(offer_list.strategy),
        "anchor": offer_list.anchor,
        "offer": found,
        "pictures": [(picture(one, 96), one.title, one.price) for one in (offer_list.anchor, found)],
        "reason": reason_label(offer.reason),
        "trained": figures(offer),
        "counted": _counted(evidence),
        "capped": evidence.capped,
        "charts": _charts(evidence),
        "sees_orders": sees_orders,
        "orders": _orders(evidence) if sees_orders else [],
        "more_orders": evidence.orders - len(evidence.latest),
    }


def _sees_orders(request: HttpRequest) -> bool:
    """Whoever may look at the shop's own orders; where the shop names no model of them, at its events."""
    model = conf.CATALOG.order_model
    if model is None:
        return request.user.has_perm("ecomrec.view_event")
    app, _dot, name = model.lower().partition(".")
    return request.user.has_perm(f"{app}.view_{name}")


def _counted(evidence: PairEvidence) -> list[Figure]:
    found = [
        Figure(_("Orders with both"), rounded(evidence.orders, 0)),
        Figure(_("Different customers"), rounded(evidence.customers, 0)),
        Figure(_("Orders with the anchor"), rounded(evidence.anchor_orders, 0)),
        Figure(_("Orders with the offer"), rounded(evidence.offer_orders, 0)),
    ]
    names = {
        "content": _("Likeness of descriptions"),
        "looks": _("Likeness of pictures"),
        "co_seen": _("Looked at by the same visitors"),
    }
    return [*found, *(Figure(names[name], written(value, "percent")) for name, value in evidence.likeness.items())]


def _charts(evidence: PairEvidence) -> list[Chart]:
    charts = []
    if len(evidence.months) > 1:
        rows = [
            Row(
                date_format(month.first, "YEAR_MONTH_FORMAT"),
                [
                    Cell(written(month.both / month.anchor, "percent"), month.both / month.anchor),
                    Cell(rounded(month.both, 0)),
                    Cell(rounded(month.anchor, 0)),
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
        charts.append(Chart("lines", _("How often it is bought with the anchor, month by month"), columns, rows))
    if evidence.contributions:
        rows = [
            Row(signal_label(name) if name else _("All that is known of shoppers"), [Cell(written(value, 3), value)])
            for name, value in evidence.contributions
        ]
        columns = [Column(_("Signal")), Column(_("Added to the log-odds"), drawn=True)]
        caption = _("What speaks for it and against it where nothing is known of the shopper")
        charts.append(Chart("bars", caption, columns, rows, most=SIGNALS_DRAWN))
    return charts


def _orders(evidence: PairEvidence) -> list[tuple[str, str, str]]:
    """Number, day, and address of each order in the shop's own admin, "" where it has none."""
    urls = conf.CATALOG().order_admin_urls([one.order for one in evidence.latest])
    return [(one.order, date_format(one.time, "DATE_FORMAT"), urls.get(one.order, "")) for one in evidence.latest]
