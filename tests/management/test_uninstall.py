"""After ecomrec_uninstall nothing of the package is left but its code, and nothing of the shop is missing."""

import builtins

import pytest
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from redis import Redis

from ecomrec_django.catalog.sync import sync
from ecomrec_django.conf import conf
from ecomrec_django.errors import ConfigurationError, TrainingError
from ecomrec_django.management import uninstall
from ecomrec_django.management.uninstall import Leftover, find_leftovers
from ecomrec_django.models import Event, Visitor
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.redis_sink import STREAM
from example_shop.models import Order, Product
from tests.support.breakable_services import redis
from tests.support.camping_shop import stock_the_shop


@pytest.fixture
def run(capsys):
    """Runs the command; returns the lines that it wrote."""

    def run(*arguments: str) -> list[str]:
        call_command("ecomrec_uninstall", *arguments)
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def removed(run, transactional_db):
    """As ``run``, without being asked; the tables are back at the end."""
    yield lambda: run("--noinput")
    call_command("migrate", verbosity=0)


@pytest.fixture
def answer(monkeypatch):
    """What the person at the terminal types."""
    return lambda text: monkeypatch.setattr(builtins, "input", lambda question: text)


def use_the_shop() -> None:
    """Events, staff groups and files."""
    stock_the_shop()
    sync()
    import_purchases()
    call_command("ecomrec_roles")
    write("history/2026-01/1-9.parquet", "releases/1/items.npy", "training.lock")


def write(*paths: str) -> None:
    for path in paths:
        (conf.ARTIFACTS / path).parent.mkdir(parents=True, exist_ok=True)
        (conf.ARTIFACTS / path).write_text("")


def files() -> set[str]:
    return {path.relative_to(conf.ARTIFACTS).as_posix() for path in conf.ARTIFACTS.rglob("*") if path.is_file()}


def our_tables() -> set[str]:
    return {table for table in connection.introspection.table_names() if table.startswith("ecomrec_")}


def leftover(words: str) -> Leftover | None:
    return next((leftover for leftover in find_leftovers() if words in leftover.description), None)


def test_the_package_is_removed_and_the_shop_is_untouched(removed):
    use_the_shop()
    lines = removed()
    assert f"  3 files and folders in {conf.ARTIFACTS}" in lines
    assert not our_tables()
    assert not MigrationRecorder(connection).migration_qs.filter(app="ecomrec")
    assert not ContentType.objects.filter(app_label="ecomrec")
    assert not Permission.objects.filter(content_type__app_label="ecomrec")
    assert not Group.objects.filter(name__startswith="Recommendations")
    assert not conf.ARTIFACTS.exists()
    assert (Product.objects.count(), Order.objects.count()) == (8, 60)
    assert ContentType.objects.filter(app_label="shop", model="order").exists()

    assert removed() == ["Nothing is left to remove."]
    call_command("migrate", verbosity=0)
    sync()
    assert import_purchases().purchases


@pytest.mark.server
def test_an_interrupted_removal_continues(removed):
    """On MySQL each table is dropped for good at once."""
    with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
        editor.execute(editor.sql_delete_table % {"table": editor.quote_name(Visitor._meta.db_table)})
    removed()
    assert not our_tables()
    assert not MigrationRecorder(connection).migration_qs.filter(app="ecomrec")


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["no", ""])
def test_without_confirmation_nothing_is_removed(run, answer, text):
    use_the_shop()
    answer(text)
    with pytest.raises(CommandError, match="Nothing was removed"):
        run()
    assert Event.objects.exists()
    assert leftover("groups")
    assert files()


@pytest.mark.django_db
def test_tables_are_kept_while_a_training_runs(run, monkeypatch):
    use_the_shop()

    def locked(work="training"):
        raise TrainingError("Another training is running.")

    monkeypatch.setattr(uninstall, "exclusive", locked)
    with pytest.raises(CommandError, match="Another training"):
        run("--noinput")
    assert Event.objects.exists()


@pytest.mark.django_db
def test_tables_that_a_migration_of_the_shop_refers_to_stay(monkeypatch):
    build = MigrationLoader.build_graph

    def with_a_dependent(loader):
        build(loader)
        node = ("shop", "0099_favourite_item")
        loader.graph.add_node(node, Migration("0099_favourite_item", "shop"))
        loader.graph.add_dependency(None, node, ("ecomrec", "0001_initial"))
        loader.applied_migrations[node] = None

    monkeypatch.setattr(MigrationLoader, "build_graph", with_a_dependent)
    with pytest.raises(ConfigurationError, match=r"shop\.0099_favourite_item"):
        find_leftovers()


@pytest.mark.django_db
def test_a_group_with_permissions_of_other_apps_stays(run, answer):
    use_the_shop()
    Group.objects.get(name="Recommendations: viewer").permissions.add(Permission.objects.get(codename="view_order"))
    leftover("groups").remove()
    assert list(Group.objects.values_list("name", flat=True)) == ["Recommendations: viewer"]
    assert leftover("groups") is None
    answer("no")
    with pytest.raises(CommandError):
        run()
    assert uninstall.kept_groups() == ["Recommendations: viewer"]


@pytest.mark.django_db
def test_files_of_the_shop_in_the_same_folder_stay():
    network = f"pictures/{'ab' * 16}/about.json"
    theirs = {"pictures/tent.webp", "pictures/summer/tent.webp", "history/notes.txt", "shop.lock"}
    write(network, "sequences/unfinished/state.npz", "history/2026-01/1-9.parquet", *theirs)
    leftover("files").remove()
    assert files() == theirs
    assert leftover("files") is None


@pytest.mark.django_db
@pytest.mark.server
def test_events_that_wait_in_redis_are_removed(settings, tmp_path):
    with redis(tmp_path) as port:
        address = f"redis://127.0.0.1:{port}/0"
        settings.ECOMREC = {**settings.ECOMREC, "REDIS": address}
        client = Redis.from_url(address)
        client.xadd(STREAM, {"o": "{}"})
        client.set("shop:session", "the shop's")
        leftover(f"the stream {STREAM} in Redis, with 1 waiting").remove()
        assert client.keys() == [b"shop:session"]
        assert leftover("Redis") is None


@pytest.mark.django_db
def test_a_redis_that_does_not_answer_is_named(settings, run):
    settings.ECOMREC = {**settings.ECOMREC, "REDIS": "redis://127.0.0.1:1/0"}
    with pytest.raises(CommandError, match="Start Redis, or remove the setting"):
        run("--noinput")
    assert our_tables()
