"""Benchmarks can be listed, and the pages that they change are still as they know them."""

from django.template.loader import get_template

from benchmarks.__main__ import main, names
from benchmarks.serving import without_slots


def test_benchmarks_are_listed_with_their_purpose(capsys):
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert all(len(line.split()) > 3 for line in lines)


def test_the_serving_benchmark_compares_with_a_page_without_offers():
    source = get_template("shop/product.html").template.source
    assert "{% slot" not in without_slots(source, "upgrade", "product")
