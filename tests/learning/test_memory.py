import pytest

from ecomrec_django.errors import DataError, MemoryLimitError
from ecomrec_django.learning import memory
from ecomrec_django.learning.memory import Ceiling, held


@pytest.mark.parametrize(
    ("text", "limit"), [("4GB", 4 * 10**9), ("1.5 gb", 1_500_000_000), ("512MiB", 2**29), (" 10KB ", 10_000)]
)
def test_an_amount_is_read_with_its_unit(text, limit):
    assert Ceiling(text).bytes == limit


@pytest.mark.parametrize("text", ["4", "GB", "0GB", "-1GB", "4 TB x", "", None, 4])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(DataError, match="write it like 4GB"):
        Ceiling(text)


def test_more_than_the_ceiling_is_refused_with_what_to_do():
    Ceiling("100GB").check()
    with pytest.raises(MemoryLimitError, match=r"take 1MB of memory.*raise ECOMREC\['DEEP_MEMORY'\]"):
        Ceiling("1MB").check()


def test_what_is_held_grows_with_what_is_made(monkeypatch, tmp_path):
    before = held()
    assert before > 10**7
    kept = bytearray(b"x") * 50_000_000
    assert held() - before > 40_000_000
    assert len(kept) == 50_000_000
    monkeypatch.setattr(memory, "_STATM", tmp_path / "none")
    assert held() == 0
