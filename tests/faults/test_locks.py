"""Two trainings at once: the second is refused, on whichever machine it runs, until the first ends or dies."""

import subprocess
import sys
from contextlib import suppress

import pytest
from django.db import connection

from ecomrec_django.errors import TrainingError
from ecomrec_django.locks import exclusive
from tests.support.processes import ROOT, wait_for

from ..support.breakable_services import Cable, environment
from ..support.threads import SECONDS
from .conftest import database_url

HOLD = """
import sys
from ecomrec_django.locks import exclusive
with exclusive():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start(database, tmp_path):
    """Starts a process that holds the lock until its input ends; its artifacts lie on a machine of its own."""
    processes = []

    def started(url=database):
        folder = tmp_path / str(len(processes))
        process = subprocess.Popen(
            [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", HOLD],
            cwd=ROOT,
            env=environment(url, SHOP_VAR=str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield started
    for process in processes:
        process.kill()
        process.wait()


def is_free() -> bool:
    try:
        with exclusive():
            return True
    except TrainingError:
        return False


@pytest.mark.server
def test_a_second_training_is_refused_while_the_first_runs_on_another_machine(start, database, tmp_path):
    first = start()
    command = [sys.executable, "manage.py", "ecomrec_train"]
    given = environment(database, SHOP_VAR=str(tmp_path / "second"))
    second = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert second.returncode != 0
    assert "Another training is running" in second.stderr
    first.communicate("")
    assert is_free()


@pytest.mark.server
def test_the_lock_of_a_killed_process_is_free_again(start):
    process = start()
    assert not is_free()
    process.kill()
    process.wait()
    wait_for(is_free)


@pytest.mark.server
def test_the_lock_of_a_lost_connection_is_free_again(start):
    given = connection.settings_dict
    cable = Cable((given["HOST"], int(given["PORT"])))
    start(database_url(cable.port))
    assert not is_free()
    cable.cut()
    wait_for(is_free)


def test_a_lock_is_released_at_the_end_and_after_an_error(database):
    with exclusive():
        assert not is_free()
    assert is_free()
    with suppress(ZeroDivisionError), exclusive():
        raise ZeroDivisionError
    assert is_free()


def test_another_kind_of_work_has_a_lock_of_its_own(database):
    with exclusive(), exclusive("pictures"):
        assert not is_free()


@pytest.mark.server
def test_a_training_keeps_its_lock_though_its_own_connection_is_replaced(database):
    with exclusive():
        connection.close()
        connection.ensure_connection()
        assert not is_free()


def test_a_lock_that_is_given_back_can_be_taken_at_once(database):
    for _ in range(300):
        with exclusive():
            pass
