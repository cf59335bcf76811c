import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import axe_core_python
import pytest
from playwright.sync_api import sync_playwright

from ecomrec_django.tracking.consent import CONSENT_COOKIE

AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
# To describe what passed would take most of the time.
VIOLATIONS = "(rules) => axe.run({resultTypes: ['violations'], selectors: false, ...(rules && {runOnly: rules})})"
# Colours change at once, so that none is looked at while it fades into another.
UNFADING = """
const sheet = new CSSStyleSheet();
sheet.replaceSync("*, ::before, ::after { transition: none !important }");
document.adoptedStyleSheets = [sheet];
"""
# Pictures further down would be loaded once they are near.
PICTURES = """
() => Promise.all([...document.images].map((picture) => {
  picture.loading = "eager";
  return picture.complete || new Promise((done) => { picture.onload = picture.onerror = done; });
}))
"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# The driver does not see what a beacon holds. The script's seconds pass when a test says so, so that none is too long
# on a busy machine.
LISTEN = """
const send = navigator.sendBeacon.bind(navigator);
navigator.sendBeacon = (url, blob) => { blob.text().then(heard); return send(url, blob); };
const timers = new Map(), { setTimeout: begin, clearTimeout: end } = window;
let now = 0, last = 1e9;
window.setTimeout = (work, delay, ...more) => {
  if (delay !== 1000 && delay !== 2000) return begin(work, delay, ...more);
  timers.set(++last, { at: now + delay, work: () => work(...more) });
  return last;
};
window.clearTimeout = (timer) => timers.delete(timer) || end(timer);
window.pass = (milliseconds) => {
  const until = now + milliseconds;
  for (;;) {
    const [next] = [...timers].filter(([, { at }]) => at <= until).sort(([, one], [, other]) => one.at - other.at);
    if (!next) break;
    timers.delete(next[0]);
    now = next[1].at;
    next[1].work();
  }
  now = until;
};
"""
# Observers are told in the order in which they were made: the script knows what is in view once a new one does. In the
# frame before that one, the page has made its own.
OBSERVED = """
async () => {
  for (const frame of [1, 2]) await new Promise(requestAnimationFrame);
  await new Promise((done) => new IntersectionObserver((_, observer) => {
    observer.disconnect();
    done();
  }).observe(document.body));
}
"""
PASS = """
async (milliseconds) => {
  pass(milliseconds);
  await new Blob([""]).text();
  await heard('{"reports": []}');
}
"""
# Where screenshots go; by default into the test's temporary folder.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
# A headless browser calls itself one, and is then taken for the program that it is. The name is given to the whole
# browser: what a page sends while it is left does not know the name of its window.
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


@pytest.fixture(scope="package")
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "The browser tests need Chromium. On Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", f"--user-agent={USER_AGENT}"],
        )
        yield browser
        browser.close()


class Visit:
    """One browser window, which remembers everything that went wrong in it."""

    def __init__(self, browser, address, width, folder, height=900, **options):
        size = {"width": width, "height": height}
        self.context = browser.new_context(base_url=address, viewport=size, **options)
        self.page = self.context.new_page()
        self.page.add_init_script(UNFADING)
        self.folder = folder
        self.faults = []
        self.reports = []
        self.page.on("console", lambda said: said.type == "error" and self.faults.append(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on(
            "response", lambda answer: answer.status >= 400 and self.faults.append(f"{answer.status}: {answer.url}")
        )

    def _failed(self, request):
        # Aborted: the browser itself let go of a picture or a report when the page was left before it was there.
        if request.failure != "net::ERR_ABORTED":
            self.faults.append(f"failed: {request.url} {request.failure}")

    def listen(self):
        """Keep what the pages report in ``reports``; the time of their scripts stands still."""
        self.page.expose_function("heard", lambda body: self.reports.extend(json.loads(body)["reports"]))
        self.page.add_init_script(LISTEN)

    def said(self, name):
        """What was reported under ``name``: places seen, places clicked, or tokens of products viewed."""
        return [report[name] for report in self.reports if name in report]

    def pass_time(self, milliseconds):
        """Let the scripts' time pass, of what is in view now; what they send meanwhile is in ``reports``."""
        self.page.evaluate(OBSERVED)
        self.page.evaluate(PASS, milliseconds)

    def resize(self, width):
        self.page.set_viewport_size({**self.page.viewport_size, "width": width})

    def check(self, name, rules=None):
        """Note what is wrong with the page as it stands, and keep a picture of it.

        rules: the only ones of axe's that are asked, for a page that is checked once more in another look.
        """
        self.page.wait_for_load_state()
        self.page.evaluate(PICTURES)
        if SCREENSHOTS:
            self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        for violation in self.page.evaluate(VIOLATIONS, rules)["violations"]:
            if violation["impact"] in {"serious", "critical"}:
                nodes = ", ".join(node["html"][:200] for node in violation["nodes"][:3])
                self.faults.append(f"{name}: {violation['id']} ({violation['impact']}): {nodes}")
        wide = self.page.evaluate(TOO_WIDE)
        if wide > 0:
            self.faults.append(f"{name}: {wide} px wider than the screen")


# A password would be hashed for long, and nobody types it.
LOG_IN = """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
staff = User.objects.create_superuser("staff")
session = SessionStore()
session[SESSION_KEY] = str(staff.pk)
session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
session[HASH_SESSION_KEY] = staff.get_session_auth_hash()
session.save()
print(session.session_key)
"""


@pytest.fixture(scope="session")
def address(real_shop):
    with real_shop.serving() as address:
        yield address


@pytest.fixture(scope="session")
def market(staple_process):
    """The shop of customers with habits in processes of its own, trained and published."""
    staple_process.manage("ecomrec_train", "--publish")
    return staple_process


@pytest.fixture(scope="session")
def market_address(market):
    with market.serving() as address:
        yield address


@contextmanager
def windows(chromium, address, tmp_path):
    """Opens windows of a given width; at the end it fails if anything went wrong in one."""
    opened = []

    def open_window(width, **options):
        folder = Path(SCREENSHOTS) / str(width) if SCREENSHOTS else tmp_path
        folder.mkdir(parents=True, exist_ok=True)
        opened.append(Visit(chromium, address, width, folder, **options))
        return opened[-1]

    yield open_window
    for one in opened:
        # What is still on its way is no fault of the page, but would be cut off by closing it.
        one.page.wait_for_load_state("networkidle")
        faults = list(one.faults)
        one.context.close()
        assert not faults, "\n".join(faults)


@pytest.fixture
def visit(chromium, address, tmp_path):
    """Opens a window of a given width in the real shop."""
    with windows(chromium, address, tmp_path) as open_window:
        yield open_window


@pytest.fixture
def visit_market(chromium, market_address, tmp_path):
    """Opens a window of a given width in the shop of customers with habits."""
    with windows(chromium, market_address, tmp_path) as open_window:
        yield open_window


@pytest.fixture(scope="session")
def session_key(real_shop):
    return real_shop.ask(LOG_IN)


@pytest.fixture
def enter(visit, address, session_key):
    """Opens a window of a superuser in the admin of the real shop."""

    def open_window(width, **options):
        window = visit(width, **options)
        window.context.add_cookies([{"name": "sessionid", "value": session_key, "url": address}])
        ask_for_no_icon(window)
        return window

    return open_window


def ask_for_no_icon(window):
    # The stock admin names no icon, so the browser asks for one that is not there.
    window.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))


@pytest.fixture
def shopper(visit, address):
    """Opens a window of somebody who agreed to be recorded; ``reports`` holds what it sent."""

    def open_window(width=1280, height=900, agreed=True, **options):
        window = visit(width, height=height, **options)
        if agreed:
            window.context.add_cookies([{"name": CONSENT_COOKIE, "value": "yes", "url": address}])
        window.listen()
        return window

    return open_window
