import pytest
from django.core.checks import run_checks
from django.urls import include, path, re_path

from ecomrec_django.checks import project
from ecomrec_django.checks.project import TRACKING, check_cache, check_project
from ecomrec_django.tracking.consent import opt_in
from ecomrec_django.tracking.middleware import TrackingMiddleware
from tests.support.planted_shop import PlantedCatalog

UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
REDIS = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:6379"}


@pytest.fixture(autouse=True)
def _sound_project(settings):
    settings.ECOMREC = {"CATALOG": PlantedCatalog, "CONSENT": opt_in}


def texts(messages):
    return [f"{message.id.removeprefix('ecomrec.')} {message.msg} {message.hint}" for message in messages]


def only_text(messages):
    (text,) = texts(messages)
    return text


def test_a_sound_project_passes():
    assert check_project(None) == []


def test_all_checks_run_at_start_up():
    assert not [message for message in run_checks() if str(message.id).startswith("ecomrec.")]


def test_a_check_makes_no_query(django_assert_num_queries, db):
    with django_assert_num_queries(0):
        check_project(None)


def test_missing_middleware_is_a_warning(settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name != TRACKING]
    assert only_text(check_project(None)).startswith("W031 TrackingMiddleware is not in MIDDLEWARE")


class OwnTracking(TrackingMiddleware):
    pass


def test_middleware_of_the_shops_own_that_inherits_passes(settings):
    own = f"{__name__}.OwnTracking"
    settings.MIDDLEWARE = [own if name == TRACKING else name for name in settings.MIDDLEWARE]
    assert check_project(None) == []


def test_middleware_before_that_of_the_cache_is_an_error(settings):
    settings.MIDDLEWARE = [UPDATE_CACHE, *settings.MIDDLEWARE]
    assert check_project(None) == []
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[1:], UPDATE_CACHE]
    assert only_text(check_project(None)).startswith(f"E030 TrackingMiddleware comes before {UPDATE_CACHE}")


def test_rest_framework_outside_of_installed_apps_is_a_warning(settings):
    settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if name != "rest_framework"]
    assert only_text(check_project(None)).endswith('INSTALLED_APPS += ["rest_framework"]')


def test_templates_without_the_request_are_a_warning(settings):
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": {}}]
    assert only_text(check_project(None)).startswith("W034 Templates have no request in their context")


def test_templates_that_are_not_found_are_a_warning(settings):
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "APP_DIRS": False}]
    assert {text.split()[0] for text in texts(check_project(None))} == {"W035"}


def test_a_template_of_the_shops_own_that_cannot_be_compiled_is_an_error(settings, tmp_path):
    (tmp_path / "ecomrec").mkdir()
    (tmp_path / "ecomrec" / "offer.html").write_text("{% if %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert only_text(check_project(None)).startswith("E036 The template ecomrec/offer.html cannot be compiled")


def test_a_project_without_templates_passes(settings):
    settings.TEMPLATES = []
    assert check_project(None) == []


def test_consent_that_nobody_connected_is_an_information(settings):
    settings.ECOMREC = {"CATALOG": PlantedCatalog}
    (message,) = check_project(None)
    assert message.id == "ecomrec.I037"
    assert "ecomrec_django.tracking.consent.agree" in message.msg
    assert "ecomrec_django.tracking.consent.opt_in" in message.hint


@pytest.fixture
def urls(settings, monkeypatch):
    """Gives the project these URL patterns."""

    def use(*patterns):
        import tests.tracking.urls as module

        monkeypatch.setattr(module, "urlpatterns", list(patterns))
        settings.ROOT_URLCONF = "tests.tracking.urls"

    return use


def view(request):
    raise AssertionError


OURS = path("anywhere/", include("ecomrec_django.urls"))


def test_urls_that_are_not_included_are_a_warning(urls):
    urls(path("", view))
    assert only_text(check_project(None)).startswith("W032 ecomrec_django.urls is not included")


def test_urls_that_cannot_be_loaded_are_left_to_django(settings):
    settings.ROOT_URLCONF = "nowhere.urls"
    assert check_project(None) == []


def test_views_to_track_are_found_by_name_namespace_and_argument(settings, urls):
    inner = ([path("product/<slug:sku>/", view, name="product")], "shop")
    urls(
        OURS,
        path("<slug:language>/", include(inner)),
        re_path(r"^old/(?P<pk>\d+)/$", view, name="old"),
        path("fixed/", view, {"sku": "A"}, name="fixed"),
        path("", view),
    )
    tracked = {"shop:product": "language", "old": "pk", "fixed": "sku", f"{__name__}.view": "context:product"}
    settings.ECOMREC = {**settings.ECOMREC, "TRACK_VIEWS": tracked}
    assert check_project(None) == []


@pytest.mark.parametrize(
    ("tracked", "text"),
    [
        ({"produkt": "sku"}, 'names the view "produkt", and no URL has this name. Did you mean "product"?'),
        ({"product": "pk"}, 'is "pk", and the URL has no such argument. Its arguments: sku.'),
        ({"home": "sku"}, "Its arguments: none."),
    ],
)
def test_a_view_to_track_that_does_not_exist_is_a_warning(settings, tracked, text):
    settings.ECOMREC = {**settings.ECOMREC, "TRACK_VIEWS": tracked}
    message = only_text(check_project(None))
    assert message.startswith("W038 ")
    assert text in message


@pytest.mark.parametrize(("cache", "is_shared"), [(LOCAL, False), (REDIS, True)])
def test_a_cache_of_each_process_is_a_warning_before_a_deployment(settings, cache, is_shared):
    settings.CACHES = {"default": LOCAL, "offers": cache}
    settings.ECOMREC = {**settings.ECOMREC, "CACHE": "offers"}
    messages = check_cache(None)
    assert [message.id for message in messages] == ([] if is_shared else ["ecomrec.W039"])
    assert not [message for message in run_checks() if message.id == "ecomrec.W039"]


@pytest.mark.parametrize("task", ["ecomrec.train", "shop.newsletter"])
def test_tasks_scheduled_without_celery_are_a_warning(settings, monkeypatch, task):
    settings.CELERY_BEAT_SCHEDULE = {"nightly": {"task": task, "schedule": 86_400}}
    assert check_project(None) == []
    monkeypatch.setattr(project, "find_spec", lambda name: None)
    messages = texts(check_project(None))
    assert [message.startswith("W042 CELERY_BEAT_SCHEDULE schedules ecomrec.train") for message in messages] == (
        [True] if task == "ecomrec.train" else []
    )
