"""The review queue: the lists with the most traffic, change and uncertainty first."""

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
from ..merchandising import decisions
from ..models import OfferList, Release, ReviewList
from .base import strategy_label
from .components.filters import AnyStrategyFilter, ReleaseFilter, published_release
from .components.list_pages import ListsAdmin, PreviewChangeList
from .review_actions import may_review

_SCRIPTS: list[Any] = [Script("ecomrec/admin/review.js", defer=True)]
REVIEW_MEDIA = Media(js=_SCRIPTS)


def to_review(release: int | Release) -> QuerySet[OfferList]:
    """The lists of a release that need review, highest priority first."""
    return OfferList.objects.filter(release=release, priority__isnull=False).order_by("-priority", "-pk")


def next_in_queue(offer_list: OfferList) -> int | None:
    """OfferList.pk of the next list to review after this one; None if there is none."""
    others = to_review(offer_list.release_id).exclude(pk=offer_list.pk)
    return others.values_list("pk", flat=True).first()


class QueueReleaseFilter(ReleaseFilter):
    """The next release to publish if there is one, else the published one."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Releases newer than the published one first."""
        releases = super().lookups(request, model_admin)
        published = published_release()
        newer = [choice for choice in releases if published is None or int(choice[0]) > published.pk]
        return [*newer, *(choice for choice in releases if choice not in newer)]


class QueueChangeList(PreviewChangeList):
    """Previews the offers that nobody has reviewed."""

    def offers_of(self, row: Any) -> list[str]:
        """The offers that nobody has reviewed."""
        return row.unreviewed or []


@admin.register(ReviewList)
class QueueAdmin(ListsAdmin):
    """Lists in the order of their review priority."""

    list_display = ("anchor_picture", "owner", "strategy_name", "offered", "new")
    list_filter = (QueueReleaseFilter, AnyStrategyFilter)
    ordering = ("-priority", "-pk")
    empty_hint = _("The review queue is empty. Training fills it with lists whose offers have changed.")
    actions = ("approve",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Who may see offer lists."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may see offer lists."""
        return request.user.has_perm("ecomrec.view_offerlist")

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Who may approve."""
        return may_review(request.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Lists that need review, without their offers."""
        lists = super().get_queryset(request).filter(priority__isnull=False)
        return lists.annotate(held=Q(proposed__isnull=False)).defer("anchor__description", "offers", "proposed")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The change list that reads no more than this page shows."""
        return QueueChangeList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The queue under its own title."""
        return super().changelist_view(request, {"title": _("Review queue"), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A list is reviewed on its own page."""
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:ecomrec_offerlist_change", args=[object_id]))

    @admin.action(description=_("Approve new offers in the selected lists"), permissions=["review"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Approve all new offers of the selected lists."""
        approved = 0
        for row in queryset.order_by("pk"):
            try:
                approved += len(decisions.approve(request.user, row).items)
            except DataError as error:
                messages.warning(request, f"{row.owner}: {error}")
        text = ngettext("%(count)s offer approved.", "%(count)s offers approved.", approved)
        messages.success(request, text % {"count": approved})

    @admin.display(description=_("strategy"))
    def strategy_name(self, row: Any) -> str:
        """The strategy, as staff know it."""
        return strategy_label(row.strategy)

    @admin.display(description=_("state"))
    def new(self, row: Any) -> SafeString:
        """Number of new offers, and whether they are held back."""
        text = ngettext("%(count)s new", "%(count)s new", row.length) % {"count": row.length}
        if row.held:
            return format_html('{} <span class="ecomrec-badge">{}</span>', text, _("pending approval"))
        return format_html("{}", text)
