"""The beacon, by which browsers report opened product pages, and offers that came into view or were clicked.

It accepts no prices, purchases, times or other visitors. The middleware identifies the visitor, checks their consent
and writes the events, as for every page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, SignatureExpired
from django.utils.translation import gettext
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..models import Kind
from ..serving.tokens import SealedBlock, SealedExposure, open_block, open_exposure, open_item
from ..tracking import track
from ..tracking.observation import ArmExposure, Observation, ShownOffer
from ..tracking.omissions import Reason, count_omitted
from ..tracking.request_state import request_state
from .base import PageView
from .serializers import ReportsSerializer
from .throttling import BeaconThrottle


class BeaconView(PageView):
    """Records the reports of one page. Repeating a report changes nothing.

    Reports with an invalid or expired signature are ignored and counted: pages may stay in a cache for longer.
    """

    throttle_classes = [BeaconThrottle]
    serializer_class = ReportsSerializer

    def perform_authentication(self, request: Request) -> None:
        """Reject expired tokens immediately; look up sessions after the response."""
        if settings.SESSION_COOKIE_NAME in request.COOKIES and "Authorization" not in request.headers:
            request_state(request._request).authenticate = lambda: request.user
        else:
            super().perform_authentication(request)

    def post(self, request: Request) -> Response:
        serializer = ReportsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        # All of them are checked before the first is recorded.
        reports = serializer.validated_data["reports"]
        for observation in [observation for report in reports for observation in _observations(report)]:
            track.record(request._request, observation)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _observations(report: dict[str, Any]) -> list[Observation]:
    try:
        return [_view(report)] if "view" in report else list(_offers(report))
    except SignatureExpired:
        count_omitted(Reason.STALE)
    except BadSignature:
        count_omitted(Reason.FORGED)
    return []


def _view(report: dict[str, Any]) -> Observation:
    try:
        return _exposure(open_exposure(report["view"]))
    except SignatureExpired:
        raise
    except BadSignature:
        pass
    item = open_item(report["view"])
    return (
        Observation(kind=Kind.VIEW_ITEM, item=item, id=report["id"])
        if "id" in report
        else Observation(kind=Kind.VIEW_ITEM, item=item)
    )


def _exposure(sealed: SealedExposure) -> Observation:
    """Of the visitor that the page was made for."""
    shown = ShownOffer(
        nonce=sealed.nonce,
        strategy="",
        release=None,
        arm=str(sealed.arm),
        anchor="",
        position=0,
        visitor=sealed.visitor,
    )
    exposure = ArmExposure(arm=sealed.arm, segment=sealed.segment, propensity=sealed.propensity)
    return Observation(kind=Kind.VIEW_ITEM_LIST, item="", shown=shown, exposure=exposure)


def _offers(report: dict[str, Any]) -> Iterator[Observation]:
    block = open_block(report["block"])
    if "clicked" in report:
        place = report["clicked"]
        # The id makes an offer of a block count as clicked only once, however often it is reported.
        yield Observation(
            kind=Kind.SELECT_ITEM,
            item=_item(block, place),
            shown=_shown(block, place),
            id=f"click:{block.nonce}:{place}",
        )
        return
    for place in dict.fromkeys(report["seen"]):
        yield Observation(kind=Kind.VIEW_ITEM_LIST, item=_item(block, place), shown=_shown(block, place))


def _item(block: SealedBlock, place: int) -> str:
    if place > len(block.items):
        raise ValidationError({"reports": [gettext("The block has no position %(place)s.") % {"place": place}]})
    return block.items[place - 1]


def _shown(block: SealedBlock, place: int) -> ShownOffer:
    return ShownOffer(
        nonce=block.nonce,
        strategy=block.strategy,
        release=block.release,
        arm=block.arm,
        anchor=block.anchor,
        position=place,
        slot=block.slot,
        visitor=block.visitor,
    )
