"""Preview of the effect of a rule on real pages before it is saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from ..conf import conf
from ..models import Category, Item, OfferList, Publication, Rule
from ..models.catalog import within
from ..serving.page import Page
from ..serving.registry import strategy_named
from ..serving.rulebook import Rulebook, current_rulebook
from ..serving.rules import CompiledRule
from ..serving.selection import examine
from ..serving.shopper_context import ShopperContext
from ..serving.variants import SlotAssignment, Variant, slot_variant
from ..strategies.base import decode_offers

# Pages that are tried, so that effects are found even of rules that change few of them.
MAX_PAGES = 60


@dataclass(frozen=True)
class RuleEffect:
    """One block without and with the rule.

    strategy: strategy of the block
    of: the page's product or the path of its category; None on pages of the whole shop
    before, after: external ids of the block's offers, best first
    """

    strategy: str
    of: Item | str | None
    before: list[str]
    after: list[str]

    @property
    def changed(self) -> bool:
        """Whether offers differ, or their order."""
        return self.before != self.after


def preview_rule(rule: Rule, count: int = 10) -> list[RuleEffect]:
    """``count`` blocks to which ``rule`` applies, changed ones first, as if the rule were in force now.

    The rule may be unsaved; if it is saved, it replaces the stored one. The shopper is of the rule's segment and has
    neither a cart nor a history. Errors of the adapter and of the database are not caught.
    """
    compiled = replace(CompiledRule.of(rule), starts=None, ends=None)
    others = tuple(other for other in current_rulebook().all_rules if other.number != rule.pk)
    effects = []
    for strategy, subject in _pages(rule):
        before, after = (_shown(rules, rule, strategy, subject) for rules in (others, (*others, compiled)))
        if before or after:
            of = subject.path if isinstance(subject, Category) else subject
            effects.append(RuleEffect(strategy=strategy, of=of, before=before, after=after))
        if sum(effect.changed for effect in effects) == count:
            break
    return sorted(effects, key=lambda effect: not effect.changed)[:count]


def _shown(rules: Sequence[CompiledRule], rule: Rule, strategy: str, subject: Item | Category | None) -> list[str]:
    page = Page(catalog=conf.CATALOG())
    page.rulebook = Rulebook.of(rules)
    page.shopper = ShopperContext.stranger(rule.segment_id)
    variant = slot_variant(rule.slot) if rule.slot in conf.SLOTS else Variant(chain=(strategy,))
    anchors = [subject.external_id] if isinstance(subject, Item) else []
    category = subject.path if isinstance(subject, Category) else None
    assignment = SlotAssignment(slot=rule.slot, variant=variant)
    examination = examine(page, strategy, anchors, variant.limit or conf.LIMIT, category, assignment)
    return [eligible.offer.item for eligible in examination.eligible]


def _pages(rule: Rule) -> Iterator[tuple[str, Item | Category | None]]:
    """Pages that the rule may change: products (bestsellers first) and categories with a published list."""
    # None if its slot or strategy is no longer in the settings.
    if rule.slot not in ("", *conf.SLOTS) or rule.strategy not in ("", *conf.STRATEGIES):
        return
    strategies = slot_variant(rule.slot).chain if rule.slot else tuple(conf.STRATEGIES)
    if rule.strategy:
        strategies = (rule.strategy,)
    publication = Publication.objects.current().select_related("release").first()
    if publication is None:
        return
    for strategy in strategies:
        lists = OfferList.objects.filter(release=publication.release.shown_release(strategy), strategy=strategy)
        if strategy_named(strategy).needs_anchor:
            for item in _items(rule, lists, publication.release_id):
                yield strategy, item
            continue
        owners = lists.filter(anchor=None).select_related("category").order_by("category_id")
        for row in owners[:MAX_PAGES]:
            yield strategy, row.category


def _items(rule: Rule, lists: QuerySet[OfferList], release: int) -> list[Item]:
    """Anchors in the rule's category: bestsellers first, then others with a list."""
    anchors = Item.objects.filter(active=True).defer("description")
    if rule.anchor_category is not None:
        categories = Category.objects.filter(path__startswith=rule.anchor_category.path).values_list("pk", "path")
        anchors = anchors.filter(
            category__in=[pk for pk, path in categories if within(path, rule.anchor_category.path)]
        )
    shop_lists = OfferList.objects.filter(release=release, anchor=None, category=None).values_list("offers", flat=True)
    bestsellers = [offer.item for text in shop_lists[:3] for offer in decode_offers(text)]
    by_id = {item.external_id: item for item in anchors.filter(external_id__in=bestsellers)}
    first = [by_id[name] for name in dict.fromkeys(bestsellers) if name in by_id]
    listed = anchors.filter(pk__in=lists.filter(anchor__isnull=False).order_by("anchor_id").values("anchor_id"))
    return [*first, *listed.exclude(pk__in=[item.pk for item in first]).order_by("pk")[: MAX_PAGES - len(first)]]
