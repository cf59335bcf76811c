"""Random histories of a catalog, and what rules and lists hold after each.

Categories are renamed, moved, translated, removed and made anew, products come, go and replace each other, and syncs
happen at random moments, in any language. HISTORIES: how many are tried.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import count

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import translation
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from ecomrec_django.catalog.adapter import Catalog, ItemFacts
from ecomrec_django.catalog.categories import category_digests
from ecomrec_django.models import Category, Item, Rule
from ecomrec_django.models.catalog import CATEGORY_SEPARATOR, aisle_path, within
from ecomrec_django.serving.rulebook import read_rulebook
from ecomrec_django.tasks import run_sync
from ecomrec_django.testing import override_ecomrec

FEW = 8
HISTORIES = int(os.environ.get("HISTORIES", FEW))
LANGUAGES = ("en", "de", "zh-hans")


@dataclass(eq=False)
class Node:
    """A category of the shop, whose name follows the language."""

    word: str
    parent: Node | None
    pk: int

    @property
    def name(self):
        language = translation.get_language() or "en"
        return self.word if language.startswith("en") else f"{self.word} ({language})"

    def branch(self):
        return [*(self.parent.branch() if self.parent else []), self]

    def path(self):
        with translation.override(django_settings.LANGUAGE_CODE):
            return tuple(node.name for node in self.branch())


@dataclass(eq=False)
class Thing:
    """A product of the shop."""

    sku: str
    node: Node | None
    replaces: str = ""


@dataclass(eq=False)
class Expected:
    """What a rule that hides a category has to hide."""

    row: Rule
    node: Node
    path: str
    former: set[str]
    unmatched: bool = False


@dataclass
class Shop:
    keyed: bool = True
    nodes: list[Node] = field(default_factory=list)
    things: dict[str, Thing] = field(default_factory=dict)


SHOP = Shop()


class RandomCatalog(Catalog):
    def items(self):
        return iter(list(SHOP.things.values()))

    def external_id(self, product):
        return product.sku

    def category_key(self, category):
        return str(category.pk) if SHOP.keyed else ""

    def describe(self, product):
        return ItemFacts(
            external_id=product.sku,
            title=product.sku,
            category=self.category_path(product.node),
            category_keys=self.category_keys(product.node),
            replaces=product.replaces,
        )


class Histories(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.override = override_ecomrec(CATALOG="tests.catalog.test_random_catalogs.RandomCatalog")
        self.override.enable()
        self.numbers, self.gone = count(1), {}
        self.rules: list[Expected] = []
        self.hidden_items: list[str] = []
        self.rows: dict[Node, int] = {}
        self.mirrored: set[str] = set()

    def teardown(self):
        try:
            self.sync("en")
        finally:
            self.override.disable()
            transaction.set_rollback(True)
            self.atomic.__exit__(None, None, None)

    # -- what the shop does -----------------------------------------------------------------------------------------

    @initialize(keyed=st.booleans())
    def open(self, keyed):
        SHOP.keyed, SHOP.nodes, SHOP.things = keyed, [], {}
        for _ in range(3):
            self.add_category(None)
        for number in (0, 0, 1, 1, 2):
            self.add_product(number)
        self.sync("en")

    def pick(self, number):
        return SHOP.nodes[number % len(SHOP.nodes)] if SHOP.nodes else None

    def thing(self, number):
        return list(SHOP.things.values())[number % len(SHOP.things)]

    places = st.integers(0, 50)

    @rule(parent=st.none() | places)
    def add_category(self, parent):
        number = next(self.numbers)
        SHOP.nodes.append(Node(f"c{number}", None if parent is None else self.pick(parent), number))

    @precondition(lambda self: SHOP.nodes)
    @rule(which=places)
    def rename(self, which):
        self.pick(which).word = f"c{next(self.numbers)}"

    @precondition(lambda self: SHOP.nodes)
    @rule(which=places, below=st.none() | places)
    def move(self, which, below):
        node, parent = self.pick(which), None if below is None else self.pick(below)
        if parent is None or node not in parent.branch():
            node.parent = parent

    @precondition(lambda self: SHOP.nodes)
    @rule(which=places)
    def remove_category(self, which):
        node = self.pick(which)
        SHOP.nodes.remove(node)
        for each in SHOP.nodes:
            each.parent = node.parent if each.parent is node else each.parent
        for thing in SHOP.things.values():
            thing.node = node.parent if thing.node is node else thing.node

    @precondition(lambda self: SHOP.keyed)
    @rule()
    def make_all_categories_anew(self):
        self.sync("en")
        # Of those without products, nothing would tell that they are the same.
        for node in dict.fromkeys(node for t in SHOP.things.values() if t.node for node in t.node.branch()):
            node.pk = next(self.numbers)
        self.sync("de")

    @rule(which=places)
    def add_product(self, which):
        sku = f"p{next(self.numbers)}"
        SHOP.things[sku] = Thing(sku, self.pick(which))

    @precondition(lambda self: SHOP.things)
    @rule(which=places, into=st.none() | places)
    def move_product(self, which, into):
        self.thing(which).node = None if into is None else self.pick(into)

    @precondition(lambda self: SHOP.things)
    @rule(which=places)
    def delete_product(self, which):
        thing = self.thing(which)
        self.gone[thing.sku] = SHOP.things.pop(thing.sku)

    @precondition(lambda self: self.gone)
    @rule(which=places)
    def bring_back(self, which):
        thing = self.gone.pop(list(self.gone)[which % len(self.gone)])
        thing.node = thing.node if thing.node in SHOP.nodes else None
        SHOP.things[thing.sku] = thing

    @precondition(lambda self: SHOP.things)
    @rule(which=places, stays=st.booleans())
    def replace_product(self, which, stays):
        old = self.thing(which)
        sku = f"p{next(self.numbers)}"
        SHOP.things[sku] = Thing(sku, old.node, old.sku)
        if not stays:
            self.gone[old.sku] = SHOP.things.pop(old.sku)

    # -- what staff do ----------------------------------------------------------------------------------------------

    @rule(which=places)
    def hide_category(self, which):
        row = Category.objects.order_by("pk")[which % Category.objects.count()]
        node = next((node for node, pk in self.rows.items() if pk == row.pk), None)
        mirrored = {
            name
            for name, path in Item.objects.filter(active=True).values_list("external_id", "category__path")
            if path and within(path, row.path)
        }
        if mirrored and node is not None:
            made = Rule.objects.create(name=row.path[:80], action="hide", category=row)
            self.rules.append(Expected(made, node, row.path, mirrored))

    @precondition(lambda self: SHOP.things)
    @rule(which=places)
    def hide_product(self, which):
        thing = self.thing(which)
        item = Item.objects.filter(external_id=thing.sku).first()
        if item is not None:
            Rule.objects.create(name=thing.sku, action="hide", item=item)
            self.hidden_items.append(thing.sku)

    # -- what has to be so ------------------------------------------------------------------------------------------

    @rule(language=st.sampled_from(LANGUAGES))
    def sync(self, language):
        with translation.override(language):
            run_sync()
        self.mirrored |= SHOP.things.keys()
        self.check_mirror()
        self.check_rules()
        self.check_categories()

    def check_mirror(self):
        mirror = dict(Item.objects.filter(active=True).values_list("external_id", "category__path"))
        assert mirror == {
            sku: CATEGORY_SEPARATOR.join(thing.node.path()) if thing.node else None
            for sku, thing in SHOP.things.items()
        }
        for row in Category.objects.filter(items__active=True).select_related("aisle", "parent"):
            path = tuple(row.path.split(CATEGORY_SEPARATOR))
            assert row.aisle.path == CATEGORY_SEPARATOR.join(aisle_path(path))
            assert (row.parent.path if row.parent else "") == CATEGORY_SEPARATOR.join(path[:-1])

    def check_rules(self):
        expected = set()
        for each in self.rules:
            if SHOP.keyed:
                current = {sku for sku, thing in SHOP.things.items() if thing.node and each.node in thing.node.branch()}
            else:
                paths = {sku: CATEGORY_SEPARATOR.join(t.node.path()) for sku, t in SHOP.things.items() if t.node}
                current = {sku for sku, path in paths.items() if within(path, each.path)}
            former = each.former & SHOP.things.keys()
            each.unmatched = not current or (each.unmatched and not former <= current)
            if not each.unmatched:
                each.former = current
            expected |= current | former if each.unmatched else current
            each.row.refresh_from_db()
            assert (each.row.unmatched_since is not None) == each.unmatched
        for sku in self.hidden_items:
            meant, waiting = set(), [sku]
            while waiting:
                name = waiting.pop()
                # What came and went between two syncs was never known.
                if name not in meant and name in self.mirrored:
                    meant.add(name)
                    waiting += [t.sku for t in [*SHOP.things.values(), *self.gone.values()] if t.replaces == name]
            expected |= meant & SHOP.things.keys()
        rulebook = read_rulebook()
        attributes = rulebook.item_attributes(SHOP.things)
        active = rulebook.active_rules("bought_with").for_anchors([], attributes)
        assert {sku for sku in SHOP.things if active.violation(sku)} == expected

    def check_categories(self):
        """Lists and segments refer to rows, and pages look them up in any language."""
        rows = {row.digest: row.pk for row in Category.objects.all()}
        for thing in SHOP.things.values():
            for node in thing.node.branch() if thing.node else []:
                found = set()
                for language in LANGUAGES:
                    with translation.override(language):
                        found.add(next(rows[d] for d in category_digests(RandomCatalog(), node) if d in rows))
                assert len(found) == 1
                if SHOP.keyed and node in self.rows:
                    assert found == {self.rows[node]}
                self.rows[node] = found.pop()


@pytest.mark.django_db
def test_rules_and_lists_hold_whatever_becomes_of_a_catalog():
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=25,
            deadline=None,
            derandomize=HISTORIES <= FEW,
            # To shorten a history takes minutes, and says little more.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
