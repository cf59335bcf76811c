"""What a rule would change on real pages, before it is saved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from ..conf import conf
from ..learning.past import Past
from ..models import Category, Item, OfferList, Publication, Rule
from ..serving.customer import Customer
from ..serving.offers import examine
from ..serving.page import Page
from ..serving.registry import strategy_named
from ..serving.rulebook import Rulebook, rulebook
from ..serving.terms import Term, within
from ..serving.variants import Place, Variant, slot_variant
from ..strategies.base import decode_offers

# Pages looked at, so that what a rule changes is found where it changes little.
LOOKED_AT = 60


@dataclass(frozen=True)
class Effect:
    """One block without and with the rule: external ids of its offers, best first. ``of`` is the page's product, or the
    name of a category; None on the pages of the whole shop."""

    strategy: str
    of: Item | str | None
    before: list[str]
    after: list[str]

    @property
    def changed(self) -> bool:
        return self.before != self.after


def preview(rule: Rule, count: int = 10) -> list[Effect]:
    """``count`` blocks that ``rule`` is about, those that it changes first; as if it were in force now.

    The rule need not be saved; one that is stands in for its saved self. Nobody's cart or history is looked at, but the
    shopper is of the rule's segment. Raises what the shop or the database raises.
    """
    term = replace(Term.of(rule), starts=None, ends=None)
    others = tuple(one for one in rulebook().every if one.number != rule.pk)
    found = []
    for strategy, anchor, of in _pages(rule):
        before, after = (_shown(rules, rule, strategy, anchor) for rules in (others, (*others, term)))
        if before or after:
            found.append(Effect(strategy, of, before, after))
        if sum(effect.changed for effect in found) == count:
            break
    return sorted(found, key=lambda effect: not effect.changed)[:count]


def _shown(rules: Sequence[Term], rule: Rule, strategy: str, anchor: Item | Category | None) -> list[str]:
    page = Page(conf.CATALOG(), None)
    page.rulebook = Rulebook.of(rules)
    page.customer = Customer(Past.empty(), [], rule.segment_id, 0, "", {})
    page.known = None
    variant = slot_variant(rule.slot) if rule.slot in conf.SLOTS else Variant((strategy,))
    anchors = [anchor.external_id] if isinstance(anchor, Item) else []
    category = anchor.path if isinstance(anchor, Category) else None
    limit = variant.limit or conf.LIMIT
    found = examine(page, strategy, anchors, limit, category, Place(rule.slot, "", variant))
    return [kept.offer.item for kept in found.kept]


def _pages(rule: Rule) -> Iterator[tuple[str, Item | Category | None, Item | str | None]]:
    """Pages that the rule may change: products (bestsellers first) and categories that have a published list."""
    # None where its slot or strategy has left the settings.
    if rule.slot not in ("", *conf.SLOTS) or rule.strategy not in ("", *conf.STRATEGIES):
        return
    all_of_them = slot_variant(rule.slot).chain if rule.slot else tuple(conf.STRATEGIES)
    strategies = [rule.strategy] if rule.strategy else all_of_them
    publication = Publication.objects.first()
    if publication is None:
        return
    for strategy in strategies:
        lists = OfferList.objects.filter(release=publication.release_id, strategy=strategy)
        if strategy_named(strategy).needs_anchor:
            for item in _items(rule, lists, publication.release_id):
                yield strategy, item, item
            continue
        owners = lists.filter(anchor=None).select_related("category").order_by("category_id")
        for one in owners[:LOOKED_AT]:
            yield strategy, one.category, one.category.path if one.category is not None else None


def _items(rule: Rule, lists: QuerySet[OfferList], release: int) -> list[Item]:
    """Anchors: those of the rule's category, bestsellers first, then whichever have lists."""
    wanted = Item.objects.filter(active=True).defer("description")
    if rule.beside is not None:
        alike = Category.objects.filter(path__startswith=rule.beside.path).values_list("pk", "path")
        wanted = wanted.filter(category__in=[pk for pk, path in alike if within(path, rule.beside.path)])
    everybody = OfferList.objects.filter(release=release, anchor=None, category=None).values_list("offers", flat=True)
    bestsellers = [offer.item for text in everybody[:3] for offer in decode_offers(text)]
    first = {item.external_id: item for item in wanted.filter(external_id__in=bestsellers)}
    listed = wanted.filter(pk__in=lists.filter(anchor__isnull=False).order_by("anchor_id").values("anchor_id"))
    found = [first[name] for name in dict.fromkeys(bestsellers) if name in first]
    return [*found, *listed.exclude(pk__in=[item.pk for item in found]).order_by("pk")[: LOOKED_AT - len(found)]]
