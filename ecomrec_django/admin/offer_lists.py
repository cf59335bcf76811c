"""Offer lists: what stands beside each item and why, and the merchant's pin or block in place."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _g
from django.utils.translation import gettext_lazy as _

from ..models import Item, OfferList
from ..strategies.base import decode_offers
from .base import ReadOnlyAdmin, strategy_label
from .cards import cards_of, items_by_id
from .filters import OwnerFilter, ReleaseFilter, StrategyFilter
from .pictures import picture
from .pinning import Pinning
from .search import found_ids

PREVIEWED = 5


class PreviewChangeList(ChangeList):
    """Gives each row the first items it offers, read in one query for the whole page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        offered = {row.pk: [offer.item for offer in decode_offers(row.offers)] for row in self.result_list}
        items = items_by_id(key for keys in offered.values() for key in keys[:PREVIEWED])
        for row in self.result_list:
            row.length = len(offered[row.pk])
            row.preview = [items[key] for key in offered[row.pk][:PREVIEWED] if key in items]


@admin.register(OfferList)
class OfferListAdmin(ReadOnlyAdmin):
    list_display = ("anchor_picture", "owner", "offered", "length")
    list_display_links = ("owner",)
    list_filter = (StrategyFilter, ReleaseFilter, OwnerFilter)
    # The order of the index (release, strategy, anchor).
    ordering = ("strategy", "anchor_id", "pk")
    sortable_by = ()
    search_fields = ("anchor__external_id", "anchor__title")
    search_note = _("Shop's id or title of the item beside which the offers stand")
    empty_hint = _("No release yet: run “manage.py ecomrec_train --publish”.")
    change_form_template = "admin/ecomrec/offerlist/change_form.html"
    fields = ("release", "strategy", "anchor", "category")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OfferList]:
        return (
            super().get_queryset(request).select_related("anchor", "category", "release").defer("anchor__description")
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PreviewChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[OfferList], search_term: str
    ) -> tuple[QuerySet[OfferList], bool]:
        return (queryset.filter(anchor__in=found_ids(search_term)) if search_term.strip() else queryset), False

    def get_urls(self) -> list[URLPattern]:
        override = path(
            "<path:object_id>/override/",
            self.admin_site.admin_view(self.override_view),
            name="ecomrec_offerlist_override",
        )
        return [override, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        offer_list = self.get_object(request, unquote(object_id))
        context = self._page(request, offer_list) if offer_list and self.has_view_permission(request) else {}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _page(self, request: HttpRequest, offer_list: OfferList) -> dict[str, Any]:
        pinning = Pinning(request.user)
        pair = urlencode({"strategy": offer_list.strategy, "anchor": offer_list.anchor_id or ""})
        add = reverse(f"{self.admin_site.name}:ecomrec_override_add")
        return {
            "title": str(offer_list.anchor or offer_list.category),
            "subtitle": None,
            "offer_list": offer_list,
            "strategy": strategy_label(offer_list.strategy),
            "anchor_picture": picture(offer_list.anchor, 160),
            "cards": cards_of(offer_list),
            "can_pin": pinning.can_add and offer_list.anchor_id is not None,
            "can_change": pinning.can_change and offer_list.anchor_id is not None,
            "can_undo": pinning.can_undo and offer_list.anchor_id is not None,
            "pin_another": f"{add}?{pair}",
        }

    def override_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pin, block or undo one pair: ``POST`` with the offer's shop id under the name of what to do."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        offer_list = self.get_object(request, unquote(object_id))
        if offer_list is None or offer_list.anchor is None:
            raise Http404(_g("Only the list of an item can be pinned or blocked in."))
        action = next((name for name in Pinning.ACTIONS if name in request.POST), None)
        offer = Item.objects.filter(external_id=request.POST.get(action or "", "")).first()
        if action is None or offer is None or offer == offer_list.anchor:
            messages.error(request, _g("Nothing was changed: this item cannot be pinned or blocked here."))
        else:
            done = Pinning(request.user).do(action, offer_list, offer)
            messages.success(request, done)
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:ecomrec_offerlist_change", args=[offer_list.pk]))

    @admin.display(description="")
    def anchor_picture(self, offer_list: OfferList) -> SafeString:
        return picture(offer_list.anchor)

    @admin.display(description=_("beside"))
    def owner(self, offer_list: OfferList) -> str:
        return offer_list.owner

    @admin.display(description=_("offered"))
    def offered(self, offer_list: Any) -> SafeString:
        shown = ((item.title, picture(item, 32)) for item in offer_list.preview)
        pictures = format_html_join("", '<span title="{}">{}</span>', shown)
        return format_html('<span class="ecomrec-row">{}</span>', pictures)

    @admin.display(description=_("offers"))
    def length(self, offer_list: Any) -> int:
        return offer_list.length
