"""The "Why and why not" page: what a page would offer to a shopper, and what excludes every other candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.admin.widgets import AutocompleteSelect
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..conf import conf
from ..errors import EcomrecError
from ..insights.explain import Explanation, Verdict, explain, explain_slot, page_for, why_absent
from ..insights.rule_messages import rule_message
from ..models import Item, Override, Segment, Visitor
from ..serving.page import Page
from ..serving.registry import strategy_named
from .base import strategy_label
from .components.evidence import reason_label
from .components.offer_cards import items_by_id
from .components.thumbnails import thumbnail

SLOT = "slot:"
# Candidates of each strategy that are listed besides those that are shown.
LISTED = 40


class ItemSelect(AutocompleteSelect):
    """Ignores invalid keys instead of failing; the field reports the error."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        """The options of numeric keys alone."""
        return super().optgroups(name, [key for key in value if str(key).isdecimal()], attr)


class WhyForm(forms.Form):
    """The page, the block and the shopper."""

    item = forms.ModelChoiceField(Item.objects.none(), required=False, label=gettext_lazy("Product page"))
    block = forms.ChoiceField(label=gettext_lazy("Slot or strategy"))
    segment = forms.ModelChoiceField(
        Segment.objects.defer("profile", "centre"),
        required=False,
        label=gettext_lazy("Shopper's segment"),
    )
    visitor = forms.CharField(required=False, max_length=64, label=gettext_lazy("Visitor key"), widget=forms.TextInput)
    other = forms.ModelChoiceField(Item.objects.none(), required=False, label=gettext_lazy("Why not this product?"))

    def __init__(self, *args: Any, admin_site: Any, sees_visitors: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        relations = {"item": Override._meta.get_field("anchor"), "other": Override._meta.get_field("offer")}
        for name, relation in relations.items():
            field: Any = self.fields[name]
            field.queryset = Item.objects.defer("description")
            field.widget = ItemSelect(relation, admin_site)
            field.widget.choices = field.choices
        blocks: Any = self.fields["block"]
        blocks.choices = [
            (_("Slots"), [(f"{SLOT}{name}", name) for name in conf.SLOTS]),
            (_("Strategies"), [(name, strategy_label(name)) for name in conf.STRATEGIES]),
        ]
        if not sees_visitors:
            del self.fields["visitor"]

    def clean(self) -> dict[str, Any]:
        """Find the visitor, and require an item for strategies that need an anchor."""
        cleaned = super().clean() or self.cleaned_data
        key = cleaned.get("visitor", "").strip()
        cleaned["visitor"] = Visitor.objects.filter(key__startswith=key).first() if key else None
        if key and cleaned["visitor"] is None:
            self.add_error("visitor", _("There is no visitor with this key."))
        block = cleaned.get("block", "")
        if block and not block.startswith(SLOT) and strategy_named(block).needs_anchor and not cleaned.get("item"):
            self.add_error("item", _("This block needs a product. Choose one."))
        return cleaned


@dataclass(frozen=True, kw_only=True)
class ExplainedCandidate:
    """One candidate as shown."""

    verdict: Verdict
    item: Item | None
    outcome: str
    reason: str

    @property
    def picture(self) -> SafeString:
        """The candidate's picture."""
        return thumbnail(self.item, 48)


@dataclass(frozen=True, kw_only=True)
class ShownBlock:
    """The candidates of one strategy: those shown, and the others with what excludes them."""

    label: str
    fills: bool
    shown: list[ExplainedCandidate]
    others: list[ExplainedCandidate]
    hidden: int


def why_page(request: HttpRequest, admin_site: Any) -> dict[str, Any]:
    """The context of the page for the form in the query."""
    sees_visitors = request.user.has_perm("ecomrec.view_visitor")
    query = {"block": f"{SLOT}{next(iter(conf.SLOTS), '')}", **request.GET.dict()}
    form = WhyForm(query if request.GET else None, initial=query, admin_site=admin_site, sees_visitors=sees_visitors)
    context: dict[str, Any] = {"title": _("Why and why not"), "form": form, "blocks": None, "why_not": None}
    if not form.is_bound or not form.is_valid():
        return context
    data = form.cleaned_data
    anchors = [data["item"].external_id] if data["item"] else []
    try:
        segment = data["segment"].pk if data["segment"] else None
        page = page_for(segment, data.get("visitor"))
        slot = data["block"].removeprefix(SLOT) if data["block"].startswith(SLOT) else ""
        explanations = _explain(page, slot, data["block"], anchors, data.get("visitor"))
        context["blocks"] = [_shown(explanation) for explanation in explanations]
        if data["other"]:
            context["why_not"] = _why_not(page, slot, explanations, anchors, data["other"])
    except EcomrecError as error:
        form.add_error(None, str(error))
    return context


def _explain(page: Page, slot: str, block: str, anchors: list[str], visitor: Visitor | None) -> list[Explanation]:
    if slot:
        return explain_slot(page, slot, anchors, visitor.key if visitor is not None else "")
    return [explain(page, block, anchors)]


def outcome(verdict: Verdict, limit: int) -> str:
    """The outcome for a candidate, in words."""
    if verdict.place is not None:
        return _("Shown in position %(place)s") % {"place": verdict.place}
    if verdict.violation is not None:
        return rule_message(verdict.violation)
    return _("Eligible, but %(limit)s better offers fill the block") % {"limit": limit}


def _shown(explanation: Explanation) -> ShownBlock:
    others = [verdict for verdict in explanation.verdicts if verdict.place is None]
    listed = [*explanation.shown, *others[:LISTED]]
    items = items_by_id(verdict.offer.item for verdict in listed)
    cards = [
        ExplainedCandidate(
            verdict=verdict,
            item=items.get(verdict.offer.item),
            outcome=outcome(verdict, explanation.limit),
            reason=verdict.sentence or reason_label(verdict.offer.reason),
        )
        for verdict in listed
    ]
    shown = len(explanation.shown)
    return ShownBlock(
        label=strategy_label(explanation.strategy),
        fills=explanation.fills,
        shown=cards[:shown],
        others=cards[shown:],
        hidden=max(len(others) - LISTED, 0),
    )


def _why_not(
    page: Page, slot: str, explanations: list[Explanation], anchors: list[str], other: Item
) -> list[tuple[str, str]]:
    """For each strategy: its label, and the outcome for the other product."""
    answers = []
    for explanation in explanations:
        verdict = explanation.of(other.external_id)
        if verdict is None:
            text = rule_message(why_absent(page, explanation.strategy, anchors, other.external_id, slot))
        else:
            text = _("%(outcome)s (rank %(rank)s)") % {
                "outcome": outcome(verdict, explanation.limit),
                "rank": verdict.rank,
            }
            if verdict.place is not None and not explanation.fills:
                text = _("Would be shown, but another strategy fills the slot first")
        answers.append((strategy_label(explanation.strategy), text))
    return answers
