"""The ``ECOMREC`` settings: defaults, dotted paths, reload when tests change them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .errors import ConfigurationError, suggestion

DEFAULTS: dict[str, Any] = {
    # The shop's Catalog subclass, as a dotted path. The only required setting.
    "CATALOG": None,
    # Folder of history files and model artifacts; a relative path starts at settings.BASE_DIR.
    "ARTIFACTS": "var/ecomrec",
    # URL name -> keyword argument with the product's external id, or "context:NAME" for a product in the view's
    # context: these pages record `view_item`.
    "TRACK_VIEWS": {},
    # Called with the request; returns whether this shopper agreed to be recorded. It must not query the database.
    "CONSENT": "ecomrec_django.tracking.consent.opt_in",
    # Version of the privacy policy that shoppers agree to now; every event carries it.
    "POLICY_VERSION": "1",
    # Where observations go once a response is out: straight to the database, or through Redis.
    "SINK": "ecomrec_django.tracking.sinks.DatabaseSink",
    # Address of the Redis of RedisSink, such as "redis://127.0.0.1:6379/0".
    "REDIS": None,
    # Strategy name -> dotted path of a Strategy class; every one is trained and served.
    "STRATEGIES": {
        "bought_with": "ecomrec_django.strategies.bought_with.BoughtWith",
        "upgrade_to": "ecomrec_django.strategies.upgrade_to.UpgradeTo",
        "for_you": "ecomrec_django.strategies.for_you.ForYou",
        "buy_again": "ecomrec_django.strategies.buy_again.BuyAgain",
    },
    # Places on pages, by name. Each asks the strategies of its chain in turn until one has its minimum of sound offers,
    # one if it names none, and shows nothing if none has; "limit" overrides LIMIT.
    "SLOTS": {
        "product": {"chain": ["bought_with", "for_you"]},
        "upgrade": {"chain": ["upgrade_to"]},
        "cart": {"chain": ["bought_with", "for_you"]},
        "home": {"chain": ["for_you"]},
        "again": {"chain": ["buy_again"]},
        "category": {"chain": ["for_you"]},
        "confirmation": {"chain": ["bought_with", "for_you"]},
    },
    # Days within which a purchase is credited to an offer of the same item that was clicked, or else seen.
    "ATTRIBUTION": {"click_days": 7, "view_days": 1},
    # Views within so many days without a click after which an offer gives way to others; None: never.
    "FREQUENCY_CAP": {"views": 5, "days": 7},
    # Offers that a merchant approves before shoppers see them: "auto" (none), "changes" (those that a release adds
    # to the published ones) or "all" (those of the first release as well).
    "REVIEW": "auto",
    # Offers in a block unless the tag or the API call says otherwise.
    "LIMIT": 4,
    # What the offers of a strategy are ranked by, such as {"bought_with": "revenue"}: one of its class's `objectives`,
    # which are "uplift", "probability", "revenue" and "margin"; the first of them by default.
    "OBJECTIVE": {},
    # Popularity against discovery, in lists and in offers to a known shopper: 0 favours what is most likely bought, 1
    # what few others buy. A rule in the admin may say otherwise.
    "DISCOVERY": 0,
    # Largest share of product pages (0 to 1) on which one item may stand in the lists of a strategy; None: any.
    "MAX_SHARE": None,
    # Weights of a view, a cart, a purchase and a review in a shopper's interests, and the half-life in days:
    # {"view": 1, "cart": 3, "purchase": 5, "review": 3, "half_life": 30}. None: learned from the history.
    "INTEREST_WEIGHTS": None,
    # Alias in settings.CACHES that holds offer lists, and for how long (seconds; 0 turns caching off).
    "CACHE": "default",
    "CACHE_SECONDS": 60,
    # Upper bounds of the training engine.
    "MEMORY": "1500MB",
    "THREADS": 2,
    # Memory limit of a process that trains networks; one that exceeds it is stopped, and continues the next time.
    "DEEP_MEMORY": "4GB",
    # Releases kept for rollback, including the published one.
    "RELEASES_KEPT": 3,
    # Who is told that a training failed or held offers back: e-mail addresses, URLs of webhooks, and dotted paths of
    # functions of (subject, text).
    "NOTIFY": (),
    # Dotted paths of the REST framework authentication classes of the shoppers' endpoints; None: those in the project's
    # REST_FRAMEWORK setting, and the session.
    "AUTHENTICATION": None,
    # Origins of front ends, such as "https://shop.example", that may ask for consent, report impressions and clicks,
    # and read personal data.
    "FRONTENDS": (),
    # DRF throttle rates of the public endpoints, and of what pages report, which many shoppers of one address may.
    "THROTTLE": "120/min",
    "BEACON_THROTTLE": "600/min",
}

# Keys whose values are dotted paths, resolved on first use.
IMPORTED = frozenset({"CATALOG", "CONSENT", "SINK"})


def _imported(setting: str, value: Any) -> Any:
    """The object of a dotted path; any other value unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        module, _, name = value.rpartition(".")
        hint = suggestion(name, vars(sys.modules[module])) if module in sys.modules else ""
        raise ConfigurationError(f"{setting} = {value!r} cannot be imported: {error}. {hint}".strip()) from error


class Conf:
    """Attribute access to ``ECOMREC``: ``conf.LIMIT``, ``conf.CATALOG`` (the class itself)."""

    def __init__(self) -> None:
        self._cache: dict[str, Any] = {}

    @property
    def given(self) -> dict[str, Any]:
        """The project's own settings, without defaults."""
        given = getattr(settings, "ECOMREC", {})
        if not isinstance(given, dict):
            raise ConfigurationError(
                f'ECOMREC must be a dict, such as {{"CATALOG": "shop.recommendations.ShopCatalog"}}, not {given!r}.'
            )
        return given

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in DEFAULTS:
            raise AttributeError(f"ECOMREC has no setting {name!r}")
        if name not in self._cache:
            self._cache[name] = self._resolve(name, self.given.get(name, DEFAULTS[name]))
        return self._cache[name]

    def _resolve(self, name: str, value: Any) -> Any:
        if name == "ARTIFACTS":
            return Path(getattr(settings, "BASE_DIR", Path.cwd())) / value
        if name == "STRATEGIES":
            if not isinstance(value, dict):
                raise ConfigurationError('ECOMREC["STRATEGIES"] must be a dict of dotted paths by strategy name.')
            return {key: _imported(f'ECOMREC["STRATEGIES"]["{key}"]', path) for key, path in value.items()}
        if name == "AUTHENTICATION" and value is not None:
            return [_imported('ECOMREC["AUTHENTICATION"]', path) for path in value]
        if name in IMPORTED and value is None:
            raise ConfigurationError(
                f'Set ECOMREC["{name}"] to a dotted path, such as "shop.recommendations.ShopCatalog".'
            )
        return _imported(f'ECOMREC["{name}"]', value) if name in IMPORTED else value

    def reload(self) -> None:
        """Forget resolved values, so that changed settings are read."""
        self._cache.clear()


conf = Conf()


def _reload(*, setting: str, **kwargs: Any) -> None:
    if setting in {"ECOMREC", "BASE_DIR"}:
        conf.reload()


setting_changed.connect(_reload)
