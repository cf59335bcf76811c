"""Releases: what each one changes, and the merchant's publish and roll back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import EcomrecError
from ..models import Publication, Release
from ..pipeline import publish as publishing
from ..pipeline.diff import Change, diff, lists_of
from .base import COUNTED, ReadOnlyAdmin, strategy_label
from .charts import CHART_MEDIA, mapping
from .diffs import changed_rows, compared_with, count_table, lists_per_strategy
from .evaluations import (
    METRICS,
    WITH_INTERVAL,
    cases_said,
    evaluation_table,
    history_charts,
    latest_evaluated,
    signal_charts,
)
from .overview import overview_page
from .queue import to_review
from .runs import figure_table

PER_PAGE = 20
# Lists of one kind of change that may be looked at one after another.
SAMPLED = 400


class OverruleForm(forms.ModelForm):
    """Why a refused release is published all the same."""

    overruled_note = forms.CharField(
        label=_("Why do you publish it all the same?"), max_length=255, widget=forms.Textarea(attrs={"rows": 3})
    )

    class Meta:
        model = Release
        fields = ("overruled_note",)


class ScheduleForm(forms.Form):
    """When a release is to be published by itself."""

    # The browser's own field needs no script.
    moment = forms.DateTimeField(
        label=_("When"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "published", "complete", "verdict", "lists", "created", "published_at", "run")
    list_select_related = ("run",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = _("No release yet: run “manage.py ecomrec_train --publish”.")
    change_form_template = "admin/ecomrec/release/change_form.html"
    fields = ("published", "complete", "created", "published_at", "scheduled", "run", "figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        published = Publication.objects.filter(release=OuterRef("pk"))
        return super().get_queryset(request).annotate(is_published=Exists(published))

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Who may publish and roll back; a project may override it."""
        return request.user.has_perm("ecomrec.publish_release")

    def has_overrule_permission(self, request: HttpRequest) -> bool:
        """Who may publish, of those who may, a release that its evaluation refused."""
        return request.user.has_perm("ecomrec.overrule_refusal")

    def get_urls(self) -> list[URLPattern]:
        views = {
            "publish": self.publish_view,
            "rollback": self.rollback_view,
            "lists": self.lists_view,
            "schedule": self.schedule_view,
        }
        own = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"ecomrec_release_{name}")
            for name, view in views.items()
        ]
        metrics = path("metrics/", self.admin_site.admin_view(self.metrics_view), name="ecomrec_release_metrics")
        overview = path("overview/", self.admin_site.admin_view(self.overview_view), name="ecomrec_release_overview")
        return [metrics, overview, *own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        release = self.get_object(request, unquote(object_id))
        context: dict[str, Any] = {}
        if release is not None and self.has_view_permission(request, release):
            publication = Publication.objects.select_related("release", "previous").first()
            previous = compared_with(release, publication, request.GET.get("against"))
            may_publish = self.has_publish_permission(request)
            may_overrule = not release.refused or self.has_overrule_permission(request)
            evaluation = mapping(release.evaluation)
            table = evaluation_table(evaluation)
            is_published = publication is not None and publication.release_id == release.pk
            context = {
                "previous": previous,
                "rows": count_table(diff(release, previous)) if previous else [],
                "others": Release.objects.filter(complete=True).exclude(pk=release.pk).order_by("-pk")[:10],
                "can_publish": may_publish and may_overrule and release.complete and not is_published,
                "can_schedule": may_publish and release.complete and not release.refused and not is_published,
                "to_review": to_review(release).order_by()[:COUNTED].count(),
                "roll_back_to": publication.previous if may_publish and is_published and publication else None,
                "evaluated": [table] if table.rows else [],
                "cases": cases_said(evaluation),
                "signals": signal_charts(evaluation),
                "chart_media": CHART_MEDIA,
            }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """Whether everything runs, and what to do next."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**overview_page(request), "media": self.media + CHART_MEDIA}
        return self.page(request, "admin/ecomrec/release/overview.html", context)

    def schedule_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let a release be published by itself at a moment, or no more."""
        release = self._publishable(request, object_id)
        form = ScheduleForm(request.POST if request.method == "POST" else None, initial={"moment": release.scheduled})
        context = {
            "title": gettext("Publish %(release)s later") % {"release": release},
            "question": gettext("It is published by the task “ecomrec.publish_due”; an empty field cancels."),
            "button": gettext("Save"),
            "form": form,
        }
        if not form.is_valid():
            return self._ask(request, release, context)
        moment = form.cleaned_data["moment"]
        said = (
            gettext("To be published at %(moment)s")
            % {"moment": date_format(timezone.localtime(moment), "DATETIME_FORMAT")}
            if moment
            else gettext("Not to be published by itself")
        )
        return self._confirmed(request, release, context, lambda: publishing.schedule(release, moment), said)

    def metrics_view(self, request: HttpRequest) -> HttpResponse:
        """One metric of every method through the last releases."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.get("metric", "")
        metric = asked if asked in WITH_INTERVAL else WITH_INTERVAL[0]
        context = {
            "title": gettext("Quality of the last releases"),
            "metric": metric,
            "meaning": METRICS[metric][2],
            "choices": [(name, METRICS[name][0]) for name in WITH_INTERVAL],
            "charts": history_charts(latest_evaluated(), metric),
            "media": self.media + CHART_MEDIA,
        }
        return self.page(request, "admin/ecomrec/release/metrics.html", context)

    def lists_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The lists that a release gains, loses or changes, a page at a time."""
        release = self._visible(request, object_id)
        previous = compared_with(release, Publication.objects.first(), request.GET.get("against"))
        strategy, kind = request.GET.get("strategy", ""), request.GET.get("change", "")
        if previous is None or kind not in set(Change):
            raise Http404(gettext("There is nothing to compare this release with."))
        change = Change(kind)
        counts = {row.strategy: getattr(row, kind) for row in diff(release, previous).strategies}
        if strategy not in counts:
            raise Http404(gettext("Neither release has lists of this strategy."))
        paginator = Paginator(range(min(counts[strategy], SAMPLED)), PER_PAGE)
        page = paginator.get_page(request.GET.get("p"))
        start = (page.number - 1) * PER_PAGE
        lists = lists_of(release, previous, strategy, change)[start : start + PER_PAGE]
        context = {
            "title": gettext("%(strategy)s: lists %(change)s")
            % {"strategy": strategy_label(strategy), "change": change.label},
            "subtitle": f"{release} – {previous}",
            "previous": previous,
            "strategy": strategy,
            "change": change,
            "total": counts[strategy],
            "sampled": SAMPLED,
            "page": page,
            "rows": changed_rows(lists, change),
        }
        return self.page(request, "admin/ecomrec/release/lists.html", {"original": release, **context})

    def publish_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then show this release to shoppers."""
        release = self._publishable(request, object_id)
        context = {
            "title": gettext("Publish %(release)s?") % {"release": release},
            "question": gettext("From the next page on, shoppers see the lists of this release."),
            "button": gettext("Publish"),
        }
        if release.refused:
            return self._overruled(request, release, context)
        return self._confirmed(request, release, context, lambda: publishing.publish(release), gettext("Published"))

    def _overruled(self, request: HttpRequest, release: Release, context: dict[str, Any]) -> HttpResponse:
        """Publish a refused release, by who may, for a reason that is kept."""
        if not self.has_overrule_permission(request):
            raise PermissionDenied
        form = OverruleForm(request.POST if request.method == "POST" else None)
        context = {**context, "form": form, "refused": release.refused, "button": gettext("Publish all the same")}
        if not form.is_valid():
            return self._ask(request, release, context)
        note = form.cleaned_data["overruled_note"]
        done = gettext("Published although its evaluation refused it, because: %(note)s") % {"note": note}
        return self._confirmed(
            request, release, context, lambda: publishing.publish(release, overruled_by=request.user, note=note), done
        )

    def rollback_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then show the release before the published one again."""
        release = self._publishable(request, object_id)
        publication = Publication.objects.select_related("previous").first()
        if publication is None or publication.release_id != release.pk or publication.previous is None:
            messages.error(request, gettext("Only the published release can be rolled back, and only to a former one."))
            return self._to(release)
        context = {
            "title": gettext("Roll back to %(release)s?") % {"release": publication.previous},
            "question": gettext("From the next page on, shoppers see the lists of the former release again."),
            "button": gettext("Roll back"),
        }
        return self._confirmed(request, release, context, publishing.rollback, gettext("Rolled back"))

    def _confirmed(
        self, request: HttpRequest, release: Release, context: dict[str, Any], act: Callable[[], Any], done: str
    ) -> HttpResponse:
        if request.method != "POST":
            return self._ask(request, release, context)
        try:
            act()
        except EcomrecError as error:
            messages.error(request, str(error))
            return self._to(release)
        self.log_change(request, release, done)
        messages.success(request, gettext("%(done)s: %(release)s.") % {"done": done, "release": release})
        return self._to(release)

    def _visible(self, request: HttpRequest, object_id: str) -> Release:
        release = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, release):
            raise PermissionDenied
        if release is None:
            raise Http404(gettext("There is no such release."))
        return release

    def _publishable(self, request: HttpRequest, object_id: str) -> Release:
        release = self._visible(request, object_id)
        if not self.has_publish_permission(request):
            raise PermissionDenied
        return release

    def _ask(self, request: HttpRequest, release: Release, context: dict[str, Any]) -> HttpResponse:
        return self.page(request, "admin/ecomrec/release/confirm.html", {"original": release, **context})

    def _to(self, release: Release) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:ecomrec_release_change", args=[release.pk]))

    @admin.display(description=_("published"), boolean=True)
    def published(self, release: Any) -> bool:
        return release.is_published

    @admin.display(description=_("evaluation"))
    def verdict(self, release: Release) -> SafeString | str:
        if not release.evaluation and not release.refused:
            return "–"
        if not release.refused:
            return gettext("passed")
        said = gettext("refused, overruled") if release.overruled_note else gettext("refused")
        return format_html('<span class="ecomrec-badge ecomrec-failed">{}</span>', said)

    @admin.display(description=_("lists"))
    def lists(self, release: Release) -> str:
        return " · ".join(f"{strategy_label(name)} {count}" for name, count in lists_per_strategy(release)) or "–"

    @admin.display(description=_("metrics"))
    def figures(self, release: Release) -> SafeString | str:
        return figure_table(release.metrics) if release.metrics else "–"
