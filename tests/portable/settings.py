"""Settings of a small shop; DATABASE_URL, CELERY_BROKER_URL and PORTABLE_EXTRAS say where it runs."""

import atexit
import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

# Warnings are errors where our code, or this project, causes them.
for category in (DeprecationWarning, PendingDeprecationWarning):
    warnings.filterwarnings("error", category=category, module=r"(ecomrec_django|portable)\b")

EXTRAS = set(filter(None, os.environ["PORTABLE_EXTRAS"].split(",")))
ENGINES = {"sqlite": "sqlite3", "mysql": "mysql", "postgres": "postgresql", "postgresql": "postgresql"}
_folder = TemporaryDirectory(prefix="ecomrec-portable-")
atexit.register(_folder.cleanup)
BASE_DIR = Path(_folder.name)

_url = urlsplit(os.environ["DATABASE_URL"])
DATABASES = {
    "default": {
        "ENGINE": f"django.db.backends.{ENGINES[_url.scheme]}",
        "NAME": _url.path.removeprefix("/"),
        "HOST": _url.hostname or "",
        "PORT": str(_url.port or ""),
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
    }
}
if _url.scheme == "sqlite":
    # A file, which the threads of a worker see as well.
    DATABASES["default"] |= {"NAME": BASE_DIR / "shop.sqlite3", "TEST": {"NAME": BASE_DIR / "test.sqlite3"}}

SECRET_KEY = "portable"
USE_TZ = True
ROOT_URLCONF = "portable.urls"
STATIC_URL = "static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "portable.shop",
    "ecomrec_django",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "ecomrec_django.tracking.middleware.TrackingMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL") or "memory://"
# A broker may have other clients.
CELERY_TASK_DEFAULT_QUEUE = f"portable-{os.getpid()}"
CELERY_RESULT_BACKEND = "cache+memory://"
ECOMREC = {"CATALOG": "portable.shop.catalog.ShopCatalog", "TRACK_VIEWS": {"product": "pk"}, "CACHE_SECONDS": 0}
