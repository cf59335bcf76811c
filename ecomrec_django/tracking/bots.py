"""Detection of bots that identify themselves."""

from __future__ import annotations

from functools import lru_cache

from crawleruseragents import is_crawler


@lru_cache(maxsize=4096)
def is_bot(user_agent: str) -> bool:
    """True for an empty user agent, and for those of crawlers, link previews and HTTP libraries."""
    return not user_agent or is_crawler(user_agent)
