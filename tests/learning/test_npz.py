from __future__ import annotations

import json
import os

import numpy as np
import pytest

from ecomrec_django.errors import DataError
from ecomrec_django.learning.npz import read_npz, write_npz

ARRAYS = {"weights": np.arange(6.0).reshape(2, 3), "none": np.empty((0, 4), np.int32)}


def test_arrays_and_facts_come_back_as_they_were(tmp_path):
    write_npz(tmp_path / "one.npz", ARRAYS, {"version": 1, "names": ["ä"]})
    arrays, facts = read_npz(tmp_path / "one.npz")
    assert facts == {"version": 1, "names": ["ä"]}
    for name, array in ARRAYS.items():
        assert (arrays[name].shape, arrays[name].dtype) == (array.shape, array.dtype)
        assert (arrays[name] == array).all()


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "one.npz"
    write_npz(path, ARRAYS, {"version": 1})

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_npz(path, {}, {"version": 2})
    assert read_npz(path)[1] == {"version": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_a_cut_and_a_garbled_file_are_refused(tmp_path):
    path = tmp_path / "one.npz"
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(path)
    write_npz(path, ARRAYS, {"version": 1})
    data = path.read_bytes()
    for length in range(0, len(data), 40):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match="cannot be read"):
            read_npz(path)
    at = data.index(np.float64(5).tobytes())
    path.write_bytes(data[:at] + b"\1" + data[at + 1 :])
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(path)


def test_arrays_that_would_run_code_are_refused(tmp_path):
    objects = np.array([{"a": 1}], object)
    with pytest.raises(DataError, match="holds objects"):
        write_npz(tmp_path / "one.npz", {"objects": objects}, {})
    facts = np.frombuffer(json.dumps({}).encode(), np.uint8)
    np.savez(tmp_path / "one.npz", objects=objects, facts=facts)
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(tmp_path / "one.npz")
