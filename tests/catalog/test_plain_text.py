import doctest
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.catalog import plain_text as module
from ecomrec_django.catalog.plain_text import MAX_LENGTH, plain_text

WORDS = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=1, max_size=8)
BLOCKS = st.sampled_from(["p", "div", "li", "td", "h2", "section"])


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Boils water</p><p>fast</p>", "Boils water fast"),
        ("one<br>two<br/>three", "one two three"),
        ("<ul><li>steel</li><li>glass</li></ul>", "steel glass"),
        ("<table><tr><th>Size</th><td>1.7 l</td></tr></table>", "Size 1.7 l"),
        ("<b>W</b>ater<wbr>proof, CO<sub>2</sub>", "Waterproof, CO2"),
        ("Salt&nbsp;&amp;&#32;pepper &eacute;t&#xe9;", "Salt & pepper été"),
        ("water&shy;proof", "waterproof"),
        ("<style>p { color: red }</style><script>var a = '<p>1</p>';</script>Kettle<!-- old: toaster -->", "Kettle"),
        ("<noscript><p>Allow <b>scripts</b></p></noscript>Kettle", "Kettle"),
        ('<div class="pdp-wrapper" data-tab="specs"><img src="a.png" alt="x > y">Kettle</div>', "Kettle"),
        ("<![CDATA[<p>Boils water</p>]]>", "Boils water"),
        ("<!DOCTYPE html><html><head><title>Shop</title></head><body>Kettle</body></html>", "Kettle"),
        ("&lt;p class=&quot;intro&quot;&gt;Boils&lt;/p&gt;&lt;p&gt;water&lt;/p&gt;", "Boils water"),
        ("<p>红色<b>连衣裙</b></p>", "红色连衣裙"),
        ("<p>unclosed <b>tags", "unclosed tags"),
        ("<p>", ""),
    ],
)
def test_markup_becomes_the_text_that_readers_see(markup, text):
    assert plain_text(markup) == text


@pytest.mark.parametrize(
    "text", ["", "Two\nlines  of text", "waist < 90 cm & hip > 80 cm", "I <3 tea", "R&D; a<b", "<", "&", "50% < x"]
)
def test_a_text_without_markup_stays_as_it_is(text):
    assert plain_text(text) == text


def test_comparisons_stay_beside_tags():
    assert plain_text("<p>weighs < 2 kg, width<height</p>") == "weighs < 2 kg, width<height"


@given(WORDS, BLOCKS)
def test_words_survive_any_block_markup_in_order(words, tag):
    markup = "".join(f'<{tag} class="x y">{word}</{tag}>' for word in words)
    assert plain_text(markup).split() == words
    assert plain_text(escape(markup)).split() == words


@given(st.text(alphabet="ab <>&;/!-p\"'=", max_size=60))
def test_any_text_is_read_without_an_error(text):
    assert isinstance(plain_text(text), str)


def test_broken_markup_takes_no_longer_than_its_length_allows():
    for broken in ("<!--", '<a "', "<script>", "</p", "<![CDATA[", "&lt;!--"):
        assert len(plain_text(broken * (MAX_LENGTH // len(broken)))) <= MAX_LENGTH


def test_very_long_markup_is_cut():
    assert len(plain_text("<p>" + "word " * MAX_LENGTH)) <= MAX_LENGTH


def test_the_worked_examples_are_true():
    assert not doctest.testmod(module).failed
