"""A panel for the shop's own product pages in the admin: what is offered beside the product, with pin and block."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..models import Item, OfferList, Publication
from .base import strategy_label
from .cards import cards_of
from .reviewing import may_review

# Offers of each list.
SHOWN = 6


class EcomrecProductAdminMixin(admin.ModelAdmin):
    """Adds a last section to the page of a product::

        @admin.register(Product)
        class ProductAdmin(EcomrecProductAdminMixin, admin.ModelAdmin): ...

    Shown to staff who may view offer lists; with buttons, to those who may review.
    """

    class Media:
        css = {"all": ["ecomrec/admin/ecomrec.css"]}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        panel = _panel_of(request)
        fieldsets = [
            (name, {**options, "fields": [field for field in options["fields"] if field is not panel]})
            for name, options in super().get_fieldsets(request, obj)
        ]
        return fieldsets if panel is None or obj is None else [*fieldsets, (_("Recommendations"), {"fields": [panel]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        panel = _panel_of(request)
        return [*super().get_readonly_fields(request, obj), *([] if panel is None or obj is None else [panel])]


class Panel:
    """The read-only field, for one request: what it shows turns on who asks."""

    __name__ = "ecomrec_recommendations"
    short_description = _("beside this product")

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __call__(self, product: Any) -> SafeString | str:
        publication = Publication.objects.filter(pk=1).first()
        anchor = Item.objects.filter(external_id=conf.CATALOG().external_id(product)).first()
        if anchor is None or publication is None:
            return str(_("Nothing yet: the product is not in the published release."))
        lists = list(
            OfferList.objects.filter(release=publication.release_id, anchor=anchor)
            .select_related("anchor")
            .order_by("strategy")
        )
        if not lists:
            return str(_("It has no list of its own: the one of its category is shown."))
        cards = zip(lists, cards_of(lists), strict=True)
        shown = [(strategy_label(row.strategy), row, own[:SHOWN]) for row, own in cards]
        context = {"lists": shown, "reviews": may_review(self.request.user), "back": self.request.path}
        return render_to_string("admin/ecomrec/product_panel.html", context)


def _panel_of(request: HttpRequest) -> Panel | None:
    """The same for all that asks in one request; None for who may not see it."""
    if not request.user.has_perm("ecomrec.view_offerlist"):
        return None
    if not hasattr(request, "_ecomrec_panel"):
        request._ecomrec_panel = Panel(request)  # type: ignore[attr-defined]
    return request._ecomrec_panel  # type: ignore[attr-defined]
