"""Segments: their sizes, their profiles, the map of interests, and the shoppers of each."""

import math
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.admin.components import filters, segment_charts
from ecomrec_django.models import Profile, Segment, Visitor

pytestmark = pytest.mark.urls("tests.admin.urls")

LIST = "/admin/ecomrec/segment/"
MAP = f"{LIST}interests/"
PROFILE = {
    "features": {
        "morning": {"mean": 0.08, "all": 0.2},
        "recency": {"mean": 20.0, "all": 10.0},
        "weekend": {"mean": 0, "all": 0.3},
        "views_per_purchase": {"mean": 0.0, "all": 0.0},
        "night_owls": {"mean": 3, "all": 2},
    },
    "aisles": [
        {"aisle": 1, "name": "Grocery > Milk", "share": 0.3, "all": 0.1},
        {"aisle": 2, "name": "Grocery > Bread", "share": 0.2, "all": 0.4},
        {"aisle": 3, "name": "Fuel", "share": 0.0001, "all": 0.00001},
    ],
}
OTHER = {"features": {}, "aisles": [{"aisle": 2, "name": "Grocery > Bread", "share": 0.4, "all": 0.4}]}


class Tables(HTMLParser):
    """The text of every table's rows; the attributes of every start tag."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.tags, self.inside = [], [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        if tag in {"td", "th"}:
            self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()


@pytest.fixture
def segments(db):
    return [
        Segment.objects.create(label=0, description="Often", size=30, profile=PROFILE),
        Segment.objects.create(label=1, description="Rarely", name="Guests", size=10, profile=OTHER),
        Segment.objects.create(label=2, description="Like nobody", size=0, outliers=True),
    ]


def page(segment):
    return f"{LIST}{segment.pk}/change/"


def read(client, url):
    return Tables(client.get(url).content.decode())


def test_the_list_shows_names_sizes_and_shares_of_all(superuser_client, segments):
    rows = [row[:5] for row in read(superuser_client, LIST).rows if row]
    assert ["Often", "", "30", "75%", ""] in rows
    assert ["Guests", "Rarely", "10", "25%", ""] in rows
    assert ["Like nobody", "", "0", "0%", "outliers"] in rows


def test_shares_of_nobody_are_no_error(superuser_client, db):
    segment = Segment.objects.create(label=0, description="Nobody")
    assert superuser_client.get(page(segment)).status_code == 200
    assert superuser_client.get(LIST).status_code == 200


def test_an_empty_list_says_what_to_do(superuser_client, db):
    assert "ecomrec_train" in superuser_client.get(LIST).content.decode()
    assert "ecomrec_train" in superuser_client.get(MAP).content.decode()


def test_features_are_written_with_names_units_and_the_ratio_that_is_drawn(superuser_client, segments):
    rows = read(superuser_client, page(segments[0])).rows
    # Rounded, not cut: 0.08 / 0.2 is a little less than 0.4.
    for row in [
        ["Time since the last order", "20.0 days", "10.0 days", "× 2.00"],
        ["Purchases in the morning", "8.0%", "20%", "× 0.40"],
        ["Purchases at weekends", "0%", "30%", "× 0.00"],
        ["Views per purchase", "0.0", "0.0", "–"],
        ["Night owls", "3.00", "2.00", "× 1.50"],
    ]:
        assert row in rows
    chart = segment_charts.features_chart(segments[0])
    assert [row.cells[-1].value for row in chart.rows] == [2.0, 0.0, pytest.approx(0.4), None, 1.5]
    assert [column.drawn for column in chart.columns] == [False, False, False, True]


def test_only_categories_bought_more_and_often_enough_are_named(superuser_client, segments):
    assert [(row.title, row.short) for row in segment_charts.aisles_chart(segments[0]).rows] == [
        ("Grocery > Milk", "Milk")
    ]
    assert ["Grocery > Milk", "30%", "10%", "× 3.00"] in read(superuser_client, page(segments[0])).rows


def test_values_for_the_script_do_not_follow_the_language(superuser_client, segments):
    html = superuser_client.get(page(segments[0]), headers={"accept-language": "de"}).content.decode()
    values = [float(attributes["data-value"]) for _tag, attributes in Tables(html).tags if "data-value" in attributes]
    assert values == [2.0, 0.0, pytest.approx(0.4), 1.5, pytest.approx(3.0)]


def test_scripts_are_loaded_by_the_pages_that_draw_and_by_no_other(superuser_client, segments):
    assert "charts.js" in superuser_client.get(page(segments[0])).content.decode()
    assert "charts.js" not in superuser_client.get(LIST).content.decode()
    assert "charts.js" not in superuser_client.get(MAP).content.decode()


def test_no_page_has_a_script_or_a_style_of_its_own(superuser_client, segments):
    for url in (page(segments[0]), MAP):
        html = superuser_client.get(url).content.decode()
        tags = Tables(html).tags
        assert all("src" in attributes for tag, attributes in tags if tag == "script")
        assert not [tag for tag, attributes in tags if tag == "style" or "style" in attributes]


@pytest.mark.parametrize(
    "profile",
    [
        {},
        [],
        {"features": None, "aisles": None},
        {"features": {"recency": 3, "money": {"mean": "much"}}, "aisles": [1, {}, {"aisle": "x"}]},
    ],
)
def test_a_profile_that_is_not_there_or_not_whole_is_no_error(superuser_client, db, profile):
    segment = Segment.objects.create(label=0, description="Odd", profile=profile)
    html = superuser_client.get(page(segment)).content.decode()
    assert "Odd" in html
    assert ("No data: the last training did not find this segment" in html) == (
        not profile or profile["features"] is None
    )
    assert superuser_client.get(MAP).status_code == 200


def test_the_map_has_each_ratio_in_its_shade_and_largest_categories_first(superuser_client, segments):
    tables = read(superuser_client, MAP)
    assert tables.rows[-4:] == [
        ["Category", "Often", "Guests"],
        ["Grocery > Bread", "× 0.50", "× 1.00"],
        ["Grocery > Milk", "× 3.00", "–"],
        ["Fuel", "× 10.00", "–"],
    ]
    shades = [attributes.get("class", "").split("-heat-")[-1] for tag, attributes in tables.tags if tag == "td"]
    assert shades[-6:] == ["less-2", "none", "more-3", "none", "more-3", "none"]
    scopes = [attributes.get("scope") for tag, attributes in tables.tags if tag == "th"]
    assert scopes[-6:] == ["col", "col", "col", "row", "row", "row"]


def test_the_map_says_how_many_categories_it_leaves_out(superuser_client, segments, monkeypatch):
    monkeypatch.setattr(segment_charts, "MAPPED", 1)
    html = superuser_client.get(MAP).content.decode()
    assert "Grocery &gt; Bread" in html
    assert "Fuel" not in html
    assert "2 smaller categories are not shown." in html


@given(st.floats(1e-6, 1e6))
def test_twice_and_half_have_equally_strong_shades(by):
    assert segment_charts.shade_of(by) == -segment_charts.shade_of(1 / by) or math.isclose((2 * math.log2(by)) % 1, 0.5)
    assert abs(segment_charts.shade_of(by)) <= segment_charts.SHADES


def test_only_the_name_can_be_changed_and_is_logged(client_with, segments):
    found = datetime(2026, 1, 1, tzinfo=UTC)
    Segment.objects.update(updated=found)
    staff = client_with("view_segment", "change_segment")
    staff.post(page(segments[0]), {"name": "Regulars", "description": "x", "size": 5, "label": 9})
    segment = Segment.objects.get(pk=segments[0].pk)
    assert (segment.name, segment.description, segment.size, segment.label) == ("Regulars", "Often", 30, 0)
    assert segment.updated == found
    assert segment.profile == PROFILE
    assert LogEntry.objects.get().object_repr == "Regulars"


def test_segments_are_neither_deleted_nor_renamed_without_the_right(superuser_client, client_with, segments):
    assert superuser_client.post(f"{LIST}{segments[0].pk}/delete/").status_code == 403
    assert client_with("view_segment").post(page(segments[0]), {"name": "Mine"}).status_code == 403
    assert not Segment.objects.filter(name="Mine").exists()


@pytest.fixture
def shoppers(segments):
    visitors = [Visitor.objects.create(key=f"{n:064d}") for n in range(6)]
    for visitor, segment in zip(visitors, [*segments[:2], *segments[:2], None], strict=False):
        Profile.objects.create(visitor=visitor, segment=segment, history=b"", until=timezone.now())
    return visitors


def visitors(client, **query):
    return list(client.get("/admin/ecomrec/visitor/", query).context["cl"].result_list)


def test_visitors_are_shown_with_their_segment_and_filtered_by_it(superuser_client, segments, shoppers):
    assert len(visitors(superuser_client)) == 6
    assert visitors(superuser_client, segment=segments[1].pk) == [shoppers[3], shoppers[1]]
    assert visitors(superuser_client, segment=segments[1].pk, q=shoppers[1].key) == [shoppers[1]]
    assert visitors(superuser_client, segment=segments[0].pk, q=shoppers[1].key) == []
    assert visitors(superuser_client, segment="nonsense") == []
    html = superuser_client.get(f"/admin/ecomrec/visitor/{shoppers[1].pk}/change/").content.decode()
    assert "Guests" in html
    assert superuser_client.get(f"/admin/ecomrec/visitor/{shoppers[5].pk}/change/").status_code == 200


def test_of_a_large_segment_the_newest_shoppers_are_listed(superuser_client, segments, shoppers, monkeypatch):
    monkeypatch.setattr(filters, "MAX_ROWS", 1)
    assert visitors(superuser_client, segment=segments[1].pk) == [shoppers[3]]
    assert visitors(superuser_client, segment=segments[1].pk, q=shoppers[1].key) == [shoppers[1]]
