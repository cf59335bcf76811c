"""The queue of lists that most need a merchant's eyes: much seen, much changed, little sure."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.forms import Media
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..errors import DataError
from ..models import OfferList, Release, ReviewList
from ..pipeline import decisions
from .base import strategy_label
from .filters import AnyStrategyFilter, ReleaseFilter, published_release
from .lists import ListsAdmin, PreviewChangeList
from .reviewing import may_review

_SCRIPTS: list[Any] = [Script("ecomrec/admin/review.js", defer=True)]
REVIEW_MEDIA = Media(js=_SCRIPTS)


def to_review(release: int | Release) -> QuerySet[OfferList]:
    """The lists of a release that need eyes, those that need them most first."""
    return OfferList.objects.filter(release=release, attention__isnull=False).order_by("-attention", "-pk")


def next_in_queue(offer_list: OfferList) -> int | None:
    """OfferList.pk of the list that most needs eyes beside this one; None if none does."""
    others = to_review(offer_list.release_id).exclude(pk=offer_list.pk)
    return others.values_list("pk", flat=True).first()


class QueueReleaseFilter(ReleaseFilter):
    """The release that is to be published next, if there is one; else the published one."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = super().lookups(request, model_admin)
        published = published_release()
        newer = [one for one in found if published is None or int(one[0]) > published.pk]
        return [*newer, *(one for one in found if one not in newer)]


class QueueChangeList(PreviewChangeList):
    def offers_of(self, row: Any) -> list[str]:
        return row.waiting or []


@admin.register(ReviewList)
class QueueAdmin(ListsAdmin):
    list_display = ("anchor_picture", "owner", "strategy_name", "offered", "new")
    list_filter = (QueueReleaseFilter, AnyStrategyFilter)
    ordering = ("-attention", "-pk")
    empty_hint = _("Nothing waits for you: a training that changes what is offered fills this queue.")
    actions = ("approve",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("ecomrec.view_offerlist")

    def has_review_permission(self, request: HttpRequest) -> bool:
        return may_review(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        lists = super().get_queryset(request).filter(attention__isnull=False)
        return lists.annotate(held=Q(learned__isnull=False)).defer("anchor__description", "offers", "learned")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return QueueChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": _("Lists to review"), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A list is reviewed on its own page."""
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:ecomrec_offerlist_change", args=[object_id]))

    @admin.action(description=_("Approve what is new in the selected lists"), permissions=["review"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        approved = 0
        for row in queryset.order_by("pk"):
            try:
                approved += len(decisions.approve(request.user, row).items)
            except DataError as error:
                messages.warning(request, f"{row.owner}: {error}")
        text = ngettext("%(count)s offer is approved.", "%(count)s offers are approved.", approved)
        messages.success(request, text % {"count": approved})

    @admin.display(description=_("strategy"))
    def strategy_name(self, row: Any) -> str:
        return strategy_label(row.strategy)

    @admin.display(description=_("state"))
    def new(self, row: Any) -> SafeString:
        text = ngettext("%(count)s new", "%(count)s new", row.length) % {"count": row.length}
        if row.held:
            return format_html('{} <span class="ecomrec-badge">{}</span>', text, _("waits for approval"))
        return format_html("{}", text)
