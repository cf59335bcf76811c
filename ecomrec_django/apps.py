from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EcomrecConfig(AppConfig):
    name = "ecomrec_django"
    label = "ecomrec"
    verbose_name = _("Recommendations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks  # noqa: F401  registers the checks
        from .serving import signals
        from .tracking import prompt

        signals.connect()
        prompt.connect()
