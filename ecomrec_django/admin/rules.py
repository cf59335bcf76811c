"""The merchant's rules, and what each would change on ten real pages before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..insights.preview import Effect, preview
from ..models import Item, Rule
from .base import EcomrecAdmin, strategy_label
from .cards import items_by_id
from .filters import AnyStrategyFilter
from .pictures import picture

PREVIEW = "_preview"
RANGES = (
    ("lowest_price", "highest_price"),
    ("lowest_margin", "highest_margin"),
    ("lowest_stock", "highest_stock"),
    ("starts", "ends"),
)


class RuleForm(forms.ModelForm):
    """A rule whose ranges have a beginning before their end, and whose names are those of the settings."""

    strategy = forms.ChoiceField(label=_("Strategy"), required=False)
    slot = forms.ChoiceField(label=_("Slot"), required=False)
    factor = forms.FloatField(
        label=_("Factor"),
        min_value=0.01,
        max_value=100,
        initial=2.0,
        help_text=_("Of a boost: 2 doubles an offer's score, 0.5 halves it."),
    )

    class Meta:
        model = Rule
        fields = (
            *("name", "action", "factor", "strategy", "slot", "beside", "segment", "item", "category", "brand"),
            *("attribute", "value", "new_days", "lowest_price", "highest_price", "lowest_margin", "highest_margin"),
            *("lowest_stock", "highest_stock", "starts", "ends", "active", "note"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, known, label in (("strategy", conf.STRATEGIES, strategy_label), ("slot", conf.SLOTS, str)):
            field = self.fields.get(name)
            # Absent on a page that may only be looked at.
            if isinstance(field, forms.ChoiceField):
                names = list(dict.fromkeys([*known, *filter(None, [getattr(self.instance, name)])]))
                field.choices = [("", _("every one")), *((one, label(one)) for one in names)]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for low, high in RANGES:
            if cleaned.get(low) is not None and cleaned.get(high) is not None and cleaned[low] > cleaned[high]:
                self.add_error(high, _("This is less than where it begins."))
        for share in ("lowest_margin", "highest_margin"):
            if cleaned.get(share) is not None and not -10 <= cleaned[share] <= 1:
                self.add_error(share, _("A margin is a share of the price, such as 0.3."))
        if cleaned.get("value") and not cleaned.get("attribute"):
            self.add_error("attribute", _("Name the attribute that has this value."))
        return cleaned


@admin.register(Rule)
class RuleAdmin(EcomrecAdmin):
    form = RuleForm
    list_display = ("name", "action", "where", "what", "when", "active", "note")
    list_filter = ("active", "action", AnyStrategyFilter)
    list_select_related = ("item", "beside", "category", "segment")
    ordering = ("-pk",)
    sortable_by = ()
    autocomplete_fields = ("item", "beside", "category")
    search_fields = ("name", "brand", "note")
    change_form_template = "admin/ecomrec/rule/change_form.html"
    empty_hint = _("No rules: offers are chosen by what was learned, your pins and your blocks alone.")
    readonly_fields = ("created_by", "created")
    fieldsets = (
        (None, {"fields": ("name", "action", "factor", "active")}),
        (
            _("Which offers"),
            {
                "fields": (
                    "item",
                    "category",
                    "brand",
                    ("attribute", "value"),
                    "new_days",
                    ("lowest_price", "highest_price"),
                    ("lowest_margin", "highest_margin"),
                    ("lowest_stock", "highest_stock"),
                ),
                "description": _("An offer has to meet all that you fill in; none filled in means every offer."),
            },
        ),
        (_("Where and for whom"), {"fields": ("strategy", "slot", "beside", "segment")}),
        (_("When"), {"fields": ("starts", "ends")}),
        (None, {"fields": ("note", "created_by", "created")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        return super().get_queryset(request).defer("segment__profile", "segment__centre", "item__description")

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change, **kwargs)
        return _unsaved(form) if PREVIEW in request.POST else form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        if PREVIEW in request.POST and not form.errors:
            context = {**context, "previewed": True, "effects": shown(preview(form.instance))}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        if not change:
            obj.created_by_id = request.user.pk
        super().save_model(request, obj, form, change)

    @admin.display(description=_("where"))
    def where(self, rule: Rule) -> str:
        beside = _("beside %(category)s") % {"category": rule.beside} if rule.beside else ""
        parts = [rule.strategy and strategy_label(rule.strategy), rule.slot, beside, rule.segment and str(rule.segment)]
        return " · ".join(str(part) for part in parts if part) or str(_("everywhere"))

    @admin.display(description=_("which offers"))
    def what(self, rule: Rule) -> str:
        parts = [
            str(rule.item or ""),
            str(rule.category or ""),
            rule.brand,
            f"{rule.attribute}: {rule.value}" if rule.value else rule.attribute,
            "" if rule.new_days is None else _("new within %(days)s days") % {"days": rule.new_days},
            _range(_("price"), rule.lowest_price, rule.highest_price),
            _range(_("margin"), rule.lowest_margin, rule.highest_margin),
            _range(_("stock"), rule.lowest_stock, rule.highest_stock),
        ]
        return " · ".join(part for part in parts if part) or str(_("every offer"))

    @admin.display(description=_("in force"), boolean=True)
    def when(self, rule: Rule) -> bool:
        now = timezone.now()
        return rule.active and not (rule.starts and rule.starts > now) and not (rule.ends and rule.ends <= now)


def _range(name: Any, low: Any, high: Any) -> str:
    if low is None and high is None:
        return ""
    return f"{name} {'' if low is None else low}–{'' if high is None else high}"


def _unsaved(form: type[forms.ModelForm]) -> type[forms.ModelForm]:
    """The same form, which the admin validates and shows again, and does not save."""

    class Previewed(form):  # type: ignore[misc, valid-type]
        def is_valid(self) -> bool:
            super().is_valid()
            return False

    return Previewed


@dataclass(frozen=True)
class ShownOffer:
    """``marked``: whether it leaves the block, or enters it."""

    item: Item
    marked: bool

    @property
    def picture(self) -> SafeString:
        return picture(self.item, 32)


@dataclass(frozen=True)
class ShownEffect:
    """An `Effect` with its items at hand."""

    strategy: str
    of: Item | str | None
    changed: bool
    before: list[ShownOffer]
    after: list[ShownOffer]


def shown(effects: list[Effect]) -> list[ShownEffect]:
    items = items_by_id({name for effect in effects for name in (*effect.before, *effect.after)})

    def offers(names: list[str], others: list[str]) -> list[ShownOffer]:
        return [ShownOffer(items[name], name not in others) for name in names if name in items]

    return [
        ShownEffect(
            strategy_label(one.strategy),
            one.of,
            one.changed,
            offers(one.before, one.after),
            offers(one.after, one.before),
        )
        for one in effects
    ]
