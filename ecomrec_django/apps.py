"""The app's configuration; at start-up it registers checks and connects signal receivers."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class EcomrecConfig(AppConfig):
    """Connects the package's signal receivers and registers its system checks."""

    name = "ecomrec_django"
    label = "ecomrec"
    verbose_name = _("Recommendations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Called by Django once the models are loaded; makes no query."""
        from . import checks  # noqa: F401  registers the checks
        from .serving import invalidation
        from .tracking import receivers

        if apps.is_installed("drf_spectacular"):
            from .api import schema  # noqa: F401  registers the extensions
        invalidation.connect()
        receivers.connect()
