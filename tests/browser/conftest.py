import os
import shutil
from pathlib import Path

import axe_core_python
import pytest
from playwright.sync_api import sync_playwright

AXE = Path(axe_core_python.__file__).parent / "axe.min.js"
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
        self.folder = folder
        self.faults = []
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

    def check(self, name):
        """Note what is wrong with the page as it stands, and keep a picture of it."""
        self.page.wait_for_load_state("networkidle")
        # Pictures further down are loaded once they are near.
        self.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        self.page.wait_for_load_state("networkidle")
        if SCREENSHOTS:
            self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)
        self.page.evaluate(AXE.read_text())
        # To describe what passed would take most of the time.
        for violation in self.page.evaluate("axe.run({resultTypes: ['violations'], selectors: false})")["violations"]:
            if violation["impact"] in {"serious", "critical"}:
                nodes = ", ".join(node["html"][:200] for node in violation["nodes"][:3])
                self.faults.append(f"{name}: {violation['id']} ({violation['impact']}): {nodes}")
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            self.faults.append(f"{name}: {wide} px wider than the screen")


@pytest.fixture(scope="session")
def address(real_shop):
    real_shop.manage("ecomrec_train", "--publish")
    with real_shop.serving() as address:
        yield address


@pytest.fixture
def visit(chromium, address, tmp_path):
    """Opens a window of a given width; the test fails if anything went wrong in it."""
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
