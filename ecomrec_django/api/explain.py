"""Explanations for staff: what a page would offer to a visitor, and what excludes every other candidate."""

from __future__ import annotations

from typing import Any

from django.utils.cache import patch_cache_control
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..conf import conf
from ..errors import EcomrecError
from ..insights.explain import Explanation, explain, explain_slot, page_for, why_absent
from ..insights.rule_messages import rule_message
from ..models import Segment, Visitor
from ..serving.page import Page
from ..strategies.base import evidence_of
from .base import StaffView
from .permissions import MayViewLists
from .serializers import StrictSerializer


class ExplainQuerySerializer(StrictSerializer):
    """``?strategy=bought_with&item=A`` or ``?slot=product&item=A``, ``segment`` or ``visitor``, ``why_not=B``."""

    strategy = serializers.CharField(required=False, max_length=32)
    slot = serializers.CharField(required=False, max_length=32)
    item = serializers.CharField(required=False, max_length=128, default="", help_text=_("ID of the page's product."))
    segment = serializers.IntegerField(required=False, min_value=1, max_value=2**31)
    visitor = serializers.CharField(required=False, max_length=64, help_text=_("A visitor's key."))
    why_not = serializers.CharField(required=False, max_length=128, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        strategy, slot = attrs.get("strategy"), attrs.get("slot")
        if (strategy is None) == (slot is None):
            raise ValidationError(_("Give either a strategy or a slot."))
        if strategy is not None and strategy not in conf.STRATEGIES:
            raise ValidationError({"strategy": _("There is no such strategy.")})
        if slot is not None and slot not in conf.SLOTS:
            raise ValidationError({"slot": _("There is no such slot.")})
        return attrs


class CandidateSerializer(serializers.Serializer):
    """One candidate and the guard's verdict."""

    item = serializers.CharField()
    rank = serializers.IntegerField(help_text=_("Rank among all candidates, starting at 1."))
    place = serializers.IntegerField(allow_null=True, help_text=_("Position in the block; null if it is not shown."))
    rule = serializers.CharField(help_text=_("What excludes it; empty if nothing does."))
    rule_text = serializers.CharField()
    evidence = serializers.DictField(child=serializers.FloatField(allow_null=True))


class ExplainedBlockSerializer(serializers.Serializer):
    """One strategy of a block with all of its candidates."""

    strategy = serializers.CharField()
    fills = serializers.BooleanField(help_text=_("Whether this block is the one shown."))
    release = serializers.IntegerField(allow_null=True)
    limit = serializers.IntegerField()
    candidates = CandidateSerializer(many=True)
    why_not = serializers.CharField(required=False, help_text=_("Given for a product that is not a candidate."))


class ExplanationSerializer(serializers.Serializer):
    """The strategies of a block, in the order in which they may fill it."""

    blocks = ExplainedBlockSerializer(many=True)


class ExplainView(StaffView):
    """The guard's verdict on every candidate.

    Needs the permission to view offer lists and, for the offers of a visitor, to view visitors.
    """

    permission_classes = [MayViewLists]
    serializer_class = ExplanationSerializer

    def get(self, request: Request) -> Response:
        serializer = ExplainQuerySerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        query = serializer.validated_data
        page = page_for(query.get("segment"), self._visitor(request, query))
        anchors = [query["item"]] if query["item"] else []
        slot = query.get("slot", "")
        try:
            if slot:
                explanations = explain_slot(page, slot, anchors, query.get("visitor", ""))
            else:
                explanations = [explain(page, query["strategy"], anchors)]
            blocks = [_block(page, explanation, anchors, query["why_not"], slot) for explanation in explanations]
        except EcomrecError as error:
            raise ValidationError({"detail": str(error)}) from error
        response = Response({"blocks": blocks})
        patch_cache_control(response, private=True, no_store=True)
        return response

    def _visitor(self, request: Request, query: dict[str, Any]) -> Visitor | None:
        if "segment" in query and not Segment.objects.filter(pk=query["segment"]).exists():
            raise ValidationError({"segment": _("There is no such segment.")})
        if "visitor" not in query:
            return None
        if not request.user.has_perm("ecomrec.view_visitor"):
            raise PermissionDenied
        visitor = Visitor.objects.filter(key=query["visitor"]).first()
        if visitor is None:
            raise ValidationError({"visitor": _("There is no visitor with this key.")})
        return visitor


def _block(page: Page, explanation: Explanation, anchors: list[str], why_not: str, slot: str) -> dict[str, Any]:
    block: dict[str, Any] = {
        "strategy": explanation.strategy,
        "fills": explanation.fills,
        "release": explanation.release,
        "limit": explanation.limit,
        "candidates": [
            {
                "item": verdict.offer.item,
                "rank": verdict.rank,
                "place": verdict.place,
                "rule": verdict.violation.code if verdict.violation is not None else "",
                "rule_text": rule_message(verdict.violation) if verdict.violation is not None else "",
                "evidence": evidence_of(verdict.offer),
            }
            for verdict in explanation.verdicts
        ],
    }
    if why_not and explanation.of(why_not) is None:
        block["why_not"] = rule_message(why_absent(page, explanation.strategy, anchors, why_not, slot))
    return block
