"""Why and why not: what a page would offer to somebody, and which rule or rank keeps every other candidate out."""

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
from ..insights.rules_said import said
from ..models import Item, Override, Segment, Visitor
from ..serving.page import Page
from ..serving.registry import strategy_named
from .base import strategy_label
from .cards import items_by_id
from .evidence import Figure, figures, reason_label
from .pictures import picture

SLOT = "slot:"
# Candidates listed of each strategy, beside those that are shown.
LISTED = 40


class ItemSelect(AutocompleteSelect):
    """Shows nothing chosen for what is no key, instead of failing; the field says what was wrong."""

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        return super().optgroups(name, [one for one in value if str(one).isdecimal()], attr)


class WhyForm(forms.Form):
    """Which page, which block, and who looks at it."""

    item = forms.ModelChoiceField(Item.objects.none(), required=False, label=gettext_lazy("Page of the product"))
    block = forms.ChoiceField(label=gettext_lazy("Slot or strategy"))
    segment = forms.ModelChoiceField(
        Segment.objects.defer("profile", "centre"),
        required=False,
        label=gettext_lazy("Seen by somebody of the segment"),
    )
    visitor = forms.CharField(
        required=False, max_length=64, label=gettext_lazy("Seen by the visitor (their key)"), widget=forms.TextInput
    )
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
        cleaned = super().clean() or self.cleaned_data
        key = cleaned.get("visitor", "").strip()
        cleaned["visitor"] = Visitor.objects.filter(key__startswith=key).first() if key else None
        if key and cleaned["visitor"] is None:
            self.add_error("visitor", _("There is no visitor with this key."))
        block = cleaned.get("block", "")
        if block and not block.startswith(SLOT) and strategy_named(block).needs_anchor and not cleaned.get("item"):
            self.add_error("item", _("This block stands beside a product: choose one."))
        return cleaned


@dataclass(frozen=True)
class Candidate:
    """One candidate, ready to be read."""

    verdict: Verdict
    item: Item | None
    outcome: str
    reason: str
    figures: list[Figure]

    @property
    def picture(self) -> SafeString:
        return picture(self.item, 48)


@dataclass(frozen=True)
class ShownBlock:
    """One strategy's candidates: those shown, and the others with what keeps them out."""

    label: str
    fills: bool
    shown: list[Candidate]
    others: list[Candidate]
    hidden: int


def why_page(request: HttpRequest, admin_site: Any) -> dict[str, Any]:
    """The context of the page that answers the query's form."""
    sees_visitors = request.user.has_perm("ecomrec.view_visitor")
    given = {"block": f"{SLOT}{next(iter(conf.SLOTS), '')}", **request.GET.dict()}
    form = WhyForm(given if request.GET else None, initial=given, admin_site=admin_site, sees_visitors=sees_visitors)
    context: dict[str, Any] = {"title": _("Why, and why not"), "form": form, "blocks": None, "why_not": None}
    if not form.is_bound or not form.is_valid():
        return context
    asked = form.cleaned_data
    anchors = [asked["item"].external_id] if asked["item"] else []
    try:
        segment = asked["segment"].pk if asked["segment"] else None
        page = page_for(segment, asked.get("visitor"))
        slot = asked["block"].removeprefix(SLOT) if asked["block"].startswith(SLOT) else ""
        found = _explained(page, slot, asked["block"], anchors, asked.get("visitor"))
        context["blocks"] = [_shown(one) for one in found]
        if asked["other"]:
            context["why_not"] = _why_not(page, slot, found, anchors, asked["other"])
    except EcomrecError as error:
        form.add_error(None, str(error))
    return context


def _explained(page: Page, slot: str, block: str, anchors: list[str], visitor: Visitor | None) -> list[Explanation]:
    if slot:
        return explain_slot(page, slot, anchors, visitor.key if visitor is not None else "")
    return [explain(page, block, anchors)]


def outcome(verdict: Verdict, limit: int) -> str:
    """What became of a candidate, in words."""
    if verdict.place is not None:
        return _("Shown in place %(place)s") % {"place": verdict.place}
    if verdict.rule:
        return said(verdict.rule)
    return _("Sound, but %(limit)s better ones fill the block") % {"limit": limit}


def _shown(one: Explanation) -> ShownBlock:
    others = [verdict for verdict in one.verdicts if verdict.place is None]
    listed = [*one.shown, *others[:LISTED]]
    items = items_by_id(verdict.offer.item for verdict in listed)
    cards = [
        Candidate(
            verdict,
            items.get(verdict.offer.item),
            outcome(verdict, one.limit),
            verdict.sentence or reason_label(verdict.offer.reason),
            figures(verdict.offer),
        )
        for verdict in listed
    ]
    shown = len(one.shown)
    return ShownBlock(
        strategy_label(one.strategy), one.fills, cards[:shown], cards[shown:], max(len(others) - LISTED, 0)
    )


def _why_not(page: Page, slot: str, found: list[Explanation], anchors: list[str], other: Item) -> list[tuple[str, str]]:
    """For each strategy asked: its name, and what became of the other product."""
    answers = []
    for one in found:
        verdict = one.of(other.external_id)
        if verdict is None:
            beside = anchors if strategy_named(one.strategy).needs_anchor else []
            text = said(why_absent(page, one.strategy, beside, other.external_id, slot))
        else:
            text = _("%(outcome)s (rank %(rank)s)") % {"outcome": outcome(verdict, one.limit), "rank": verdict.rank}
            if verdict.place is not None and not one.fills:
                text = _("It would be shown, but another strategy fills the slot first")
        answers.append((strategy_label(one.strategy), text))
    return answers
