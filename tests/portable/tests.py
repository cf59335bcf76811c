import os
import re
import subprocess
import sys
import unittest
from collections import deque
from html import unescape
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client, SimpleTestCase, TestCase, TransactionTestCase
from django.urls import reverse
from portable.shop.models import Order, Product
from portable.shop.stock import stock_the_shop

import ecomrec_django
from ecomrec_django import tasks
from ecomrec_django.errors import ConfigurationError
from ecomrec_django.failures import failure_counts
from ecomrec_django.models import Event, Experiment, Impression, Item, Publication, Rule, TrainingRun
from ecomrec_django.serving.model_cache import cached_model
from ecomrec_django.serving.rulebook import Rulebook, set_rulebook
from ecomrec_django.testing import forget_tracking, override_ecomrec, publish_offers
from ecomrec_django.tracking.consent import CONSENT_COOKIE

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# A module that each extra brings.
EXTRAS = {
    "celery": "celery",
    "learn": "duckdb",
    "deep": "tensorflow",
    "mysql": "MySQLdb",
    "postgres": "psycopg",
    "redis": "redis",
}
# Pages of the admin that are opened, at most.
MAX_PAGES = 400


def run(command, *arguments, **options):
    out = StringIO()
    call_command(command, *arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


def having(*extras):
    return unittest.skipUnless(settings.EXTRAS.issuperset(extras), f"needs {extras}")


def lacking(extra):
    return unittest.skipIf(extra in settings.EXTRAS, f"is for installations without {extra}")


def browser(user=None):
    client = Client(HTTP_USER_AGENT=BROWSER)
    client.cookies[CONSENT_COOKIE] = "yes"
    if user:
        client.force_login(user)
    return client


class Environment(SimpleTestCase):
    def test_the_package_is_the_installed_one(self):
        assert "site-packages" in ecomrec_django.__file__

    def test_the_environment_has_the_extras_it_is_to_have_and_no_others(self):
        present = {extra for extra, module in EXTRAS.items() if find_spec(module)}
        assert present == settings.EXTRAS

    def test_a_web_process_loads_none_of_them(self):
        extras = {EXTRAS[extra] for extra in settings.EXTRAS - {"mysql", "postgres"}}
        code = "import django; django.setup(); import portable.urls, sys; print(*sys.modules)"
        loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert not extras & set(loaded.split())


class Shop(TestCase):
    """A shop with a published release: learned where it can be, otherwise made by hand."""

    def setUp(self):
        cache.clear()
        failure_counts.clear()
        # An earlier test's rules went with its transaction.
        set_rulebook(Rulebook())

    def tearDown(self):
        assert not failure_counts

    @classmethod
    def setUpTestData(cls):
        cls.own = stock_the_shop()
        cls.boss = User.objects.create_superuser("boss")
        cls.shopper = User.objects.get(username="customer-0")
        cls.spaghetti = Product.objects.get(title="Spaghetti")
        if "learn" in settings.EXTRAS:
            run("ecomrec_train", publish=True)
            return
        run("ecomrec_sync")
        pks = {product.title: str(product.pk) for product in Product.objects.all()}
        publish_offers(
            {
                "bought_with": {pks["Spaghetti"]: [pks["Tomato sauce"]], pks["Soap"]: [pks["Sponge"]]},
                "upgrade_to": {pks["Spaghetti"]: [pks["Best spaghetti"]]},
                "for_you": {"": [pks["Good 0-0"], pks["Good 0-1"]]},
            }
        )

    def api(self, name, client=None, **query):
        response = (client or browser()).get(reverse(f"ecomrec:{name}"), query)
        assert response.status_code == 200, response.content
        return response.json()

    def test_the_settings_pass_every_check_and_no_migration_is_missing(self):
        run("check", fail_level="WARNING")
        run("makemigrations", "ecomrec", check=True, dry_run=True)

    def test_a_product_page_shows_what_it_is_bought_with(self):
        page = browser().get(self.spaghetti.get_absolute_url()).content.decode()
        assert "Tomato sauce" in page
        assert "Best spaghetti" in page

    def test_the_api_answers_as_the_page_does(self):
        offers = self.api("bought-with", item=str(self.spaghetti.pk))["offers"]
        assert "Tomato sauce" in [offer["title"] for offer in offers]
        offers = self.api("upgrade-to", item=str(self.spaghetti.pk))["offers"]
        assert [offer["title"] for offer in offers] == ["Best spaghetti"]
        assert self.api("for-you")["offers"]
        assert self.api("consent")["agreed"]
        response = browser().get(reverse("ecomrec:slot", args=["product"]), {"item": str(self.spaghetti.pk)})
        assert response.json()["offers"]

    def test_staff_get_explanations_and_reports(self):
        boss = browser(self.boss)
        explained = self.api("explain", boss, strategy="bought_with", item=str(self.spaghetti.pk))
        assert explained["blocks"][0]["candidates"]
        self.api("reports", boss)

    def test_views_impressions_and_clicks_are_recorded(self):
        client = browser()
        page = client.get(self.spaghetti.get_absolute_url()).content.decode()
        assert Event.objects.filter(kind="view_item").count() == 1
        block = unescape(re.search(r'data-ecomrec-block="([^"]+)"', page)[1])
        reports = {"reports": [{"block": block, "seen": [1]}, {"block": block, "clicked": 1}]}
        response = client.post(reverse("ecomrec:beacon"), reports, content_type="application/json")
        assert response.status_code == 204, response.content
        assert Impression.objects.get().clicked is not None
        run("ecomrec_measure")

    def test_a_shopper_exports_and_erases_what_is_stored(self):
        client = browser()
        client.get(self.spaghetti.get_absolute_url())
        assert "view_item" in client.get(reverse("ecomrec:me")).getvalue().decode()
        assert client.delete(reverse("ecomrec:me")).status_code == 200
        assert not Event.objects.filter(kind="view_item").exists()

    def test_a_merchants_rule_holds_at_once(self):
        with self.captureOnCommitCallbacks(execute=True):
            Rule.objects.create(name="No sauce", action="hide", item=Item.objects.get(title="Tomato sauce"))
        assert "Tomato sauce" not in browser().get(self.spaghetti.get_absolute_url()).content.decode()

    def test_an_order_is_imported_as_soon_as_it_is_saved(self):
        with self.captureOnCommitCallbacks(execute=True):
            order = Order.objects.first()
            order.save()
        assert Event.objects.filter(kind="purchase", basket=str(order.pk)).exists()

    def test_no_page_of_the_admin_and_no_link_on_one_fails(self):
        Experiment.objects.create(name="Shuffle", slot="product").arms.create(name="default")
        boss = browser(self.boss)
        boss.get(self.spaghetti.get_absolute_url())
        start = [reverse("admin:index"), reverse("admin:shop_product_change", args=[self.spaghetti.pk])]
        for model in admin.site._registry:
            if model._meta.app_label == "ecomrec":
                start.append(reverse(f"admin:ecomrec_{model._meta.model_name}_changelist"))
                row = model._default_manager.first()
                if row is not None:
                    start.append(reverse(f"admin:ecomrec_{model._meta.model_name}_change", args=[row.pk]))
        seen, queue = set(), deque(start)
        while queue and len(seen) < MAX_PAGES:
            url = queue.popleft()
            # One page of each kind: a list once by each filter, not by each value.
            parts = urlsplit(url)
            kind = (re.sub(r"\d+", "N", parts.path), tuple(sorted(name for name, _ in parse_qsl(parts.query))))
            if kind in seen:
                continue
            seen.add(kind)
            response = boss.get(url)
            assert response.status_code in (200, 302), url
            if "html" in response.headers.get("Content-Type", "") and not response.streaming:
                links = (unescape(link) for link in re.findall(r'href="([^"#]+)"', response.content.decode()))
                queue.extend(
                    found
                    for found in (urljoin(url, link) for link in links)
                    if found.startswith(("/admin/ecomrec/", "/admin/shop/"))
                )
        assert len(seen) > 40

    def test_the_doctor_finds_no_fault(self):
        assert "0 failures" in run("ecomrec_doctor")

    def test_the_other_commands_run(self):
        folder = Path(settings.BASE_DIR)
        events = folder / "events.csv"
        events.write_text(f"event,visitor,item,time\nview_item,abc,{self.spaghetti.pk},2026-01-01T10:00:00Z\n")
        assert "1 imported" in run("ecomrec_import", events)
        requests, output = folder / "requests.csv", folder / "offers.csv"
        requests.write_text(f"request,strategy,items\n1,bought_with,{self.spaghetti.pk}\n")
        run("ecomrec_recommend", requests=requests, output=output)
        assert len(output.read_text().splitlines()) > 1
        run("ecomrec_roles")
        run("ecomrec_publish", due=True)
        run("ecomrec_forget", user=str(self.shopper.pk), interactive=False)

    def test_a_roll_back_shows_the_previous_release_again(self):
        first, url = Publication.objects.get().release, self.spaghetti.get_absolute_url()
        publish_offers({"bought_with": {str(self.spaghetti.pk): [str(self.spaghetti.pk + 3)]}})
        assert "Tomato sauce" not in browser().get(url).content.decode()
        run("ecomrec_rollback")
        assert Publication.objects.get().release == first
        assert "Tomato sauce" in browser().get(url).content.decode()

    @having("learn")
    def test_known_shoppers_are_offered_what_they_always_buy_first(self):
        release = Publication.objects.get().release
        assert cached_model(release.pk, release.digest, wait=True)
        firsts = [
            self.api("for-you", browser(User.objects.get(username=f"customer-{number}")))["offers"][0]["title"]
            for number in range(len(self.own))
        ]
        # What little such a shop teaches lets chance decide now and then.
        assert sum(map(str.__eq__, firsts, self.own)) > 0.85 * len(self.own)

    @having("learn")
    def test_a_release_is_evaluated(self):
        assert "nDCG" in run("ecomrec_evaluate")

    @having("learn")
    def test_what_is_old_is_purged(self):
        run("ecomrec_purge", older_than=1)
        assert not Event.objects.filter(kind="purchase").exists()

    @having("redis")
    def test_what_is_recorded_through_redis_is_drained_into_the_database(self):
        # Not the database of Celery, whose first has other clients.
        address = f"{settings.CELERY_BROKER_URL.rpartition('/')[0]}/{os.getpid() % 14 + 1}"
        with override_ecomrec(SINK="ecomrec_django.tracking.redis_sink.RedisSink", REDIS=address):
            self.addCleanup(forget_tracking)
            browser().get(self.spaghetti.get_absolute_url())
            assert not Event.objects.filter(kind="view_item").exists()
            run("ecomrec_drain", once=True)
        assert Event.objects.filter(kind="view_item").exists()

    @lacking("learn")
    def test_without_the_extra_a_training_says_what_to_install(self):
        with self.assertRaisesMessage(CommandError, "ecomrec-django[learn]"):
            run("ecomrec_train")

    @lacking("celery")
    def test_without_celery_a_task_runs_where_it_is_called_and_says_what_queues_it(self):
        assert "created" in tasks.sync_task()
        with self.assertRaisesMessage(ConfigurationError, "ecomrec-django[celery]"):
            tasks.sync_task.delay()


class Worker(TransactionTestCase):
    @having("celery", "learn")
    def test_a_worker_trains_and_publishes_a_release(self):
        from celery.contrib.testing.worker import start_worker
        from portable.celery_app import app

        stock_the_shop()
        with start_worker(app, pool="solo", perform_ping_check=False):
            result = tasks.train_task.delay(publish=True).get(timeout=120)
        assert TrainingRun.objects.get().pk == result["run"]
        assert Publication.objects.get().release_id == result["release"]
