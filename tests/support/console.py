"""A process that has loaded a Django project and runs each of its management commands in a fork of itself.

``python -m tests.support.console FOLDER`` reads a JSON list of arguments a line. When the command has ended, what it
said lies in ``said`` and ``complained`` of the folder, and its exit status is written in a line.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path

SAID, COMPLAINED = "said", "complained"


def main(folder: Path) -> None:
    import django
    from django.urls import get_resolver

    django.setup()
    # With the views, and the admin.
    get_resolver().check()
    # Forks need not look through it, nor copy it.
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            # Ends as any process does, so that what is to be done at its end is done.
            run(json.loads(line), folder)
            return
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def run(arguments: list[str], folder: Path) -> None:
    from django.core.management import execute_from_command_line

    for descriptor, path, mode in ((0, os.devnull, "r"), (1, folder / SAID, "w"), (2, folder / COMPLAINED, "w")):
        with open(path, mode) as file:
            os.dup2(file.fileno(), descriptor)
    execute_from_command_line(["manage.py", *arguments])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
