"""Whether a request comes from a program that says so."""

from __future__ import annotations

from functools import lru_cache

from crawleruseragents import is_crawler


@lru_cache(maxsize=4096)
def is_bot(user_agent: str) -> bool:
    """True for no name at all, and for names that crawlers, previews and libraries give themselves."""
    return not user_agent or is_crawler(user_agent)
