"""Extensions of drf-spectacular: what it cannot infer about the endpoints.

They are registered at start-up if ``drf_spectacular`` is in INSTALLED_APPS.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiViewExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
)
from rest_framework.serializers import Serializer

from ..conf import conf
from ..tracking.consent import AGREED, CONSENT_HEADER, REFUSED
from ..tracking.visitors import HEADER
from .beacon import BeaconView
from .consent import ConsentView
from .explain import ExplainQuerySerializer, ExplainView, ExplanationSerializer
from .me import MeView, ReceiptView
from .personal_data import ErasureSerializer, PersonalDataSerializer, ReceiptSerializer
from .reports import EarningsSerializer, ReportQuerySerializer, ReportView
from .serializers import (
    REPORT_FIELDS,
    AnswerSerializer,
    BlockSerializer,
    ConsentSerializer,
    ErrorSerializer,
    ForYouSerializer,
    LimitSerializer,
    QuerySerializer,
    ReportSerializer,
    ReportsSerializer,
    SlotSerializer,
    VisitorTokenSerializer,
)
from .views import BuyAgainView, ForYouView, OffersView, SlotView
from .visitor import VisitorView

TAGS = ["ecomrec"]
_NO_CONTENT = OpenApiResponse(description="No content.")
_ERRORS = {
    400: "The request is invalid; the response names the fields.",
    401: "The credentials are invalid or have expired.",
    403: "The origin, the CSRF token or the permissions do not allow this request.",
    404: "Not found.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    429: "Too many requests; `Retry-After` says when to try again.",
}


def _operation(answers: dict[Any, Any], *errors: int, parameters: Any = (), request: Any = None) -> Any:
    """The decorator of one operation: its responses by status, the errors it may return, its query and its body."""
    responses = {code: OpenApiResponse(ErrorSerializer, description=_ERRORS[code]) for code in (*errors, 429)}
    return extend_schema(parameters=[*parameters], request=request, responses={**answers, **responses}, tags=TAGS)


def _shopper_headers() -> list[OpenApiParameter]:
    """The headers of front ends that cannot use cookies."""
    visitor = "Visitor token of a guest, from api/visitor/. Replaces the cookie."
    consent = "Whether the shopper consented to tracking. Replaces the cookie; a refusal takes precedence."
    return [
        OpenApiParameter(HEADER, str, OpenApiParameter.HEADER, description=visitor),
        OpenApiParameter(CONSENT_HEADER, str, OpenApiParameter.HEADER, description=consent, enum=[AGREED, REFUSED]),
    ]


def _operations(view: type, **operations: Any) -> Any:
    """``view`` with the decorators of its methods."""
    return extend_schema_view(**operations)(type(view.__name__, (view,), {}))


class _Offers(OpenApiViewExtension):
    target_class = OffersView

    def view_replacement(self) -> Any:
        parameters = [QuerySerializer, *_shopper_headers()]
        return _operations(OffersView, get=_operation({200: BlockSerializer}, 400, 401, parameters=parameters))


class _ForYou(OpenApiViewExtension):
    target_class = ForYouView

    def view_replacement(self) -> Any:
        parameters = [ForYouSerializer, *_shopper_headers()]
        return _operations(ForYouView, get=_operation({200: BlockSerializer}, 400, 401, parameters=parameters))


class _BuyAgain(OpenApiViewExtension):
    target_class = BuyAgainView

    def view_replacement(self) -> Any:
        parameters = [LimitSerializer, *_shopper_headers()]
        return _operations(BuyAgainView, get=_operation({200: BlockSerializer}, 400, 401, parameters=parameters))


class _Slot(OpenApiViewExtension):
    target_class = SlotView

    def view_replacement(self) -> Any:
        slot = OpenApiParameter("slot", str, OpenApiParameter.PATH, enum=list(conf.SLOTS))
        parameters = [slot, SlotSerializer, *_shopper_headers()]
        return _operations(SlotView, get=_operation({200: BlockSerializer}, 400, 401, 404, parameters=parameters))


class _Beacon(OpenApiViewExtension):
    target_class = BeaconView

    def view_replacement(self) -> Any:
        post = _operation(
            {204: _NO_CONTENT}, 400, 401, 403, 413, 415, parameters=_shopper_headers(), request=ReportsSerializer
        )
        return _operations(BeaconView, post=post)


class _Consent(OpenApiViewExtension):
    target_class = ConsentView

    def view_replacement(self) -> Any:
        headers = _shopper_headers()
        return _operations(
            ConsentView,
            get=_operation({200: ConsentSerializer}, 401, 403, parameters=headers),
            post=_operation({204: _NO_CONTENT}, 400, 401, 403, 413, 415, parameters=headers, request=AnswerSerializer),
        )


class _Visitor(OpenApiViewExtension):
    target_class = VisitorView

    def view_replacement(self) -> Any:
        post = _operation({200: VisitorTokenSerializer}, 403, parameters=_shopper_headers())
        return _operations(VisitorView, post=post)


class _Me(OpenApiViewExtension):
    target_class = MeView

    def view_replacement(self) -> Any:
        headers = _shopper_headers()
        return _operations(
            MeView,
            get=_operation({200: PersonalDataSerializer}, 400, 401, 403, parameters=headers),
            delete=_operation({200: ErasureSerializer}, 400, 401, 403, parameters=headers),
        )


class _Receipt(OpenApiViewExtension):
    target_class = ReceiptView

    def view_replacement(self) -> Any:
        return _operations(ReceiptView, get=_operation({200: ReceiptSerializer}, 401, 403, 404))


class _Explain(OpenApiViewExtension):
    target_class = ExplainView

    def view_replacement(self) -> Any:
        either = [
            OpenApiParameter("strategy", str, enum=list(conf.STRATEGIES), description="Either a strategy or a slot."),
            OpenApiParameter("slot", str, enum=list(conf.SLOTS)),
        ]
        get = _operation({200: ExplanationSerializer}, 400, 403, parameters=[ExplainQuerySerializer, *either])
        return _operations(ExplainView, get=get)


class _Reports(OpenApiViewExtension):
    target_class = ReportView

    def view_replacement(self) -> Any:
        answers = {(200, "application/json"): EarningsSerializer, (200, "text/csv"): OpenApiTypes.STR}
        return _operations(ReportView, get=_operation(answers, 400, 403, parameters=[ReportQuerySerializer]))


def _name_components(base: type[Serializer] = Serializer) -> None:
    """Prefix the names of this package's components, because the shop may have an ``Offer`` of its own."""
    kind: Any
    for kind in base.__subclasses__():
        if kind.__module__.startswith(__package__):
            extend_schema_serializer(component_name=f"Ecomrec{kind.__name__.removesuffix('Serializer')}")(kind)
        _name_components(kind)


_name_components()


class _Report(OpenApiSerializerExtension):
    target_class = ReportSerializer

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """One of the kinds of reports, each with its own fields."""
        complete = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        kinds = [
            {
                "type": "object",
                "properties": {name: complete["properties"][name] for name in kind},
                "required": [name for name in kind if name != "id"],
                "additionalProperties": False,
            }
            for kind in REPORT_FIELDS
        ]
        return {"description": complete["description"], "oneOf": kinds}
