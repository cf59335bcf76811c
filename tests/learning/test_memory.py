import pytest

from ecomrec_django.errors import DataError, MemoryLimitError
from ecomrec_django.learning import memory
from ecomrec_django.learning.memory import MemoryLimit, resident_bytes


@pytest.mark.parametrize(
    ("text", "limit"), [("4GB", 4 * 10**9), ("1.5 gb", 1_500_000_000), ("512MiB", 2**29), (" 10KB ", 10_000)]
)
def test_an_amount_is_read_with_its_unit(text, limit):
    assert MemoryLimit(text).bytes == limit


@pytest.mark.parametrize("text", ["4", "GB", "0GB", "-1GB", "4 TB x", "", None, 4])
def test_invalid_amounts_are_rejected(text):
    with pytest.raises(DataError, match="is not an amount of memory such as 4GB"):
        MemoryLimit(text)


def test_more_than_the_ceiling_is_refused_with_what_to_do():
    MemoryLimit("100GB").check()
    with pytest.raises(MemoryLimitError, match=r"the limit is 1MB.*Raise ECOMREC\['DEEP_MEMORY'\]"):
        MemoryLimit("1MB").check()


def test_resident_memory_grows_with_allocations(monkeypatch, tmp_path):
    before = resident_bytes()
    assert before > 10**7
    kept = bytearray(b"x") * 50_000_000
    assert resident_bytes() - before > 40_000_000
    assert len(kept) == 50_000_000
    monkeypatch.setattr(memory, "_STATM", tmp_path / "none")
    assert resident_bytes() == 0
