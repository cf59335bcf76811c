"""What drf-spectacular cannot see of the endpoints. Import this module where the shop makes its OpenAPI schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiViewExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from ..conf import conf
from .beacon import BeaconView
from .consent import ConsentView
from .explain import ExplainQuerySerializer, ExplainView, ExplanationSerializer
from .reports import EarningsSerializer, ReportQuerySerializer, ReportView
from .serializers import (
    SORTS_OF_REPORT,
    AnswerSerializer,
    BlockSerializer,
    ForYouSerializer,
    QuerySerializer,
    ReportSerializer,
    ReportsSerializer,
    SlotSerializer,
)
from .views import ForYouView, OffersView, SlotView

_NOTHING = {204: OpenApiResponse(description="Nothing to say.")}


class _Offers(OpenApiViewExtension):
    target_class = OffersView

    def view_replacement(self) -> Any:
        return extend_schema(parameters=[QuerySerializer])(_subclass(OffersView))


class _ForYou(OpenApiViewExtension):
    target_class = ForYouView

    def view_replacement(self) -> Any:
        return extend_schema(parameters=[ForYouSerializer])(_subclass(ForYouView))


class _Slot(OpenApiViewExtension):
    target_class = SlotView

    def view_replacement(self) -> Any:
        slot = OpenApiParameter("slot", str, OpenApiParameter.PATH, enum=list(conf.SLOTS))
        answers = {200: BlockSerializer, 404: OpenApiResponse(description="There is no such slot.")}
        return extend_schema(parameters=[slot, SlotSerializer], responses=answers)(_subclass(SlotView))


class _Explain(OpenApiViewExtension):
    target_class = ExplainView

    def view_replacement(self) -> Any:
        chosen = [
            OpenApiParameter("strategy", str, enum=list(conf.STRATEGIES), description="Or a slot, one of them."),
            OpenApiParameter("slot", str, enum=list(conf.SLOTS)),
        ]
        answers = {200: ExplanationSerializer, 403: OpenApiResponse(description="Visitors may not be looked at.")}
        return extend_schema(parameters=[ExplainQuerySerializer, *chosen], responses=answers)(_subclass(ExplainView))


class _Reports(OpenApiViewExtension):
    target_class = ReportView

    def view_replacement(self) -> Any:
        answers = {(200, "application/json"): EarningsSerializer, (200, "text/csv"): OpenApiTypes.STR}
        return extend_schema(parameters=[ReportQuerySerializer], responses=answers)(_subclass(ReportView))


class _Beacon(OpenApiViewExtension):
    target_class = BeaconView

    def view_replacement(self) -> Any:
        return extend_schema(request=ReportsSerializer, responses=_NOTHING)(_subclass(BeaconView))


class _Consent(OpenApiViewExtension):
    target_class = ConsentView

    def view_replacement(self) -> Any:
        return extend_schema(methods=["POST"], request=AnswerSerializer, responses=_NOTHING)(_subclass(ConsentView))


class _Report(OpenApiSerializerExtension):
    target_class = ReportSerializer

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        whole = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        sorts = [
            {
                "type": "object",
                "properties": {name: whole["properties"][name] for name in sort},
                "required": [name for name in sort if name != "id"],
                "additionalProperties": False,
            }
            for sort in SORTS_OF_REPORT
        ]
        return {"description": whole["description"], "oneOf": sorts}


def _subclass(view: type) -> type:
    return type(view.__name__, (view,), {})
