import os

from django.apps import AppConfig


class FaultsConfig(AppConfig):
    """BREAKER_SECONDS: how long the shop waits before it tries again what has failed."""

    name = "tests.faults"

    def ready(self):
        from ecomrec_django.tracking.sinks import Breaker

        Breaker.SECONDS = float(os.environ.get("BREAKER_SECONDS", Breaker.SECONDS))
