"""Parsing of request bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MOST_BYTES = 16 * 1024


class TooLarge(APIException):
    """The body is larger than MOST_BYTES."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body may have at most 16 KB.")
    default_code = "too_large"


class SmallJSONParser(BaseParser):
    """Parses JSON of at most MOST_BYTES and reads no more, whatever encoding the request declares."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, context: Mapping[str, Any] | None = None) -> Any:
        """The value of the body; raises TooLarge or ParseError."""
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise TooLarge
        try:
            return json.loads(body)
        # Thousands of brackets exceed Python's recursion limit.
        except (ValueError, RecursionError):
            raise ParseError(_("The body is not JSON.")) from None
