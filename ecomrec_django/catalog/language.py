"""The language in which products and categories are compared, whatever language a visitor reads them in."""

from __future__ import annotations

from contextlib import AbstractContextManager

from django.conf import settings
from django.utils import translation


def catalog_language() -> AbstractContextManager[None]:
    """A block in which the shop's names and texts are those of ``LANGUAGE_CODE``, so that all visitors get the same."""
    return translation.override(settings.LANGUAGE_CODE)
