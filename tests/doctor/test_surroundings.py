import pytest
from celery import current_app
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder

from ecomrec_django.doctor.findings import Level
from ecomrec_django.doctor.surroundings import artifacts, broker, cache, database, redis, system_checks
from ecomrec_django.testing import override_ecomrec
from tests.services import free_port

LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def only(findings):
    (finding,) = findings
    return finding


def test_messages_of_the_system_checks_are_findings(settings):
    settings.MIDDLEWARE = []
    with override_ecomrec(LIMT=4):
        findings = {finding.subject: finding for finding in system_checks()}
    assert findings["ecomrec.E001"].level is Level.FAILURE
    assert findings["ecomrec.E001"].remedy == 'Did you mean "LIMIT"?'
    assert findings["ecomrec.W031"].level is Level.WARNING


@pytest.mark.django_db
def test_a_database_that_is_migrated_and_can_be_written_is_sound():
    findings = list(database())
    assert {finding.level for finding in findings} == {Level.OK}
    assert findings[0].message.startswith(connection.display_name)


@pytest.mark.django_db
def test_a_migration_that_is_not_applied_is_a_failure():
    MigrationRecorder(connection).migration_qs.filter(app="ecomrec").delete()
    *_, finding = database()
    assert (finding.subject, finding.level, finding.remedy) == ("migrations", Level.FAILURE, "Run manage.py migrate.")


@pytest.mark.django_db
def test_a_database_that_cannot_be_written_is_a_failure():
    def refuse(execute, sql, *arguments):
        if sql.startswith("INSERT"):
            raise PermissionError("read only")
        return execute(sql, *arguments)

    with connections["default"].execute_wrapper(refuse):
        *_, finding = database()
    assert (finding.subject, finding.level) == ("database writes", Level.FAILURE)
    assert "PermissionError: read only" in finding.message


def test_a_database_that_does_not_answer_is_a_failure(monkeypatch):
    def refuse():
        raise ConnectionError("refused")

    # An item of its dictionary: undone, the attribute would stay behind, as pytest-django has set it for this test.
    monkeypatch.setitem(vars(connections["default"]), "ensure_connection", refuse)
    finding = only(database())
    assert finding.level is Level.FAILURE
    assert 'Correct DATABASES["default"]' in finding.remedy


def test_a_cache_is_asked_and_whether_processes_share_it(settings):
    settings.CACHES = {"default": LOCAL}
    assert [finding.level for finding in cache()] == [Level.WARNING, Level.OK]
    settings.DEBUG = True
    assert only(cache()).level is Level.OK


@pytest.mark.parametrize(
    ("backend", "level"),
    [
        ("tests.support.catalogs.BrokenCache", Level.FAILURE),
        ("django.core.cache.backends.dummy.DummyCache", Level.WARNING),
    ],
)
def test_a_cache_that_keeps_nothing_is_found(settings, backend, level):
    settings.CACHES = {"default": {"BACKEND": backend}}
    assert only(cache()).level is level


def test_a_folder_that_can_be_written_or_made_is_sound(tmp_path):
    for folder in (tmp_path, tmp_path / "new" / "folder"):
        with override_ecomrec(ARTIFACTS=folder):
            assert only(artifacts()).level is Level.OK
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_place_of_the_folder_is_a_failure(tmp_path):
    (tmp_path / "file").touch()
    with override_ecomrec(ARTIFACTS=tmp_path / "file" / "folder"):
        assert only(artifacts()).level is Level.FAILURE


def test_a_redis_that_does_not_answer_is_a_failure():
    sink = {"SINK": "ecomrec_django.tracking.redis_sink.RedisSink", "REDIS": f"redis://127.0.0.1:{free_port()}/0"}
    assert list(redis()) == []
    with override_ecomrec(**sink):
        finding = only(redis())
    assert finding.level is Level.FAILURE
    assert 'correct ECOMREC["REDIS"]' in finding.remedy


def test_a_broker_is_asked_where_one_is_configured(monkeypatch):
    monkeypatch.setattr(current_app.conf, "broker_url", "")
    assert "no broker is configured" in only(broker()).message
    monkeypatch.setattr(current_app.conf, "broker_url", "memory://")
    assert only(broker()).level is Level.OK


def test_a_broker_that_does_not_answer_is_a_failure_without_its_password(monkeypatch):
    monkeypatch.setattr(current_app.conf, "broker_url", f"redis://user:secret@127.0.0.1:{free_port()}/0")
    finding = only(broker())
    assert finding.level is Level.FAILURE
    assert "secret" not in finding.message
