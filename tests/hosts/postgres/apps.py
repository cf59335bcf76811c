from django.apps import AppConfig


class PostgresHostConfig(AppConfig):
    name = "tests.hosts.postgres"
    label = "postgres_host"
    default_auto_field = "django.db.models.BigAutoField"
