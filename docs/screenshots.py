"""Takes the pictures of the documentation from the demo's shop: `make screenshots`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import django
from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs/images"
WIDTH, HEIGHT, COLOURS = 1280, 860, 192
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def pages() -> dict[str, str]:
    """Name of each picture and the address it is of."""
    from ecomrec_django.models import Item, OfferList, Publication
    from ecomrec_django.strategies.base import Reason, decode_offers

    release = Publication.objects.get().release_id
    lists = OfferList.objects.filter(release=release, strategy="bought_with", anchor__available=True)
    upgraded = OfferList.objects.filter(release=release, strategy="upgrade_to").values("anchor")
    chosen = lists.filter(priority__isnull=False, anchor__in=upgraded).exclude(anchor__image="").order_by("-priority")
    for row in chosen.select_related("anchor")[:200]:
        offers = decode_offers(row.offers)
        if offers and offers[0].reason is Reason.TOGETHER:
            break
    else:
        raise SystemExit("No list of the demo shows what is bought together: make demo HOUSEHOLDS=800 SERVE=0")
    other = Item.objects.filter(available=True).exclude(external_id__in=[offer.item for offer in offers]).first()
    room = "/admin/ecomrec"
    return {
        "product": f"/product/{row.anchor.external_id}/",
        "overview": f"{room}/release/overview/",
        "queue": f"{room}/reviewlist/",
        "list": f"{room}/offerlist/{row.pk}/change/",
        "evidence": f"{room}/offerlist/{row.pk}/evidence/?offer={offers[0].item}",
        "why": f"{room}/offerlist/why/?block=slot:product&item={row.anchor_id}&other={other.pk if other else ''}",
        "release": f"{room}/release/{release}/change/",
    }


@contextmanager
def serving() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(120):
            try:
                urlopen(address, timeout=5)
                break
            except (URLError, OSError):
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def log_in(page: Page) -> None:
    from django.conf import settings

    page.goto("/admin/login/")
    page.locator("#id_username").fill("admin")
    page.locator("#id_password").fill((settings.VAR / "admin-password.txt").read_text())
    page.locator("[type=submit]").click()
    page.wait_for_url("**/admin/**")


def keep(page: Page, name: str, *, whole: bool) -> None:
    """As few colours as make no difference to the eye."""
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_shop.settings")
    sys.path.insert(0, str(ROOT))
    django.setup()
    addresses = pages()
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with serving() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        window = browser.new_context(
            base_url=address, viewport={"width": WIDTH, "height": HEIGHT}, user_agent=AGENT, color_scheme="light"
        )
        page = window.new_page()
        for name, path in addresses.items():
            if path.startswith("/admin/") and "admin" not in page.url:
                log_in(page)
            page.goto(path)
            if name == "product":
                page.get_by_role("button", name="No, thank you").click()
            page.wait_for_load_state("networkidle")
            keep(page, name, whole=name == "product")
            print(f"docs/images/{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
