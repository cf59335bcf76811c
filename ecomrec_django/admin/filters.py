"""Filters of the offer lists; each follows an index and has a default, so that no page lists every release at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..models import OfferList, Profile, Publication, Release, Segment, Visitor
from .base import COUNTED, strategy_label

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices

RELEASES_SHOWN = 10


def published_release() -> Release | None:
    """The release that pages show."""
    publication = Publication.objects.select_related("release").first()
    return publication.release if publication else None


class DefaultedFilter(admin.SimpleListFilter):
    """A filter without "All": the first of its choices holds until another is picked."""

    def choices(self, changelist: Any) -> Iterator[_ListFilterChoices]:
        chosen = self.chosen()
        for value, label in self.lookup_choices:
            yield {
                "selected": value == chosen,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": label,
            }

    def chosen(self) -> str | None:
        """The value picked, or the default; a value that is not offered counts as the default."""
        known = [value for value, _label in self.lookup_choices]
        value = self.value()
        return value if value in known else next(iter(known), None)

    def has_output(self) -> bool:
        """Always: a filter without output would not filter either."""
        return True


class ReleaseFilter(DefaultedFilter):
    """The published release, or one of the latest others."""

    title = _("release")
    parameter_name = "release"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        published = published_release()
        latest = [r for r in Release.objects.filter(complete=True).order_by("-pk")[:RELEASES_SHOWN] if r != published]
        said = _("%(release)s (published)") % {"release": published}
        first = [(str(published.pk), said)] if published else []
        return first + [(str(release.pk), str(release)) for release in latest]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OfferList]) -> QuerySet[OfferList]:
        chosen = self.chosen()
        return queryset.filter(release=int(chosen)) if chosen else queryset.none()


class StrategyFilter(DefaultedFilter):
    """One strategy at a time; the first that is configured to begin with."""

    title = _("strategy")
    parameter_name = "strategy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, strategy_label(name)) for name in conf.STRATEGIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OfferList]) -> QuerySet[OfferList]:
        chosen = self.chosen()
        return queryset.filter(strategy=chosen) if chosen else queryset


class OwnerFilter(DefaultedFilter):
    """Lists of single items, or those of categories and of the whole shop."""

    title = _("what the list stands beside")
    parameter_name = "beside"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("item", _("items")), ("category", _("categories, the whole shop"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OfferList]) -> QuerySet[OfferList]:
        return queryset.filter(anchor__isnull=self.chosen() == "category")


class AnyStrategyFilter(admin.SimpleListFilter):
    """Any strategy, or one."""

    title = _("strategy")
    parameter_name = "strategy"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, strategy_label(name)) for name in conf.STRATEGIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(strategy=self.value()) if self.value() else queryset


class SegmentFilter(admin.SimpleListFilter):
    """Shoppers of one segment: of a large one, as many as can be paged through, newest first."""

    title = _("segment")
    parameter_name = "segment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(segment.pk), str(segment)) for segment in Segment.objects.only("name", "described")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Visitor]) -> QuerySet[Visitor]:
        chosen = self.value()
        if chosen is None:
            return queryset
        if chosen not in [value for value, _label in self.lookup_choices]:
            return queryset.none()
        if request.GET.get(SEARCH_VAR):
            return queryset.filter(profile__segment=int(chosen))
        # Looked up first: joined, a segment of 200,000 would be sorted for every page (1.4 s instead of 0.02 s).
        newest = Profile.objects.filter(segment=int(chosen)).order_by("-pk").values_list("pk", flat=True)
        return queryset.filter(pk__in=list(newest[:COUNTED]))
