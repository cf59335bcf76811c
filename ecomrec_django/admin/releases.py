"""Releases: changes, evaluation, publication and rollback."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
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
from ..merchandising.diff import ListStatus, compare_releases, read_lists
from ..models import Publication, Release
from ..pipeline import publish as publishing
from .base import MAX_ROWS, ReadOnlyAdmin, strategy_label
from .components.charts import CHART_MEDIA, mapping
from .components.evaluation_charts import (
    METRICS,
    WITH_INTERVAL,
    case_sentences,
    evaluation_table,
    history_charts,
    latest_evaluated,
    signal_charts,
)
from .components.release_diff import changed_lists, compared_with, count_table, lists_per_strategy
from .components.verdicts import held_back_rows, verdict_rows
from .overview import overview_page
from .review_queue import to_review
from .training_runs import figure_table

PER_PAGE = 20
# Lists of one status that can be paged through.
SAMPLED = 400


class OverruleForm(forms.Form):
    """Which of the strategies that are held back to publish anyway, and why."""

    strategies = forms.MultipleChoiceField(label=_("Strategies"), widget=forms.CheckboxSelectMultiple)
    note = forms.CharField(
        label=_("Reason for publishing anyway"), max_length=255, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any, names: Sequence[str]) -> None:
        super().__init__(data, initial={"strategies": names if len(names) == 1 else []})
        field: Any = self.fields["strategies"]
        field.choices = [(name, strategy_label(name)) for name in names]


class ScheduleForm(forms.Form):
    """The time at which a release is published automatically."""

    # The browser's own field needs no script.
    moment = forms.DateTimeField(
        label=_("When"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    """Releases, with publish, roll back, schedule and comparison."""

    list_display = ("__str__", "published", "complete", "verdict", "lists", "created", "published_at", "run")
    list_select_related = ("run",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_hint = _("No releases yet. Run “manage.py ecomrec_train --publish”.")
    change_form_template = "admin/ecomrec/release/change_form.html"
    fields = ("published", "complete", "created", "published_at", "scheduled_for", "run", "figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        """Releases with whether each is published."""
        published = Publication.objects.filter(release=OuterRef("pk"))
        return super().get_queryset(request).annotate(is_published=Exists(published)).prefetch_related("verdicts")

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Who may publish and roll back; a project may override it."""
        return request.user.has_perm("ecomrec.publish_release")

    def has_overrule_permission(self, request: HttpRequest) -> bool:
        """Who may also publish strategies that the evaluation holds back."""
        return request.user.has_perm("ecomrec.overrule_refusal")

    def get_urls(self) -> list[URLPattern]:
        """The stock pages, preceded by additional ones."""
        views = {
            "publish": self.publish_view,
            "overrule": self.overrule_view,
            "rollback": self.rollback_view,
            "lists": self.lists_view,
            "schedule": self.schedule_view,
        }
        release_urls = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"ecomrec_release_{name}")
            for name, view in views.items()
        ]
        metrics = path("metrics/", self.admin_site.admin_view(self.metrics_view), name="ecomrec_release_metrics")
        overview = path("overview/", self.admin_site.admin_view(self.overview_view), name="ecomrec_release_overview")
        return [metrics, overview, *release_urls, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A release with its changes, evaluation and the buttons that apply."""
        release = self.get_object(request, unquote(object_id))
        context: dict[str, Any] = {}
        if release is not None and self.has_view_permission(request, release):
            publication = Publication.objects.current().select_related("release", "previous").first()
            previous = compared_with(release, publication, request.GET.get("against"))
            may_publish = self.has_publish_permission(request)
            publishable = may_publish and release.complete and publishing.can_publish(release)
            evaluation = mapping(release.evaluation)
            table = evaluation_table(evaluation)
            is_published = publication is not None and publication.release_id == release.pk
            context = {
                "previous": previous,
                "rows": count_table(compare_releases(release, previous)) if previous else [],
                "others": Release.objects.filter(complete=True).exclude(pk=release.pk).order_by("-pk")[:10],
                "verdicts": verdict_rows(release),
                "held_back": held_back_rows(release),
                "can_publish": publishable and not is_published,
                "can_overrule": self._may_overrule(request, release),
                "can_schedule": publishable and not is_published,
                "to_review": to_review(release).order_by()[:MAX_ROWS].count(),
                "roll_back_to": publication.previous if may_publish and is_published and publication else None,
                "evaluated": [table] if table.rows else [],
                "cases": case_sentences(evaluation),
                "signals": signal_charts(evaluation),
                "chart_media": CHART_MEDIA,
            }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def overview_view(self, request: HttpRequest) -> HttpResponse:
        """The overview: health and next steps."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**overview_page(request), "media": self.media + CHART_MEDIA}
        return self.page(request, "admin/ecomrec/release/overview.html", context)

    def schedule_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Schedule the publication of a release, or cancel it."""
        release = self._publishable(request, object_id)
        form = ScheduleForm(
            request.POST if request.method == "POST" else None, initial={"moment": release.scheduled_for}
        )
        context = {
            "title": gettext("Schedule %(release)s") % {"release": release},
            "question": gettext("The task “ecomrec.publish_due” publishes it at this time. Leave empty to cancel."),
            "button": gettext("Save"),
            "form": form,
        }
        if not form.is_valid():
            return self._ask(request, release, context)
        moment = form.cleaned_data["moment"]
        message = (
            gettext("Scheduled for %(moment)s") % {"moment": date_format(timezone.localtime(moment), "DATETIME_FORMAT")}
            if moment
            else gettext("Schedule cancelled")
        )
        return self._confirm(request, release, context, lambda: publishing.schedule(release, moment), message)

    def metrics_view(self, request: HttpRequest) -> HttpResponse:
        """One metric of every method in the latest releases."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        name = request.GET.get("metric", "")
        metric = name if name in WITH_INTERVAL else WITH_INTERVAL[0]
        context = {
            "title": gettext("Quality of recent releases"),
            "metric": metric,
            "meaning": METRICS[metric][2],
            "choices": [(name, METRICS[name][0]) for name in WITH_INTERVAL],
            "charts": history_charts(latest_evaluated(), metric),
            "media": self.media + CHART_MEDIA,
        }
        return self.page(request, "admin/ecomrec/release/metrics.html", context)

    def lists_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The lists that a release gains, loses or changes, in pages."""
        release = self._visible(request, object_id)
        previous = compared_with(release, Publication.objects.current().first(), request.GET.get("against"))
        strategy, kind = request.GET.get("strategy", ""), request.GET.get("change", "")
        if previous is None or kind not in set(ListStatus):
            raise Http404(gettext("There is no release to compare this one with."))
        change = ListStatus(kind)
        counts = {row.strategy: getattr(row, kind) for row in compare_releases(release, previous).strategies}
        if strategy not in counts:
            raise Http404(gettext("Neither release has lists for this strategy."))
        paginator = Paginator(range(min(counts[strategy], SAMPLED)), PER_PAGE)
        page = paginator.get_page(request.GET.get("p"))
        start = (page.number - 1) * PER_PAGE
        lists = read_lists(release, previous, strategy, change)[start : start + PER_PAGE]
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
            "rows": changed_lists(lists, change),
        }
        return self.page(request, "admin/ecomrec/release/lists.html", {"original": release, **context})

    def publish_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then publish this release."""
        release = self._publishable(request, object_id)
        context = {
            "title": gettext("Publish %(release)s?") % {"release": release},
            "question": gettext("From their next page view, shoppers see the lists of this release."),
            "button": gettext("Publish"),
            "held_back": held_back_rows(release),
        }
        return self._confirm(request, release, context, lambda: publishing.publish(release), gettext("Published"))

    def overrule_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Publish strategies that the evaluation holds back, for a reason that is stored."""
        release = self._publishable(request, object_id)
        if not self.has_overrule_permission(request):
            raise PermissionDenied
        names = [verdict.strategy for verdict in release.held_back]
        form = OverruleForm(request.POST if request.method == "POST" else None, names)
        context = {
            "title": gettext("Publish what %(release)s holds back?") % {"release": release},
            "question": gettext("From their next page view, shoppers see the lists of these strategies."),
            "button": gettext("Publish anyway"),
            "held_back": held_back_rows(release),
            "form": form,
        }
        if not form.is_valid():
            return self._ask(request, release, context)
        chosen, note = form.cleaned_data["strategies"], form.cleaned_data["note"]
        done = gettext("Published anyway: %(strategies)s (reason: %(note)s)") % {
            "strategies": ", ".join(map(strategy_label, chosen)),
            "note": note,
        }

        def act() -> None:
            publishing.publish(release, overruled=chosen, overruled_by=request.user, note=note)

        return self._confirm(request, release, context, act, done)

    def _may_overrule(self, request: HttpRequest, release: Release) -> bool:
        allowed = self.has_publish_permission(request) and self.has_overrule_permission(request)
        return allowed and release.complete and bool(release.held_back)

    def rollback_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for confirmation, then publish the previous release again."""
        release = self._publishable(request, object_id)
        publication = Publication.objects.current().select_related("previous").first()
        if publication is None or publication.release_id != release.pk or publication.previous is None:
            messages.error(
                request, gettext("Only the published release can be rolled back, and only if there is a previous one.")
            )
            return self._to(release)
        context = {
            "title": gettext("Roll back to %(release)s?") % {"release": publication.previous},
            "question": gettext("From their next page view, shoppers see the lists of the previous release again."),
            "button": gettext("Roll back"),
        }
        return self._confirm(request, release, context, publishing.rollback, gettext("Rolled back"))

    def _confirm(
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
        """Whether shoppers see it."""
        return release.is_published

    @admin.display(description=_("evaluation"))
    def verdict(self, release: Release) -> SafeString | str:
        """The outcome of its evaluation."""
        outcomes = Counter(verdict.get_outcome_display() for verdict in release.verdicts.all())
        text = " · ".join(f"{label} {count}" for label, count in outcomes.items()) or "–"
        return format_html('<span class="ecomrec-badge ecomrec-failed">{}</span>', text) if release.held_back else text

    @admin.display(description=_("lists"))
    def lists(self, release: Release) -> str:
        """Number of lists by strategy."""
        return " · ".join(f"{strategy_label(name)} {count}" for name, count in lists_per_strategy(release)) or "–"

    @admin.display(description=_("metrics"))
    def figures(self, release: Release) -> SafeString | str:
        """The metrics of training and publication."""
        return figure_table(release.metrics) if release.metrics else "–"
