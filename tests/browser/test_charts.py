"""The charts of the admin, as a merchant sees them."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.once]

PLANT = """
from django.contrib.auth.models import User
from ecomrec_django.models import Item, Release, Segment, TrainingRun
User.objects.filter(username="charts").delete()
User.objects.create_superuser("charts", password="charts")
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
        for name, mean in (("bought_with", 0.2), ("bought_with:popularity", 0.1))
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
# How many pixels of each canvas are painted.
PAINTED = """
() => [...document.querySelectorAll("canvas")].map((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let painted = 0;
  for (let place = 3; place < data.length; place += 4) painted += data[place] > 0;
  return painted / (data.length / 4);
})
"""


@pytest.fixture(scope="module")
def planted(real_shop, address):
    run, segment, release = real_shop.ask(PLANT).split()
    return {
        "run": f"/admin/ecomrec/trainingrun/{run}/change/",
        "segment": f"/admin/ecomrec/segment/{segment}/change/",
        "release": f"/admin/ecomrec/release/{release}/change/",
        "metrics": "/admin/ecomrec/release/metrics/",
        "map": "/admin/ecomrec/segment/interests/",
    }


def log_in(window):
    # The stock admin names no icon, so the browser asks for one that is not there.
    window.page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    window.page.goto("/admin/login/?next=/admin/")
    window.page.get_by_label("Username").fill("charts")
    window.page.get_by_label("Password").fill("charts")
    window.page.get_by_role("button", name="Log in").click()
    window.page.wait_for_url("**/admin/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_chart_is_drawn_named_and_stands_above_its_figures(visit, planted, real_shop, width, scheme):
    window = visit(width, color_scheme=scheme)
    log_in(window)
    # Another test may have trained the same shop in between, and a training judges more than what is planted.
    tasks = int(real_shop.ask(TASKS))
    for name, charts in (("segment", 2), ("release", 2), ("metrics", tasks), ("map", 0), ("run", 3)):
        window.page.goto(planted[name])
        window.check(f"{name}-{scheme}")
        painted = window.page.evaluate(PAINTED)
        assert len(painted) == charts
        assert all(0.01 < share < 0.9 for share in painted), painted
        for figure in window.page.locator("figure").all():
            label = figure.get_by_role("img").get_attribute("aria-label")
            assert figure.locator("figcaption").inner_text().split("\n")[0] in label
            assert figure.locator("tbody tr").count() >= 1


def test_a_chart_follows_the_theme(visit, planted):
    window = visit(1280, color_scheme="light")
    log_in(window)
    window.page.goto(planted["segment"])
    window.page.wait_for_load_state("networkidle")
    before = window.page.evaluate("() => document.querySelector('canvas').toDataURL()")
    window.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    window.page.wait_for_function("(before) => document.querySelector('canvas').toDataURL() !== before", arg=before)
    assert window.page.locator("canvas").count() == 2


def test_tables_show_the_figures_without_scripts(visit, planted):
    window = visit(1280, java_script_enabled=False)
    log_in(window)
    window.page.goto(planted["segment"])
    assert not window.page.locator("canvas").count()
    assert window.page.get_by_text("× 2.00").is_visible()


def test_charts_work_under_a_policy_that_allows_nothing_inline(visit, planted):
    window = visit(1280)
    log_in(window)
    policy = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data:"}

    def guarded(route):
        answer = route.fetch(max_redirects=0)
        route.fulfill(response=answer, headers={**answer.headers, **policy})

    window.page.route("**/ecomrec/**", guarded)
    for name in ("segment", "metrics"):
        window.page.goto(planted[name])
        window.page.wait_for_load_state("networkidle")
        assert all(share > 0.01 for share in window.page.evaluate(PAINTED))
