"""Rules, with a preview of their effect on ten real pages before they are saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..insights.rule_preview import RuleEffect, preview_rule
from ..merchandising.rule_matches import CONDITIONS, reset_matches, unmatched_message, unmatched_rules
from ..models import Item, Rule
from .base import CreatorAdmin, named_choices, strategy_label
from .components.figures import format_number, percent
from .components.filters import AnyStrategyFilter
from .components.offer_cards import items_by_id
from .components.thumbnails import thumbnail

PREVIEW = "_preview"
RANGES = (
    ("lowest_price", "highest_price"),
    ("lowest_margin", "highest_margin"),
    ("lowest_stock", "highest_stock"),
    ("starts", "ends"),
)

MOST_WARNINGS = 10
# Conditions of offers and pages: discovery is set for whole blocks.
NOT_OF_BLOCKS = (
    *("item", "anchor_category", "category", "brand", "attribute", "value", "new_days"),
    *(name for names in RANGES[:3] for name in names),
)
# Conditions that a page alone can check.
UNKNOWN_IN_TRAINING = (
    *("slot", "anchor_category", "segment", "attribute", "value", "new_days"),
    *(name for names in RANGES[:3] for name in names),
)


class RuleForm(forms.ModelForm):
    """A rule with valid ranges and shares, and with strategies and slots of the settings."""

    strategy = forms.ChoiceField(label=_("Strategy"), required=False)
    slot = forms.ChoiceField(label=_("Slot"), required=False)
    factor = forms.FloatField(
        label=_("Factor"),
        min_value=0.01,
        max_value=100,
        initial=2.0,
        help_text=_("For a boost: 2 doubles an offer's score, 0.5 halves it."),
    )

    max_share = forms.FloatField(
        label=_("Largest share of pages"),
        min_value=0.0001,
        max_value=1,
        required=False,
        help_text=_(
            "For a limit: the share of product pages, such as 0.05, on which one matching product may be offered. It "
            "takes effect with the next training, and may depend on item, category, brand and strategy alone."
        ),
    )

    discovery = forms.FloatField(
        label=_("Discovery"),
        min_value=0,
        max_value=1,
        required=False,
        help_text=_(
            "For discovery: 0 ranks by what is expected of an offer, 1 prefers what few others buy. It takes effect at "
            "once, for everybody and for known shoppers, and may depend on strategy, slot, segment and period alone; "
            "of several such rules, the latest applies."
        ),
    )

    class Meta:
        model = Rule
        fields = (
            *(
                "name",
                "action",
                "factor",
                "max_share",
                "discovery",
                "strategy",
                "slot",
                "anchor_category",
                "segment",
                "item",
                "category",
                "brand",
            ),
            *("attribute", "value", "new_days", "lowest_price", "highest_price", "lowest_margin", "highest_margin"),
            *("lowest_stock", "highest_stock", "starts", "ends", "active", "note"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, known, label in (("strategy", conf.STRATEGIES, strategy_label), ("slot", conf.SLOTS, str)):
            field = self.fields.get(name)
            # Absent on read-only pages.
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", _("any")), *named_choices(known, getattr(self.instance, name), label)]
        for name in ("lowest_price", "highest_price"):
            if name in self.fields:
                self.fields[name].help_text = _price_help()

    def clean(self) -> dict[str, Any]:
        """Check that ranges are not reversed, margins are shares, and a value has an attribute."""
        cleaned = super().clean() or self.cleaned_data
        for low, high in RANGES:
            if cleaned.get(low) is not None and cleaned.get(high) is not None and cleaned[low] > cleaned[high]:
                self.add_error(high, _("The end of the range must not be below its start."))
        for share in ("lowest_margin", "highest_margin"):
            if cleaned.get(share) is not None and not -10 <= cleaned[share] <= 1:
                self.add_error(share, _("Enter the margin as a share of the price, such as 0.3."))
        if cleaned.get("value") and not cleaned.get("attribute"):
            self.add_error("attribute", _("Enter the attribute that this value belongs to."))
        if cleaned.get("action") == Rule.Action.LIMIT:
            if cleaned.get("max_share") is None and "max_share" not in self.errors:
                self.add_error("max_share", _("Enter the largest share of pages, such as 0.05."))
            for name in UNKNOWN_IN_TRAINING:
                if cleaned.get(name) not in (None, ""):
                    self.add_error(name, _("A limit cannot depend on this."))
        if cleaned.get("action") == Rule.Action.DIAL:
            if cleaned.get("discovery") is None and "discovery" not in self.errors:
                self.add_error("discovery", _("Enter a number from 0 to 1."))
            for name in NOT_OF_BLOCKS:
                if cleaned.get(name) not in (None, ""):
                    self.add_error(name, _("Discovery cannot depend on this."))
        return cleaned


@admin.register(Rule)
class RuleAdmin(CreatorAdmin):
    """Rules that hide, boost or allow offers, with a preview on real pages."""

    form = RuleForm
    list_display = ("name", "action", "where", "what", "when", "active", "note")
    list_filter = ("active", "action", AnyStrategyFilter)
    list_select_related = ("item", "anchor_category", "category", "segment")
    ordering = ("-pk",)
    sortable_by = ()
    autocomplete_fields = ("item", "anchor_category", "category")
    search_fields = ("name", "brand", "note")
    change_form_template = "admin/ecomrec/rule/change_form.html"
    empty_hint = _("No rules yet. Offers follow the trained lists, your pins and your blocks.")
    fieldsets = (
        (None, {"fields": ("name", "action", "factor", "max_share", "discovery", "active")}),
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
                "description": _("An offer must match every field you fill in. Leave all empty to match every offer."),
            },
        ),
        (_("Where and for whom"), {"fields": ("strategy", "slot", "anchor_category", "segment")}),
        (_("When"), {"fields": ("starts", "ends")}),
        (None, {"fields": ("note", "created_by", "created")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        """Rules without long texts of related rows."""
        long = ("segment__profile", "segment__centre", "item__description", "matched_items", "matched_anchors")
        return super().get_queryset(request).defer(*long)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  as Django calls it
        """Save a rule, which under other conditions no longer applies to what it matched under the old ones."""
        super().save_model(request, obj, form, change)
        if not change or set(CONDITIONS) & set(form.changed_data):
            reset_matches(obj)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, with a warning for each rule that matches nothing."""
        if request.method == "GET":
            for rule in unmatched_rules()[:MOST_WARNINGS]:
                messages.warning(request, unmatched_message(rule))
        return super().changelist_view(request, extra_context)

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002  as Django calls it
        **kwargs: Any,
    ) -> type[forms.ModelForm]:
        """The form, or an unsaved variant of it for a preview."""
        form = super().get_form(request, obj, change, **kwargs)
        return _unsaved(form) if PREVIEW in request.POST else form

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """The form, with the effects of the rule if a preview is requested."""
        form = context["adminform"].form
        if request.method == "GET" and form.instance.unmatched_since is not None:
            messages.warning(request, unmatched_message(form.instance))
        if PREVIEW in request.POST and not form.errors:
            context = {**context, "previewed": True, "effects": effects_with_items(preview_rule(form.instance))}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("where"))
    def where(self, rule: Rule) -> str:
        """Where and to whom the rule applies, in words."""
        anchors = _("with %(category)s") % {"category": rule.anchor_category} if rule.anchor_category else ""
        strategy = rule.strategy and strategy_label(rule.strategy)
        parts = [strategy, rule.slot, anchors, rule.segment and str(rule.segment)]
        return " · ".join(str(part) for part in parts if part) or str(_("everywhere"))

    @admin.display(description=_("which offers"))
    def what(self, rule: Rule) -> str:
        """The offers to which the rule applies, in words."""
        parts = [
            str(rule.item or ""),
            str(rule.category or ""),
            rule.brand,
            f"{rule.attribute}: {rule.value}" if rule.value else rule.attribute,
            "" if rule.new_days is None else _("added in the last %(days)s days") % {"days": rule.new_days},
            _range(_("price"), rule.lowest_price, rule.highest_price, conf.CATALOG().base_currency),
            _range(_("margin"), rule.lowest_margin, rule.highest_margin),
            _range(_("stock"), rule.lowest_stock, rule.highest_stock),
        ]
        if rule.action == Rule.Action.LIMIT and rule.max_share is not None:
            share = percent(rule.max_share, 1)
            parts.append(_("at most %(share)s of pages") % {"share": share})
        if rule.action == Rule.Action.DIAL and rule.discovery is not None:
            parts.append(_("discovery %(dial)s") % {"dial": format_number(rule.discovery, 2)})
        return " · ".join(part for part in parts if part) or str(_("every offer"))

    @admin.display(description=_("in effect"), boolean=True)
    def when(self, rule: Rule) -> bool:
        """Whether it is active and within its period."""
        now = timezone.now()
        return rule.active and not (rule.starts and rule.starts > now) and not (rule.ends and rule.ends <= now)


def _range(name: Any, low: Any, high: Any, unit: str = "") -> str:
    if low is None and high is None:
        return ""
    return f"{name} {'' if low is None else low}–{'' if high is None else high} {unit}".rstrip()


def _price_help() -> Any:
    """In what the prices of a rule are."""
    if currency := conf.CATALOG().base_currency:
        return _("List price in %(currency)s, whatever currency, tax or discount a shopper sees.") % {
            "currency": currency
        }
    return _("List price, whatever currency, tax or discount a shopper sees.")


def _unsaved(form: type[forms.ModelForm]) -> type[forms.ModelForm]:
    """The same form, which the admin validates and shows again without saving it."""

    class PreviewForm(form):  # type: ignore[misc, valid-type]
        def is_valid(self) -> bool:
            super().is_valid()
            return False

    return PreviewForm


@dataclass(frozen=True)
class PreviewedOffer:
    """An offer in a preview; ``marked`` if it is added to the block or removed from it."""

    item: Item
    marked: bool

    @property
    def picture(self) -> SafeString:
        """The offer's image."""
        return thumbnail(self.item, 32)


@dataclass(frozen=True, kw_only=True)
class ShownEffect:
    """A `RuleEffect` with its items."""

    strategy: str
    of: Item | str | None
    changed: bool
    before: list[PreviewedOffer]
    after: list[PreviewedOffer]


def effects_with_items(effects: list[RuleEffect]) -> list[ShownEffect]:
    """Effects with their items, without items that no longer exist."""
    items = items_by_id({name for effect in effects for name in (*effect.before, *effect.after)})

    def offers(names: list[str], others: list[str]) -> list[PreviewedOffer]:
        return [PreviewedOffer(items[name], name not in others) for name in names if name in items]

    return [
        ShownEffect(
            strategy=strategy_label(effect.strategy),
            of=effect.of,
            changed=effect.changed,
            before=offers(effect.before, effect.after),
            after=offers(effect.after, effect.before),
        )
        for effect in effects
    ]
