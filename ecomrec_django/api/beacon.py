"""What a browser may report: that a page of ours was opened, that offers of ours came into view or were clicked.

Prices, purchases, times and other visitors cannot be said here. Who reports, whether they agreed, and the writing are
matters of the middleware, as for every page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.signing import BadSignature, SignatureExpired
from django.utils.translation import gettext
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import Kind
from ..serving.tokens import SealedBlock, open_block, open_item
from ..tracking import track
from ..tracking.observation import Observation, Shown
from ..tracking.tally import Reason, leave_out
from .base import PageView
from .serializers import ReportsSerializer
from .throttling import BeaconThrottle


class BeaconView(PageView):
    """Reports of one page. The same report again changes nothing; one with a signature that is not ours, or too old,
    is left out and counted, for a page may lie in a cache for longer than that."""

    throttle_classes = [BeaconThrottle]
    serializer_class = ReportsSerializer

    def post(self, request: Request) -> Response:
        asked = ReportsSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        for one in [one for report in asked.validated_data["reports"] for one in _observed(report)]:
            track.say(request._request, one)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _observed(report: dict[str, Any]) -> list[Observation]:
    try:
        return [_view(report)] if "view" in report else list(_offers(report))
    except SignatureExpired:
        leave_out(Reason.STALE)
    except BadSignature:
        leave_out(Reason.FORGED)
    return []


def _view(report: dict[str, Any]) -> Observation:
    item = open_item(report["view"])
    return Observation(Kind.VIEW_ITEM, item, id=report["id"]) if "id" in report else Observation(Kind.VIEW_ITEM, item)


def _offers(report: dict[str, Any]) -> Iterator[Observation]:
    block = open_block(report["block"])
    if "clicked" in report:
        place = report["clicked"]
        # One click on an offer of one block is enough, however often and late it is reported.
        yield Observation(
            Kind.SELECT_ITEM, _item(block, place), shown=_shown(block, place), id=f"click:{block.nonce}:{place}"
        )
        return
    for place in dict.fromkeys(report["seen"]):
        yield Observation(Kind.VIEW_ITEM_LIST, _item(block, place), shown=_shown(block, place))


def _item(block: SealedBlock, place: int) -> str:
    if place > len(block.items):
        raise ValidationError({"reports": [gettext("The block has no place %(place)s.") % {"place": place}]})
    return block.items[place - 1]


def _shown(block: SealedBlock, place: int) -> Shown:
    return Shown(block.nonce, block.strategy, block.release, block.arm, block.anchor, place, block.slot)
