"""A panel for the shop's own product pages in the admin: the product's offers, with buttons to pin and block."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..models import Item, OfferList, Publication
from ..tracking.request_state import request_state
from .base import strategy_label
from .components.offer_cards import cards_of
from .review_actions import may_review

# Offers of each list.
SHOWN = 6


class EcomrecProductAdminMixin(admin.ModelAdmin):
    """Adds a section with the product's offers to the end of its page::

        @admin.register(Product)
        class ProductAdmin(EcomrecProductAdminMixin, admin.ModelAdmin): ...

    It is shown to staff who may view offer lists; those who may review get buttons.
    """

    class Media:
        css = {"all": ["ecomrec/admin/ecomrec.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The shop's fieldsets, and the panel as the last."""
        panel = _panel_of(request)
        fieldsets = [
            (name, {**options, "fields": [field for field in options["fields"] if field is not panel]})
            for name, options in super().get_fieldsets(request, obj)
        ]
        return fieldsets if panel is None or obj is None else [*fieldsets, (_("Recommendations"), {"fields": [panel]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The shop's fields, and the panel."""
        panel = _panel_of(request)
        return [*super().get_readonly_fields(request, obj), *([] if panel is None or obj is None else [panel])]


class Panel:
    """The read-only field, for one request: its content depends on the user."""

    __name__ = "ecomrec_recommendations"
    short_description = _("offers for this product")

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __call__(self, product: Any) -> SafeString | str:
        """The lists that pages show for the product, or a sentence where there are none."""
        publication = Publication.objects.current().select_related("release").first()
        anchor = Item.objects.filter(external_id=conf.CATALOG().external_id(product)).first()
        if anchor is None or publication is None:
            return str(_("None yet. This product is not in the published release."))
        lists = list(
            OfferList.objects.filter(publication.release.shown(), anchor=anchor)
            .select_related("anchor")
            .order_by("strategy")
        )
        if not lists:
            return str(_("This product has no list of its own. The list of its category is shown."))
        cards = zip(lists, cards_of(lists), strict=True)
        panels = [(strategy_label(row.strategy), row, list_cards[:SHOWN]) for row, list_cards in cards]
        context = {"lists": panels, "reviews": may_review(self.request.user), "back": self.request.path}
        return render_to_string("admin/ecomrec/product_panel.html", context)


def _panel_of(request: HttpRequest) -> Panel | None:
    """The panel of a request, always the same object; None for users who may not view it."""
    if not request.user.has_perm("ecomrec.view_offerlist"):
        return None
    return request_state(request).get_or_create(Panel, lambda: Panel(request))
