"""What the package leaves in a project beside its code, and how to remove each kind of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from ..artifacts import stored_artifacts
from ..conf import conf
from ..errors import ConfigurationError
from ..locks import exclusive
from ..models import Event
from ..tracking.redis_sink import STREAM, connect
from .commands.ecomrec_roles import ROLES

LABEL = "ecomrec"
REDIS_SECONDS = 5.0


@dataclass(frozen=True)
class Leftover:
    """Things of one kind that are still there.

    description: what they are, and how many
    remove: takes them away; harmless where somebody else was faster
    """

    description: str
    remove: Callable[[], None]


def find_leftovers() -> list[Leftover]:
    """All that is left of the package, in the order in which to remove it: what writes comes first.

    Raises ConfigurationError if other migrations of the project refer to the tables, or Redis cannot be asked.
    """
    kinds = (_schedule, _stream, _tables, _groups, _content_types, _files)
    return [leftover for kind in kinds if (leftover := kind()) is not None]


def remove_leftovers(leftovers: Iterable[Leftover]) -> None:
    """Remove them while no training runs. Raises TrainingError if one does."""
    with exclusive(), exclusive("pictures"), exclusive("sequences"):
        for leftover in leftovers:
            leftover.remove()
    # The locks may be files as well.
    _remove_artifacts()


def kept_groups() -> list[str]:
    """Names of the groups of `ecomrec_roles` that the shop has given other permissions as well."""
    others = Permission.objects.exclude(content_type__app_label=LABEL)
    return list(Group.objects.filter(name__in=ROLES, permissions__in=others).values_list("name", flat=True).distinct())


def _schedule() -> Leftover | None:
    """The jobs that django-celery-beat starts."""
    if not apps.is_installed("django_celery_beat"):
        return None
    job: Any = apps.get_app_config("django_celery_beat").get_model("PeriodicTask")
    jobs = job.objects.filter(task__startswith="ecomrec.")
    names = sorted(jobs.values_list("name", flat=True))
    return Leftover(f"scheduled tasks: {', '.join(names)}", lambda: _delete(jobs)) if names else None


def _delete(rows: Any) -> None:
    # One by one, so that the scheduler hears of it.
    for row in rows:
        row.delete()


def _stream() -> Leftover | None:
    """The events that wait in Redis."""
    if not conf.REDIS:
        return None
    redis = connect(REDIS_SECONDS)
    try:
        if not redis.exists(STREAM):
            return None
        waiting = redis.xlen(STREAM)
    except Exception as error:
        raise ConfigurationError(
            f'ECOMREC["REDIS"] cannot be asked for the stream {STREAM} ({error}). Start Redis, or remove the setting.'
        ) from error
    return Leftover(f"the stream {STREAM} in Redis, with {waiting} waiting", partial(redis.delete, STREAM))


def _tables() -> Leftover | None:
    """The tables, and the record of the migrations that made them.

    They are dropped as they are found: `migrate ecomrec zero` cannot go on where MySQL was interrupted.
    """
    connection = connections[router.db_for_write(Event)]
    loader = MigrationLoader(connection)
    applied = [key for key in loader.applied_migrations if key[0] == LABEL]
    known = [key for key in applied if key in loader.graph.nodes]
    _refuse_dependents(loader, known)
    models = loader.project_state(known).apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models if model._meta.app_label == LABEL}
    tables &= set(connection.introspection.table_names())
    if not applied:
        return None

    def drop() -> None:
        with connection.constraint_checks_disabled(), connection.schema_editor() as editor:
            for table in sorted(tables):
                editor.execute(editor.sql_delete_table % {"table": editor.quote_name(table)})
        recorder = MigrationRecorder(connection)
        for key in applied:
            recorder.record_unapplied(*key)

    return Leftover(f"{len(tables)} tables of the database, with all that they hold", drop)


def _refuse_dependents(loader: MigrationLoader, nodes: list[tuple[str, str]]) -> None:
    dependents = {
        ".".join(key)
        for node in nodes
        for key in loader.graph.backwards_plan(node)
        if key[0] != LABEL and key in loader.applied_migrations
    }
    if dependents:
        raise ConfigurationError(
            f"Migrations of the project depend on the tables: {', '.join(sorted(dependents))}. Remove the foreign keys "
            "that they add first."
        )


def _groups() -> Leftover | None:
    """The groups of `ecomrec_roles`, unless the shop has given them other permissions."""
    groups = Group.objects.filter(name__in=ROLES).exclude(name__in=kept_groups())
    names = sorted(groups.values_list("name", flat=True))
    if not names:
        return None
    return Leftover(f"groups: {', '.join(names)}", lambda: _delete(Group.objects.filter(name__in=names)))


def _content_types() -> Leftover | None:
    """The content types and, by their foreign key, the permissions."""
    types = ContentType.objects.filter(app_label=LABEL)
    if not types:
        return None
    permissions = Permission.objects.filter(content_type__in=types).count()

    def delete() -> None:
        types.delete()
        ContentType.objects.clear_cache()

    return Leftover(f"{len(types)} content types and their {permissions} permissions", delete)


def _files() -> Leftover | None:
    """The history, models and networks; the folder itself only if nothing else is in it."""
    paths = stored_artifacts()
    if not paths:
        return None
    return Leftover(f"{len(paths)} files and folders in {conf.ARTIFACTS}", _remove_artifacts)


def _remove_artifacts() -> None:
    paths = stored_artifacts()
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            # Where an open file cannot be removed, it is once its lock is released.
            with suppress(PermissionError):
                path.unlink()
    folders = {conf.ARTIFACTS, *(path.parent for path in paths)}
    for folder in sorted(folders, reverse=True):
        with suppress(OSError):
            folder.rmdir()
