"""Why, and why not, for staff: what a page would offer to somebody, and what keeps each other candidate out."""

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
from ..insights.rules_said import said
from ..models import Segment, Visitor
from ..serving.page import Page
from ..serving.registry import strategy_named
from ..strategies.base import evidence_of
from .base import StaffView
from .permissions import MayViewLists
from .serializers import StrictSerializer


class ExplainQuerySerializer(StrictSerializer):
    """``?strategy=bought_with&item=A`` or ``?slot=product&item=A``, seen by whom, and ``why_not=B``."""

    strategy = serializers.CharField(required=False, max_length=32)
    slot = serializers.CharField(required=False, max_length=32)
    item = serializers.CharField(
        required=False, max_length=128, default="", help_text=_("Shop's id of the page's product.")
    )
    segment = serializers.IntegerField(required=False, min_value=1, max_value=2**31)
    visitor = serializers.CharField(required=False, max_length=64, help_text=_("A visitor's key."))
    why_not = serializers.CharField(required=False, max_length=128, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        strategy, slot = attrs.get("strategy"), attrs.get("slot")
        if (strategy is None) == (slot is None):
            raise ValidationError(_("Name a strategy or a slot, one of them."))
        if strategy is not None and strategy not in conf.STRATEGIES:
            raise ValidationError({"strategy": _("There is no such strategy.")})
        if slot is not None and slot not in conf.SLOTS:
            raise ValidationError({"slot": _("There is no such slot.")})
        return attrs


class CandidateSerializer(serializers.Serializer):
    item = serializers.CharField()
    rank = serializers.IntegerField(help_text=_("Among all candidates, from 1."))
    place = serializers.IntegerField(allow_null=True, help_text=_("In the block; null if it is not shown."))
    rule = serializers.CharField(help_text=_("What keeps it out; empty if nothing does."))
    rule_text = serializers.CharField()
    evidence = serializers.DictField(child=serializers.FloatField(allow_null=True))


class ExplainedBlockSerializer(serializers.Serializer):
    strategy = serializers.CharField()
    fills = serializers.BooleanField(help_text=_("Whether this block is the one shown."))
    release = serializers.IntegerField(allow_null=True)
    limit = serializers.IntegerField()
    candidates = CandidateSerializer(many=True)
    why_not = serializers.CharField(required=False, help_text=_("Of a product that is no candidate."))


class ExplanationSerializer(serializers.Serializer):
    blocks = ExplainedBlockSerializer(many=True)


class ExplainView(StaffView):
    """The guard's verdict on every candidate. Needs the right to view offer lists; for a visitor, to view visitors."""

    permission_classes = [MayViewLists]
    serializer_class = ExplanationSerializer

    def get(self, request: Request) -> Response:
        asked = ExplainQuerySerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        query = asked.validated_data
        page = page_for(query.get("segment"), self._visitor(request, query))
        anchors = [query["item"]] if query["item"] else []
        slot = query.get("slot", "")
        try:
            if slot:
                found = explain_slot(page, slot, anchors, query.get("visitor", ""))
            else:
                found = [explain(page, query["strategy"], anchors)]
            blocks = [_block(page, one, anchors, query["why_not"], slot) for one in found]
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


def _block(page: Page, one: Explanation, anchors: list[str], why_not: str, slot: str) -> dict[str, Any]:
    block: dict[str, Any] = {
        "strategy": one.strategy,
        "fills": one.fills,
        "release": one.release,
        "limit": one.limit,
        "candidates": [
            {
                "item": verdict.offer.item,
                "rank": verdict.rank,
                "place": verdict.place,
                "rule": verdict.rule,
                "rule_text": said(verdict.rule) if verdict.rule else "",
                "evidence": evidence_of(verdict.offer),
            }
            for verdict in one.verdicts
        ],
    }
    if why_not and one.of(why_not) is None:
        beside = anchors if strategy_named(one.strategy).needs_anchor else []
        block["why_not"] = said(why_absent(page, one.strategy, beside, why_not, slot))
    return block
