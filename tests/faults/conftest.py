from urllib.parse import quote

import pytest
from django.db import connection

from ecomrec_django.models import Item


@pytest.fixture
def database(transactional_db):
    """DATABASE_URL of the database under test, for other processes; one product, "a", is in the mirror."""
    Item.objects.create(external_id="a", title="A", fingerprint="")
    return database_url()


def database_url(port: int | None = None) -> str:
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    account = f"{given['USER']}:{quote(given['PASSWORD'])}"
    scheme = "postgres" if connection.vendor == "postgresql" else connection.vendor
    return f"{scheme}://{account}@{given['HOST']}:{port or given['PORT']}/{given['NAME']}"
