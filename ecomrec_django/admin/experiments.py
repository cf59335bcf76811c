"""Experiments: drafted, started and ended by staff, with their results so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..errors import DataError, EcomrecError
from ..insights import experiments
from ..learning.evaluation.ab_tests import ALPHA, MISMATCH
from ..models import Arm, Experiment
from ..serving.variants import OPTIONS, Variant
from .base import EcomrecAdmin
from .components.charts import CHART_MEDIA, Cell, Chart, Column, Row, mapping, number
from .components.figures import format_number, money
from .components.incremental import incremental_sentence


class ExperimentForm(forms.ModelForm):
    """An experiment on one of the slots of the settings."""

    slot = forms.ChoiceField(label=_("Slot"))
    holdout = forms.FloatField(
        label=_("Holdout"),
        min_value=0,
        max_value=0.5,
        initial=0.1,
        help_text=_(
            "Share of visitors who see no offers in this slot, from 0 to 0.5. All results are measured against them."
        ),
    )

    class Meta:
        model = Experiment
        fields = ("name", "slot", "mode", "objective", "holdout")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("slot")
        # Absent on read-only pages.
        if isinstance(field, forms.ChoiceField):
            names = list(dict.fromkeys([*conf.SLOTS, *filter(None, [self.instance.slot])]))
            field.choices = [(name, name) for name in names]


class ArmForm(forms.ModelForm):
    """An arm, whose options are validated as the slot reads them."""

    weight = forms.FloatField(label=_("Weight"), min_value=0, max_value=1_000, initial=1.0)

    class Meta:
        model = Arm
        fields = ("name", "options", "weight")
        widgets = {"options": forms.Textarea(attrs={"rows": 2, "cols": 50})}
        help_texts = {
            "options": _("JSON object with any of: {names}. An arm without options shows the slot unchanged.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "options" in self.fields:
            self.fields["options"].required = False
            self.fields["options"].help_text = str(self.fields["options"].help_text).format(names=", ".join(OPTIONS))

    def clean_options(self) -> dict[str, Any]:
        """A JSON object of known options."""
        options = self.cleaned_data["options"] or {}
        if not isinstance(options, dict):
            raise forms.ValidationError(_('Enter a JSON object such as {"limit": 6}.'))
        try:
            Variant().changed(options)
        except DataError as error:
            raise forms.ValidationError(str(error)) from error
        return options


class ArmInline(admin.TabularInline):
    """The arms with offers; they are fixed once the experiment has started."""

    model = Arm
    form = ArmForm
    extra = 2
    fields = ("name", "options", "weight")

    def get_queryset(self, request: HttpRequest) -> Any:
        """All arms but the holdout."""
        return super().get_queryset(request).filter(is_holdout=False)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """While the experiment is a draft."""
        return _is_draft(obj) and super().has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """While the experiment is a draft."""
        return _is_draft(obj) and super().has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """While the experiment is a draft."""
        return _is_draft(obj) and super().has_delete_permission(request, obj)


def _is_draft(experiment: Experiment | None) -> bool:
    return experiment is None or experiment.status == Experiment.Status.DRAFT


@admin.register(Experiment)
class ExperimentAdmin(EcomrecAdmin):
    """Drafts, running experiments with their results, and ended ones."""

    form = ExperimentForm
    inlines = (ArmInline,)
    list_display = ("name", "slot", "state", "mode", "objective", "holdout", "started", "ended")
    list_filter = ("status", "mode")
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("name", "slot", "mode", "objective", "holdout")
    change_form_template = "admin/ecomrec/experiment/change_form.html"
    empty_hint = _("No experiments yet. Add one to learn what your offers bring in and which variant performs better.")

    def get_readonly_fields(self, request: HttpRequest, obj: Experiment | None = None) -> Any:
        """All fields except the name, once it has started."""
        # A started experiment keeps the meaning that it had at its start.
        return () if _is_draft(obj) else ("slot", "mode", "objective", "holdout")

    def has_run_permission(self, request: HttpRequest) -> bool:
        """Who may start, end and switch; a project may override it."""
        return request.user.has_perm("ecomrec.run_experiment")

    def get_urls(self) -> list[URLPattern]:
        """The stock pages, preceded by additional ones."""
        views = {"start": self.start_view, "end": self.end_view, "switch": self.switch_view}
        action_urls = [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"ecomrec_experiment_{name}")
            for name, view in views.items()
        ]
        return [*action_urls, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form with results and the buttons that apply."""
        experiment = self.get_object(request, unquote(object_id))
        context: dict[str, Any] = {}
        if experiment is not None and self.has_view_permission(request, experiment):
            may_run = self.has_run_permission(request)
            running = experiment.status == Experiment.Status.RUNNING
            results = mapping(experiment.results)
            broken = number(results.get("mismatch"))
            context = {
                "experiment": experiment,
                "can_start": may_run and experiment.status == Experiment.Status.DRAFT,
                "can_end": may_run and running,
                "can_switch": may_run and running and not experiment.conclusion,
                "results": results,
                "incremental": incremental_sentence(results),
                "broken": broken is not None and broken < MISMATCH,
                "tables": [arms_table(results), outcomes_chart(results)] if results else [],
                "policies": policies(experiment, results),
                "chart_media": CHART_MEDIA,
            }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def start_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Start a draft."""
        return self._act(request, object_id, experiments.start, gettext("Started"))

    def end_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End a running experiment."""
        return self._act(request, object_id, experiments.end, gettext("Ended"))

    def switch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show only one arm, once there is enough evidence about it."""

        def switch(experiment: Experiment) -> None:
            pk = request.POST.get("arm", "")
            arm = experiment.arms.filter(pk=pk).first() if pk.isascii() and pk.isdigit() else None
            if arm is None:
                raise DataError(gettext("There is no such arm."))
            experiments.switch(experiment, arm)

        return self._act(request, object_id, switch, gettext("Switched"))

    def _act(self, request: HttpRequest, object_id: str, act: Callable[[Experiment], None], done: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not (self.has_view_permission(request) and self.has_run_permission(request)):
            raise PermissionDenied
        experiment = self.get_object(request, unquote(object_id))
        if experiment is None:
            raise Http404(gettext("There is no such experiment."))
        try:
            act(experiment)
        except EcomrecError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, experiment, done)
            messages.success(request, f"{done}: {experiment}.")
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:ecomrec_experiment_change", args=[experiment.pk]))

    @admin.display(description=_("status"))
    def state(self, experiment: Experiment) -> SafeString | str:
        """The status as a badge."""
        if experiment.status == Experiment.Status.RUNNING:
            return format_html('<span class="ecomrec-badge ecomrec-done">{}</span>', experiment.get_status_display())
        return experiment.get_status_display()


def arms_table(results: dict[str, Any]) -> Chart:
    """Results attributed to the offers of each arm."""
    columns = [
        Column(gettext("Arm")),
        Column(gettext("Visitors")),
        Column(gettext("Visitor-days"), note=gettext("One visitor on one day.")),
        Column(gettext("Clicks")),
        Column(gettext("Orders")),
        Column(gettext("Attributed revenue")),
        Column(gettext("Margin")),
    ]
    rows = [
        Row(
            _named(row),
            [
                *(Cell(format_number(int(row.get(name, 0)))) for name in COUNT_COLUMNS),
                *(Cell(money(row.get(name, 0))) for name in ("revenue", "margin")),
            ],
        )
        for row in results.get("arms", [])
    ]
    return Chart(kind="table", caption=gettext("Attributed results by arm"), columns=columns, rows=rows)


COUNT_COLUMNS = ("visitors", "days", "clicks", "orders")


def outcomes_chart(results: dict[str, Any]) -> Chart:
    """Total spend per visitor of each arm with its interval, compared with no offers and with the first arm."""
    columns = [
        Column(gettext("Arm")),
        Column(
            gettext("Spend per visitor"), drawn=True, note=gettext("Total spend, whether or not an offer led to it.")
        ),
        Column(gettext("vs no offers")),
        Column(gettext("vs first arm")),
    ]
    rows = []
    for row in results.get("arms", []):
        spent = mapping(row.get("spent"))
        mean, error = number(spent.get("mean")) or 0.0, number(spent.get("error")) or 0.0
        half = 1.96 * error
        rows.append(
            Row(
                _named(row),
                [
                    Cell(f"{money(mean)} ± {money(half)}", mean, mean - half, mean + half),
                    Cell(_against(row.get("against_holdout"))),
                    Cell(_against(row.get("against_first"))),
                ],
            )
        )
    return Chart(kind="bars", caption=gettext("Spend per visitor by arm"), columns=columns, rows=rows)


def _named(row: dict[str, Any]) -> str:
    name = str(row.get("name"))
    return gettext("%(name)s (holdout)") % {"name": name} if row.get("holdout") else name


def _against(difference: Any) -> str:
    """A difference with its always-valid interval."""
    difference = mapping(difference)
    mean, low, high, p = (number(difference.get(name)) for name in ("mean", "low", "high", "p"))
    if mean is None:
        return "–"
    if low is None or high is None:
        return gettext("not enough visitors yet")
    significance = gettext("significant") if p is not None and p < ALPHA else gettext("not significant")
    return f"{_signed(mean)} ({_signed(low)} … {_signed(high)}), {significance}"


def _signed(amount: float) -> str:
    return f"{'+' if amount > 0 else ''}{money(amount)}"


def policies(experiment: Experiment, results: dict[str, Any]) -> list[dict[str, Any]]:
    """Off-policy estimates of each arm with offers, or why there is none."""
    estimates_by_arm = mapping(results.get("policies"))
    arms = []
    for row in results.get("arms", []):
        policy = mapping(estimates_by_arm.get(str(row.get("arm"))))
        if row.get("holdout") or not policy:
            continue
        estimates = [
            (label, mapping(policy[name]))
            for name, label in (
                ("doubly_robust", gettext("estimated with a model")),
                ("snips", gettext("estimated from exposures alone")),
            )
            if name in policy
        ]
        arms.append(
            {
                "arm": row.get("arm"),
                "name": row.get("name"),
                "refused": policy.get("refused", ""),
                "estimates": [
                    f"{format_number(estimate['value'], 4)} ({format_number(estimate['low'], 4)} … "
                    f"{format_number(estimate['high'], 4)}), {label}"
                    for label, estimate in estimates
                ],
            }
        )
    return arms
