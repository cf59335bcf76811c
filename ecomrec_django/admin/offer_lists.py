"""Offer lists: the offers of each item with their evidence, and the buttons to pin and block them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import DataError
from ..models import OfferList
from ..strategies.base import decode_offers
from .base import strategy_label
from .components.charts import CHART_MEDIA
from .components.filters import OwnerFilter, ReleaseFilter, StrategyFilter
from .components.list_pages import ListsAdmin, PreviewChangeList
from .components.offer_cards import cards_of
from .components.thumbnails import thumbnail
from .decisions import latest_decisions
from .explain import why_page
from .most_shown import decide, most_shown_page
from .pair_evidence import evidence_page
from .review_actions import apply_action, may_review
from .review_queue import REVIEW_MEDIA, next_in_queue


class OfferListChangeList(PreviewChangeList):
    """Previews the offers that shoppers get."""

    def offers_of(self, row: Any) -> list[str]:
        """The offers that are served."""
        return [offer.item for offer in decode_offers(row.offers)]

    def _get_deterministic_ordering(self, ordering: Any) -> list[Any]:
        """Without the primary key, which is unnecessary and would make MariaDB read the whole release."""
        return list(ordering)


@admin.register(OfferList)
class OfferListAdmin(ListsAdmin):
    """Offer lists of a release; the page of each is where staff review it."""

    list_display = ("anchor_picture", "owner", "offered", "length")
    list_filter = (StrategyFilter, ReleaseFilter, OwnerFilter)
    # The orders of the indexes (release, strategy, anchor) and (release, strategy, category).
    ordering = ("strategy", "anchor_id")
    empty_hint = _("No releases yet. Run “manage.py ecomrec_train --publish”.")
    change_form_template = "admin/ecomrec/offerlist/change_form.html"
    change_list_template = "admin/ecomrec/offerlist/change_list.html"
    fields = ("release", "strategy", "anchor", "category")

    def get_ordering(self, request: HttpRequest) -> Any:
        """The order of the index for the selected kind of list."""
        return ("strategy", "category_id") if request.GET.get("beside") == "category" else self.ordering

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The change list of this page."""
        return OfferListChangeList

    def get_urls(self) -> list[URLPattern]:
        """The stock pages, preceded by additional ones."""
        views = {"override": self.override_view, "evidence": self.evidence_view}
        list_urls = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"ecomrec_offerlist_{name}")
            for name, view in views.items()
        ]
        why = path("why/", self.admin_site.admin_view(self.why_view), name="ecomrec_offerlist_why")
        most_shown = path(
            "most-shown/", self.admin_site.admin_view(self.most_shown_view), name="ecomrec_offerlist_most_shown"
        )
        return [why, most_shown, *list_urls, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list as cards with evidence and buttons."""
        offer_list = self.get_object(request, unquote(object_id))
        context = self._page(request, offer_list) if offer_list and self.has_view_permission(request) else {}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _page(self, request: HttpRequest, offer_list: OfferList) -> dict[str, Any]:
        reviews = may_review(request.user)
        (cards,) = cards_of([offer_list])
        pair = urlencode({"strategy": offer_list.strategy, "anchor": offer_list.anchor_id or ""})
        add = reverse(f"{self.admin_site.name}:ecomrec_override_add")
        return {
            "title": str(offer_list.anchor or offer_list.category),
            "subtitle": None,
            "offer_list": offer_list,
            "strategy": strategy_label(offer_list.strategy),
            "anchor_picture": thumbnail(offer_list.anchor, 160),
            "cards": cards,
            "pins": sum(card.pinned for card in cards),
            "reviews": reviews,
            "can_pin": reviews and offer_list.anchor_id is not None,
            "can_pin_another": offer_list.anchor_id is not None and request.user.has_perm("ecomrec.add_override"),
            "pin_another": f"{add}?{pair}",
            "unreviewed": len(offer_list.unreviewed or ()),
            "decisions": latest_decisions(offer_list),
            "next": next_in_queue(offer_list),
            "review_media": REVIEW_MEDIA,
        }

    def override_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Apply a decision: ``POST`` with the offer's id under the name of the action."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        offer_list = self.get_object(request, unquote(object_id))
        if offer_list is None:
            raise Http404(gettext("There is no such list."))
        try:
            messages.success(request, apply_action(request, offer_list))
            following = next_in_queue(offer_list) if "next" in request.GET else None
        except DataError as error:
            messages.error(request, str(error))
            following = None
        back = request.GET.get("back", "")
        if url_has_allowed_host_and_scheme(back, allowed_hosts=None):
            return HttpResponseRedirect(back)
        return self._to(following or offer_list.pk)

    def evidence_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The evidence of one pair, down to the orders with both items."""
        offer_list = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, offer_list):
            raise PermissionDenied
        if offer_list is None:
            raise Http404(gettext("There is no such list."))
        context = evidence_page(request, offer_list, request.GET.get("offer", ""))
        context["media"] = self.media + CHART_MEDIA
        return self.page(request, "admin/ecomrec/offerlist/evidence.html", {"original": offer_list, **context})

    def why_view(self, request: HttpRequest) -> HttpResponse:
        """The "Why and why not" page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = why_page(request, self.admin_site)
        context["media"] = self.media + context["form"].media
        return self.page(request, "admin/ecomrec/offerlist/why.html", context)

    def most_shown_view(self, request: HttpRequest) -> HttpResponse:
        """The items on most product pages; ``POST`` hides or limits one of them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            if not may_review(request.user):
                raise PermissionDenied
            try:
                messages.success(request, decide(request))
            except DataError as error:
                messages.error(request, str(error))
            return HttpResponseRedirect(request.path)
        context = most_shown_page(request)
        return self.page(request, "admin/ecomrec/offerlist/most_shown.html", {"original": None, **context})

    def _to(self, pk: int) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:ecomrec_offerlist_change", args=[pk]))

    @admin.display(description=_("offers"))
    def length(self, offer_list: Any) -> int:
        """Number of offers."""
        return offer_list.length
