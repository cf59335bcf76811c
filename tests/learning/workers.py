"""Two workers of one training, as TF_CONFIG names them, in processes of their own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np


def free_ports(count):
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Pair:
    """Two processes that run ``code``, which stores arrays in the file that it is given as its first argument."""

    def __init__(self, code, folder):
        cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
        self.files = [folder / f"{worker}.npz" for worker in range(2)]
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", code, file],
                cwd=Path(__file__).parents[2],
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
                _, errors = process.communicate(timeout=180)
                assert process.returncode == 0, errors.decode()[-2_000:]
        finally:
            # One waits for the other without end.
            for process in self.processes:
                process.kill()
        return [np.load(file) for file in self.files]
