"""Two workers of one training, as TF_CONFIG names them, in processes of their own."""

import json
import os
import subprocess
import sys

import numpy as np

from tests.services import free_port
from tests.support.processes import ROOT
from tests.support.threads import SECONDS


class Pair:
    """Two processes that run ``code``, which stores arrays in the file that it is given as its first argument."""

    def __init__(self, code, folder):
        cluster = {"worker": [f"localhost:{port}" for port in (free_port(), free_port())]}
        self.files = [folder / f"{worker}.npz" for worker in range(2)]
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", code, file],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "tests.settings",
                    "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": worker}}),
                },
                stderr=subprocess.PIPE,
            )
            for worker, file in enumerate(self.files)
        ]

    def arrays(self):
        """What each of them has stored, when both have ended."""
        try:
            for process in self.processes:
                _, errors = process.communicate(timeout=3 * SECONDS)
                assert process.returncode == 0, errors.decode()[-2_000:]
        finally:
            # One waits for the other without end.
            for process in self.processes:
                process.kill()
        return [np.load(file) for file in self.files]
