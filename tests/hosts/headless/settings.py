"""The example shop as the API of a front end on another site, and with pages that load their blocks in the browser.

FRONTEND: origin of the front end. NPM: folder of the installed npm packages.
"""

import os
from pathlib import Path

from corsheaders.defaults import default_headers

from example_shop.settings import *  # noqa: F403
from example_shop.settings import ECOMREC, INSTALLED_APPS, MIDDLEWARE, TEMPLATES

HERE = Path(__file__).parent
FRONTEND = os.environ["FRONTEND"]
PACKAGES = Path(os.environ["NPM"]) / "node_modules"

ROOT_URLCONF = "tests.hosts.headless.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "corsheaders"]
MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *MIDDLEWARE]
TEMPLATES = [{**TEMPLATES[0], "DIRS": [HERE / "templates"]}]
STATICFILES_DIRS = [
    HERE / "static",
    ("htmx", PACKAGES / "htmx.org/dist"),
    ("turbo", PACKAGES / "@hotwired/turbo/dist"),
]
CORS_ALLOWED_ORIGINS = [FRONTEND]
CORS_ALLOW_HEADERS = [*default_headers, "x-ecomrec-consent", "x-ecomrec-visitor"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
}
ECOMREC = {**ECOMREC, "FRONTENDS": [FRONTEND], "TRACK_VIEWS": {}, "THROTTLE": "6000/min", "BEACON_THROTTLE": "6000/min"}
