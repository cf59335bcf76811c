"""What rules match in the mirror, so that none loses its effect unnoticed.

A shop may give up a category, a brand or an attribute that a rule names. Such a rule goes on applying to what it
matched before, and whoever runs the shop is told, until somebody gives it other conditions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from ..models import Category, Item, Rule
from ..models.catalog import within

# Conditions that a catalog may leave without a match; an item that is gone may come back.
CONDITIONS = ("item", "category", "brand", "attribute", "value", "anchor_category")
REMEMBERED = ("matched_items", "matched_anchors", "unmatched_since")


class MirrorMatches:
    """Which active items of the mirror match rules, whatever their price, stock and age are."""

    def items(self, rule: Rule) -> list[str]:
        """External ids of the items that meet a rule's conditions, sorted; empty for a rule without any."""
        if not _describes_items(rule):
            return []
        items = Item.objects.filter(active=True)
        if rule.category is not None:
            items = items.filter(category__in=self._below(rule.category))
        if rule.brand:
            items = items.filter(brand__in=self._spellings[rule.brand.casefold()])
        if not rule.attribute:
            return sorted(items.values_list("external_id", flat=True))
        rows = items.values_list("external_id", "attributes").iterator(chunk_size=10_000)
        return sorted(name for name, attributes in rows if _has_attribute(attributes, rule))

    def anchors(self, rule: Rule) -> list[str]:
        """External ids of the items beside which a rule holds, sorted; empty for a rule that holds everywhere."""
        if rule.anchor_category is None:
            return []
        items = Item.objects.filter(active=True, category__in=self._below(rule.anchor_category))
        return sorted(items.values_list("external_id", flat=True))

    def _below(self, category: Category) -> list[int]:
        return [pk for pk, path in self._paths if within(path, category.path)]

    @cached_property
    def _spellings(self) -> defaultdict[str, list[str]]:
        """The brands of the mirror as they are written, by their case-folded name."""
        spellings: defaultdict[str, list[str]] = defaultdict(list)
        for brand in Item.objects.order_by().values_list("brand", flat=True).distinct():
            spellings[brand.casefold()].append(brand)
        return spellings

    @cached_property
    def _paths(self) -> list[tuple[int, str]]:
        return list(Category.objects.values_list("pk", "path"))


def watched_rules() -> QuerySet[Rule]:
    """The active rules whose conditions the catalog may leave without a match."""
    conditions = Q(category__isnull=False) | Q(anchor_category__isnull=False) | ~Q(brand="") | ~Q(attribute="")
    return Rule.objects.filter(conditions, active=True, item=None).select_related("category", "anchor_category")


def unmatched_rules() -> QuerySet[Rule]:
    """The active rules that match nothing in the catalog."""
    return watched_rules().filter(unmatched_since__isnull=False)


def remember_matches() -> None:
    """Before a sync: store what rules match that were written since the last one."""
    matches = MirrorMatches()
    for rule in watched_rules().filter(unmatched_since=None):
        if not (rule.matched_items or rule.matched_anchors):
            _store(rule, matches.items(rule), matches.anchors(rule))


def review_matches() -> list[Rule]:
    """After a sync: store what rules match now, and return those that have come to match nothing since the last one."""
    matches, lost = MirrorMatches(), []
    active: set[str] | None = None
    for rule in watched_rules():
        items, anchors = matches.items(rule), matches.anchors(rule)
        is_matched = bool(items or not _describes_items(rule)) and bool(anchors or rule.anchor_category is None)
        if is_matched and rule.unmatched_since is not None:
            # Until all that it matched before are back, one new product must not set the others free.
            if active is None:
                active = set(Item.objects.filter(active=True).values_list("external_id", flat=True))
            is_matched = not (
                (set(rule.matched_items) & active) - set(items) or (set(rule.matched_anchors) & active) - set(anchors)
            )
        if is_matched:
            _store(rule, items, anchors)
        elif rule.unmatched_since is None:
            rule.unmatched_since = timezone.now()
            rule.save(update_fields=["unmatched_since"])
            lost.append(rule)
    return lost


def reset_matches(rule: Rule) -> None:
    """Forget what a rule matched before: it has been given other conditions."""
    rule.matched_items, rule.matched_anchors, rule.unmatched_since = [], [], None
    rule.save(update_fields=REMEMBERED)
    if watched_rules().filter(pk=rule.pk).exists():
        matches = MirrorMatches()
        _store(rule, matches.items(rule), matches.anchors(rule))


def unmatched_message(rule: Rule) -> str:
    """What to tell of a rule that matches nothing, and what to do about it."""
    if rule.matched_items or rule.matched_anchors:
        return gettext(
            "The rule “%(name)s” matches no product of the catalog any more. It still applies to the products that it "
            "matched before, but to no new ones. Give it another category, brand or attribute, or deactivate it."
        ) % {"name": rule.name}
    return gettext(
        "The rule “%(name)s” matches no product of the catalog, so it has no effect. Give it another category, brand "
        "or attribute, or deactivate it."
    ) % {"name": rule.name}


def _store(rule: Rule, items: Sequence[str], anchors: Sequence[str]) -> None:
    was_unmatched = rule.unmatched_since is not None
    if not was_unmatched and (rule.matched_items, rule.matched_anchors) == (items, anchors):
        return
    rule.matched_items, rule.matched_anchors, rule.unmatched_since = list(items), list(anchors), None
    if was_unmatched:
        rule.save(update_fields=REMEMBERED)
    else:
        # Not `save`, at which all pages would read the rules again.
        Rule.objects.filter(pk=rule.pk).update(matched_items=rule.matched_items, matched_anchors=rule.matched_anchors)


def _describes_items(rule: Rule) -> bool:
    return rule.category is not None or bool(rule.brand or rule.attribute)


def _has_attribute(attributes: object, rule: Rule) -> bool:
    name, value = rule.attribute.casefold(), rule.value.casefold()
    return isinstance(attributes, dict) and any(
        own.casefold() == name and (not value or str(text).casefold() == value) for own, text in attributes.items()
    )
