from dataclasses import replace

import numpy as np
import pytest

from ecomrec_django.learning.evaluation.list_checks import ListFigures, find_problems, list_figures, vanished_problem

SOUND = ListFigures(items=5_000, lists=1_000, places=4_000, staples=1_200, distinct=800, compared=1_000, replaced=100)


def test_first_offers_are_counted_and_no_others():
    figures = list_figures(np.array([0, 3, 5]), np.array([7, 8, 1, 7, 9]), np.array([1, 7]), items=50, places=2)
    assert figures == ListFigures(items=50, lists=2, places=4, staples=2, distinct=3)


def test_no_lists_are_no_problem():
    figures = list_figures(np.zeros(1, np.int64), np.empty(0, np.int64), np.arange(20), items=500, places=4)
    assert find_problems(figures) == []


def test_sound_lists_have_no_problem():
    assert find_problems(SOUND) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"staples": 3_700}, "take 92 % of the first places; the limit is 90 %. Look for products in nearly every"),
        ({"distinct": 9}, "Only 9 different products stand in the first places of 1,000 lists; the limit is 10. Check"),
        (
            {"replaced": 510},
            "51 % of 1,000 lists share none of their first offers with the lists shown now; the limit",
        ),
    ],
)
def test_a_problem_names_the_figure_the_limit_and_the_remedy(wrong, said):
    (problem,) = find_problems(replace(SOUND, **wrong))
    assert said in problem


@pytest.mark.parametrize("small", [{"lists": 99}, {"items": 199}])
def test_a_small_shop_has_few_products_to_offer(small):
    assert find_problems(replace(SOUND, staples=4_000, distinct=8, **small)) == []


def test_products_that_are_gone_are_counted():
    assert vanished_problem(1_000, 700) is None
    assert vanished_problem(9, 0) is None
    assert vanished_problem(1_000, 488).startswith(
        "512 of 1,000 products (51 %) that the published release knows are gone from the catalog; the limit is 30 %."
    )
