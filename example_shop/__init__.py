import os

if os.environ.get("CELERY_BROKER_URL"):
    from .celery import app as celery_app  # noqa: F401  so that shared tasks use the shop's broker
