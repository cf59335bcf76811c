from django.apps import AppConfig


class ExampleShopConfig(AppConfig):
    name = "example_shop"
    label = "shop"
    default_auto_field = "django.db.models.BigAutoField"
