"""Whether a request comes from a program that says so."""

from __future__ import annotations

import re
from functools import lru_cache

_SIGNS = re.compile(
    r"(?<!cu)bot(?:\b|[_-])|crawl|spider|slurp|preview|monitor|headless|lighthouse|scrapy|archiver|fetch|"
    r"^(?:curl|wget|python|java|go-http|okhttp|libwww|php|ruby|axios|node|httpx|aiohttp)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def is_bot(user_agent: str) -> bool:
    """True for no name at all, and for names that crawlers, previews and libraries give themselves."""
    return not user_agent or _SIGNS.search(user_agent) is not None
