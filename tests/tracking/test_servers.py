"""What a shopper's request pays for tracking, under both kinds of server: nothing before the last byte is sent."""

import asyncio
import io
import socket
from typing import NamedTuple

import pytest
from django.contrib.auth import get_user_model
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import post_save
from django.test import Client

from ecomrec_django.models import Event, Item, Visitor
from ecomrec_django.tracking import receivers
from ecomrec_django.tracking.consent import CONSENT_COOKIE
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.omissions import Reason, omitted_count
from ecomrec_django.tracking.visitors import COOKIE, sign_cookie, token_key
from example_shop.models import Order
from tests.tracking.test_middleware import BROWSER

pytestmark = pytest.mark.django_db(transaction=True)
AGREED = {"Cookie": f"{CONSENT_COOKIE}=yes", "User-Agent": BROWSER}
TRACKED = {"page": "sku", "shown": "context:product", "streamed": "sku", "conditional": "sku"}


class Answer(NamedTuple):
    """``before``: what was done before the last byte was out; ``after``: what was done after it."""

    status: int
    headers: dict[str, list[str]]
    body: bytes
    before: list[str]
    after: list[str]


def by_wsgi(log, method, path, query, headers):
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    told = []
    response = WSGIHandler()(environ, lambda status, headers: told.extend((status, headers)))
    body = b"".join(response)
    log.append("sent")
    response.close()
    return int(told[0].split()[0]), told[1], body


def by_asgi(log, method, path, query, headers):
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "server": ("testserver", 80),
    }
    told = []
    asked = []

    async def receive():
        if asked:
            await asyncio.Event().wait()
        asked.append(True)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        told.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            log.append("sent")

    asyncio.run(ASGIHandler()(scope, receive, send))
    headers = [(name.decode(), value.decode()) for name, value in told[0]["headers"]]
    return told[0]["status"], headers, b"".join(message["body"] for message in told[1:] if "body" in message)


@pytest.fixture(params=[by_wsgi, by_asgi], ids=["wsgi", "asgi"])
def ask(request, settings, monkeypatch):
    """Asks for one page, and tells in which order things were done."""
    settings.ROOT_URLCONF = "tests.tracking.urls"
    settings.ECOMREC = {**settings.ECOMREC, "TRACK_VIEWS": TRACKED}
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/0"
    Item.objects.create(external_id="a", title="A", fingerprint="")
    log = []
    execute, connect = CursorWrapper._execute_with_wrappers, socket.socket.connect

    def executed(self, sql, *arguments, **more):
        log.append(sql)
        return execute(self, sql, *arguments, **more)

    def connected(self, address):
        log.append(f"connection to {address}")
        return connect(self, address)

    monkeypatch.setattr(CursorWrapper, "_execute_with_wrappers", executed)
    monkeypatch.setattr(socket.socket, "connect", connected)

    def answer(path, method="GET", query="", headers=AGREED):
        log.clear()
        status, pairs, body = request.param(log, method, path, query, headers)
        found = {}
        for name, value in pairs:
            found.setdefault(name, []).append(value)
        sent = log.index("sent")
        return Answer(status, found, body, log[:sent], log[sent + 1 :])

    return answer


def is_insert(sql: str) -> bool:
    return sql.startswith("INSERT") and "ecomrec_event" in sql.split("(")[0]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize("path", ["/page/a/", "/shown/", "/streamed/a/", "/conditional/a/"])
def test_a_tracked_page_does_its_work_after_the_last_byte(ask, path):
    answer = ask(path)
    assert (answer.status, answer.body) == (200, b"page")
    assert answer.before == []
    assert any(map(is_insert, answer.after))
    assert not any("connection to" in done for done in answer.after)
    assert "Cookie" not in "".join(answer.headers.get("Vary", []))
    assert COOKIE in "".join(answer.headers["Set-Cookie"])
    assert Event.objects.count() == 1


def test_a_view_keeps_its_own_queries_and_gets_no_other(ask):
    answer = ask("/counted/")
    # A new connection of MariaDB says a few things of its own first.
    assert len([sql for sql in answer.before if " FROM " in sql]) == 1
    assert answer.after == []


@pytest.mark.parametrize("path", ["/untracked/a/", "/counted/"])
def test_an_untracked_page_is_as_cacheable_as_before(ask, path):
    answer = ask(path)
    assert not {"Set-Cookie", "Cache-Control"} & answer.headers.keys()
    assert "Cookie" not in "".join(answer.headers.get("Vary", []))
    assert answer.after == []


@pytest.mark.parametrize("first", [True, False], ids=["outside", "inside"])
def test_a_page_that_was_not_modified_is_a_view_too(ask, settings, first):
    """Whichever side of the tracking makes the 304."""
    conditional = "django.middleware.http.ConditionalGetMiddleware"
    settings.MIDDLEWARE = [conditional, *settings.MIDDLEWARE] if first else [*settings.MIDDLEWARE, conditional]
    answer = ask("/page/a/")
    assert Event.objects.count() == 1
    again = ask("/page/a/", headers={**AGREED, "If-None-Match": answer.headers["ETag"][0]})
    assert (again.status, again.body, again.before) == (304, b"", [])
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    ("reason", "headers", "query"),
    [
        (Reason.PREFETCH, {"Sec-Purpose": "prefetch"}, ""),
        (Reason.PREFETCH, {"X-Moz": "prefetch"}, ""),
        (Reason.BOT, {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, ""),
        (Reason.REFUSED, {"Sec-GPC": "1"}, ""),
        (Reason.REFUSED, {"DNT": "1"}, ""),
        (Reason.REFUSED, {"Cookie": ""}, ""),
        (Reason.FAILED, {}, "status=500"),
    ],
    ids=str,
)
def test_ignored_events_are_counted_by_reason(ask, reason, headers, query):
    """``/add/`` says what was done even where it fails; a page that is no page says nothing."""
    answer = ask("/add/a/", method="POST", query=query, headers={**AGREED, **headers})
    assert answer.before == []
    assert omitted_count(reason) == 1
    assert not Event.objects.exists()
    assert not Visitor.objects.exists()
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(("method", "query"), [("POST", ""), ("HEAD", ""), ("GET", "status=404")], ids=str)
def test_other_requests_are_not_counted(ask, method, query):
    answer = ask("/page/a/", method=method, query=query)
    assert answer.before == answer.after == []
    assert not Event.objects.exists()


def test_staff_are_told_after_the_response_and_counted(ask):
    client = Client()
    client.force_login(get_user_model().objects.create_user("boss", is_staff=True))
    cookies = f"{AGREED['Cookie']}; sessionid={client.cookies['sessionid'].value}"
    answer = ask("/page/a/", headers={**AGREED, "Cookie": cookies})
    assert answer.before == []
    assert omitted_count(Reason.STAFF) == 1
    assert not Event.objects.exists()


def test_a_failing_consent_function_is_counted(ask, settings):
    settings.ECOMREC = {**settings.ECOMREC, "CONSENT": lambda request: 1 / 0}
    token = "a" * 32
    Visitor.objects.create(key=token_key(token))
    answer = ask("/page/a/", headers={**AGREED, "Cookie": f"{COOKIE}={sign_cookie(token)}"})
    assert answer.status == 200
    assert "Set-Cookie" not in answer.headers
    assert omitted_count(Reason.LOST) == 1
    assert Visitor.objects.get().excluded_until is None


@pytest.fixture
def prompt_orders(settings):
    """Orders are imported as they are saved."""
    settings.ECOMREC = {**settings.ECOMREC, "CATALOG": "tests.support.tracking_catalogs.PromptCatalog"}
    receivers.connect()
    yield
    post_save.disconnect(sender=Order, dispatch_uid="ecomrec__order_saved")


def test_an_order_is_imported_right_after_the_response_and_once(ask, prompt_orders):
    answer = ask("/order/", method="POST", query="number=7")
    assert not any("ecomrec" in sql for sql in answer.before)
    assert Event.objects.get().kind == "purchase"
    assert import_purchases().purchases == 0


def test_an_order_that_is_rolled_back_leaves_nothing(ask, prompt_orders, monkeypatch):
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    ask("/order/", method="POST", query="number=7&fail=1")
    ask("/order/", method="POST", query="number=8")
    assert list(Order.objects.values_list("number", flat=True)) == ["8"]
    assert list(Event.objects.values_list("kind", "basket")) == [("purchase", "8")]
