"""The charts of the admin, as a merchant sees them."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.once]

PLANT = """
from ecomrec_django.models import Item, Release, Segment, TrainingRun
features = {"recency": {"mean": 20.0, "all": 10.0}, "morning": {"mean": 0.0, "all": 0.2}}
aisles = [{"aisle": n, "name": f"Food > C{n}", "share": 0.1 * n, "all": 0.25} for n in range(1, 5)]
for label in range(6):
    row = {"description": f"Shoppers number {label} of the segments", "size": 9}
    row["profile"] = {"features": features, "aisles": aisles}
    Segment.objects.update_or_create(label=1000 + label, defaults=row)
# Never the published one: the next training compares itself with that.
release = Release.objects.create(run=TrainingRun.objects.create(status="done"), complete=True)
release.evaluation = {
    "methods": {
        name: {"ndcg": {"mean": mean, "low": mean - 0.02, "high": mean + 0.02}}
        for name, mean in (("bought_with", 0.2), ("bought_with:popularity", 0.1), ("for_you", 0.3))
    },
    "signals": {"bought_with": [["probability", 0.3], ["own_share", 0.1]]},
}
release.save()
items = list(Item.objects.order_by("pk").values_list("pk", flat=True)[:40])
places = [[place / 40, place * 7 % 40 / 40] for place in range(len(items))]
table = {"used": "behaviour", "behaviour": {"test": 0.3, "validation": 0.2}}
metrics = {"quality": [[0.5, 0.2], [0.6, 0.3]], "ablation": {"for_you": table}}
metrics["map"] = {"items": items, "places": places}
run = TrainingRun.objects.create(status="done", kind="sequences", metrics=metrics)
print(run.pk, Segment.objects.get(label=1000).pk, release.pk)
"""
# What the releases were judged by: each task is a chart of the metrics.
TASKS = """
from ecomrec_django.models import Release
evaluations = Release.objects.filter(complete=True).values_list("evaluation", flat=True)
print(len({method.split(":")[0] for each in evaluations for method in each.get("methods", {})}))
"""
# How much of each canvas is painted.
PAINTED = """
() => [...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let place = 3; place < data.length; place += 4) painted += data[place] > 0;
  return painted / (data.length / 4);
})
"""
PICTURE = "() => document.querySelector('canvas').toDataURL()"


@pytest.fixture(scope="module")
def planted(real_shop):
    run, segment, release, tasks = real_shop.ask(PLANT + TASKS).split()
    addresses = {
        "run": f"/admin/ecomrec/trainingrun/{run}/change/",
        "segment": f"/admin/ecomrec/segment/{segment}/change/",
        "release": f"/admin/ecomrec/release/{release}/change/",
        "metrics": "/admin/ecomrec/release/metrics/",
        "map": "/admin/ecomrec/segment/interests/",
    }
    return addresses, int(tasks)


def painted(page, charts):
    """The painted part of each chart, once all are drawn."""
    drawn = f"() => ((all) => all.length === {charts} && all.every((part) => part > 0.01))(({PAINTED})())"
    page.wait_for_function(drawn)
    return page.evaluate(PAINTED)


# The other width and colours come while the page is shown, as when a screen is turned in the evening.
@pytest.mark.parametrize(("widths", "schemes"), [((1280, 390), ("light", "dark")), ((390, 1280), ("dark", "light"))])
def test_every_chart_is_drawn_named_and_stands_above_its_figures(enter, planted, widths, schemes):
    addresses, tasks = planted
    window = enter(widths[0], color_scheme=schemes[0])
    page = window.page
    for name, charts in (("segment", 2), ("release", 2), ("metrics", tasks), ("map", 0), ("run", 3)):
        page.goto(addresses[name])
        for width, scheme in zip(widths, schemes, strict=True):
            window.resize(width)
            page.emulate_media(color_scheme=scheme)
            assert all(part < 0.9 for part in painted(page, charts))
            window.check(f"{name}-{width}-{scheme}")
        for figure in page.locator("figure").all():
            label = figure.get_by_role("img").get_attribute("aria-label")
            assert figure.locator("figcaption").inner_text().split("\n")[0] in label
            assert figure.locator("tbody tr").count() >= 1
        window.resize(widths[0])
        page.emulate_media(color_scheme=schemes[0])


def test_a_chart_follows_the_theme(enter, planted):
    page = enter(1280, color_scheme="light").page
    page.goto(planted[0]["segment"])
    painted(page, 2)
    before = page.evaluate(PICTURE)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"(before) => ({PICTURE})() !== before", arg=before)
    assert page.locator("canvas").count() == 2


def test_tables_show_the_figures_without_scripts(enter, planted):
    page = enter(1280, java_script_enabled=False).page
    page.goto(planted[0]["segment"])
    assert not page.locator("canvas").count()
    assert page.get_by_text("× 2.00").is_visible()


def test_charts_work_under_a_policy_that_allows_nothing_inline(enter, planted):
    addresses, tasks = planted
    window = enter(1280)
    policy = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data:"}

    def guarded(route):
        answer = route.fetch(max_redirects=0)
        route.fulfill(response=answer, headers={**answer.headers, **policy})

    window.page.route("**/ecomrec/**", guarded)
    for name, charts in (("segment", 2), ("metrics", tasks)):
        window.page.goto(addresses[name])
        painted(window.page, charts)
