"""Requests made up from the OpenAPI schema, right and wrong ones, against the shop in process."""

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import schemathesis
from django.contrib.auth.models import Permission, User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

import ecomrec_django.api.schema  # noqa: F401
from ecomrec_django.models import DailyFigure, Event, Impression, Visitor
from ecomrec_django.serving.tokens import seal_block, seal_item
from ecomrec_django.testing import override_ecomrec, publish_offers
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.visitors import (
    COOKIE,
    HEADER,
    open_token,
    sign_cookie,
    sign_token,
    token_key,
)
from ecomrec_django.urls import urlpatterns
from example_shop.models import Product

from .test_me import plant

ROOT = Path(__file__).resolve().parents[2]
HOST = """
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x",
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth", "django.contrib.contenttypes", "rest_framework", "drf_spectacular", "ecomrec_django"
    ],
    REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"},
    ECOMREC={"CATALOG": "ecomrec_django.catalog.adapter.Catalog"},
    ROOT_URLCONF="ecomrec_django.urls",
)
django.setup()
from drf_spectacular.generators import SchemaGenerator
schema = SchemaGenerator().get_schema(public=True)
print(*(name for name in ("EcomrecBlock", "EcomrecPersonalData") if name in schema["components"]["schemas"]))
"""
EXAMPLES = 60
ANSWERED = {"by", "since", "until", "lines", "shop"}
TOKEN = "a" * 32
COOKIES = {COOKIE: sign_cookie(TOKEN), CONSENT_COOKIE: "yes"}
HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
SLOT, REPORTS = "/ecomrec/api/slots/{slot}/", "/ecomrec/api/reports/"
EXPLAIN, ME, VISITOR = "/ecomrec/api/explain/", "/ecomrec/api/me/", "/ecomrec/api/visitor/"
RECEIPT = "/ecomrec/api/me/receipts/{receipt}/"
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
REQUESTS = [
    ("/ecomrec/beacon/", "POST", RIGHT),
    ("/ecomrec/beacon/", "POST", WRONG),
    ("/ecomrec/api/consent/", "GET", RIGHT),
    ("/ecomrec/api/consent/", "POST", RIGHT),
    ("/ecomrec/api/consent/", "POST", WRONG),
    ("/ecomrec/api/bought-with/", "GET", RIGHT),
    ("/ecomrec/api/bought-with/", "GET", WRONG),
    ("/ecomrec/api/upgrade-to/", "GET", RIGHT),
    ("/ecomrec/api/upgrade-to/", "GET", WRONG),
    ("/ecomrec/api/for-you/", "GET", RIGHT),
    ("/ecomrec/api/for-you/", "GET", WRONG),
    (SLOT, "GET", RIGHT),
    (SLOT, "GET", WRONG),
    (REPORTS, "GET", RIGHT),
    (REPORTS, "GET", WRONG),
    (EXPLAIN, "GET", RIGHT),
    (EXPLAIN, "GET", WRONG),
    (VISITOR, "POST", RIGHT),
    (ME, "GET", RIGHT),
    (ME, "DELETE", RIGHT),
]


@pytest.fixture(autouse=True)
def _shop(db):
    for sku in "abc":
        Product.objects.create(sku=sku, title=sku, price=1)
    publish_offers({"bought_with": {"a": ["b", "c"]}, "for_you": {"": ["a", "b"]}})
    DailyFigure.objects.create(day=timezone.localdate(), strategy="bought_with", impressions=9, orders=1, revenue=2)
    # The end of a request would close the connection that holds this test's transaction.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    with override_ecomrec(THROTTLE=None, BEACON_THROTTLE=None):
        yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def operations(settings):
    settings.REST_FRAMEWORK = {
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    }
    GENERATOR_STATS.reset()
    schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    schema.app = to_its_end(get_wsgi_application())
    return schema


def to_its_end(application):
    """As a server does: reads the answer, then closes it, which is when things are recorded."""

    def answer(environ, start_response):
        with closing(application(environ, start_response)) as response:
            return [b"".join(response)]

    return answer


def signed(body, headers):
    """Every other token is replaced by a true one, which no generator would guess."""
    if len(headers.get(HEADER, "")) % 2:
        headers[HEADER] = sign_token(TOKEN)
    reports = body.get("reports") if isinstance(body, dict) else None
    for report in reports if isinstance(reports, list) else ():
        if isinstance(report, dict):
            if isinstance(report.get("view"), str) and len(report["view"]) % 2:
                report["view"] = seal_item("a")
            if isinstance(report.get("block"), str) and len(report["block"]) % 2:
                report["block"] = seal_block("bought_with", 1, "a", ["b"] * 20)
    return body


@pytest.fixture
def staff(client):
    """The cookies of somebody who may see figures and lists."""
    user = User.objects.create_user("staff", is_staff=True)
    rights = ("view_dailyfigure", "view_offerlist")
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return {name: morsel.value for name, morsel in client.cookies.items()}


def test_the_schema_names_what_slots_and_reports_take_and_give(operations):
    paths = operations.raw_schema["paths"]
    slot, reports = paths[SLOT]["get"], paths[REPORTS]["get"]
    query = {one["name"] for one in slot["parameters"] if one["in"] != "header"}
    assert query == {"slot", "item", "cart", "category", "limit"}
    names = {"by", "since", "until", "form", "strategy", "slot", "arm", "segment", "release"}
    assert {one["name"] for one in reports["parameters"]} == names
    explain = {one["name"]: one["schema"] for one in paths[EXPLAIN]["get"]["parameters"]}
    assert set(explain) == {"strategy", "slot", "item", "segment", "visitor", "why_not"}
    assert "bought_with" in explain["strategy"]["enum"]
    assert set(reports["responses"]["200"]["content"]) == {"application/json", "text/csv"}
    answer = reports["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert set(operations.raw_schema["components"]["schemas"][answer]["properties"]) == ANSWERED


def test_the_schema_is_complete(operations):
    """Every endpoint is in it, and drf-spectacular had to guess nothing."""
    assert not GENERATOR_STATS
    validate_schema(operations.raw_schema)
    paths = {path.removeprefix("/ecomrec/") for path in operations.raw_schema["paths"]}
    assert paths == {str(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(url.pattern))) for url in urlpatterns}
    names = set(operations.raw_schema["components"]["schemas"])
    assert not {name for name in names if not name.startswith("Ecomrec") and not name.endswith("Enum")}


def test_the_schema_says_how_shoppers_are_identified(operations):
    paths = operations.raw_schema["paths"]
    for path, method in ((SLOT, "get"), ("/ecomrec/beacon/", "post"), (ME, "delete")):
        assert paths[path][method]["security"] == [{"jwtAuth": []}, {"cookieAuth": []}, {}]
        headers = {one["name"] for one in paths[path][method]["parameters"] if one["in"] == "header"}
        assert headers == {"X-Ecomrec-Visitor", "X-Ecomrec-Consent"}
    assert paths[REPORTS]["get"]["security"] == [{"cookieAuth": []}]


def test_the_schema_is_that_of_what_is_exported(operations):
    plant(token_key(TOKEN))
    erased = operations[ME]["DELETE"].Case().call(headers=HEADERS, cookies=COOKIES)
    assert erased.status_code == 200
    operations[ME]["DELETE"].validate_response(erased)
    plant(token_key(TOKEN))
    answer = operations[ME]["GET"].Case().call(headers=HEADERS, cookies=COOKIES)
    operations[ME]["GET"].validate_response(answer)
    assert all(answer.json()[name] for name in ("events", "impressions", "conversions", "receipts", "profiles"))
    receipt = operations[RECEIPT]["GET"].Case(path_parameters={"receipt": erased.json()["receipt"]})
    operations[RECEIPT]["GET"].validate_response(receipt.call(headers=HEADERS))


def test_a_project_with_drf_spectacular_has_the_endpoints_in_its_schema_without_more():
    """In a process of its own, which imports nothing of the schema itself."""
    loaded = subprocess.run([sys.executable, "-c", HOST], cwd=ROOT, capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == ["EcomrecBlock", "EcomrecPersonalData"]


@pytest.mark.parametrize(("path", "method", "mode"), REQUESTS)
def test_random_requests_neither_fail_nor_forge_events(path, method, mode, operations, staff):
    answers = set()
    cookies = staff if path in (REPORTS, EXPLAIN) else COOKIES

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(operations[path][method].as_strategy(generation_mode=mode))
    def send(case):
        case.body = signed(case.body, case.headers)
        answer = case.call(headers=HEADERS, cookies=cookies)
        # The answer and its status are among those that the schema names.
        operations[path][method].validate_response(answer)
        answers.add(answer.status_code)

    send()
    assert answers & ({200, 204} if mode is RIGHT else {400})
    assert set(Event.objects.values_list("kind", flat=True)) <= {"view_item", "select_item"}
    assert not Event.objects.exclude(price=None, rating=None, quantity=1).exists()
    known = {token_key(TOKEN), token_key(open_token(sign_token(TOKEN)))}
    assert set(Visitor.objects.values_list("key", flat=True)) <= known
    if (path, mode) == ("/ecomrec/beacon/", RIGHT):
        assert Event.objects.filter(kind="view_item").exists()
        assert Impression.objects.exclude(clicked=None).exists()
