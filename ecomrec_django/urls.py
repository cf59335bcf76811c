"""Include these under any prefix: ``path("ecomrec/", include("ecomrec_django.urls"))``."""

from django.urls import URLPattern, URLResolver, path

from .api.beacon import BeaconView
from .api.consent import ConsentView
from .api.explain import ExplainView
from .api.me import MeView, ReceiptView
from .api.reports import ReportView
from .api.views import BuyAgainView, ForYouView, OffersView, SlotView
from .api.visitor import VisitorView

app_name = "ecomrec"

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/bought-with/", OffersView.as_view(strategy="bought_with"), name="bought-with"),
    path("api/upgrade-to/", OffersView.as_view(strategy="upgrade_to"), name="upgrade-to"),
    path("api/for-you/", ForYouView.as_view(), name="for-you"),
    path("api/buy-again/", BuyAgainView.as_view(), name="buy-again"),
    path("api/slots/<slug:slot>/", SlotView.as_view(), name="slot"),
    path("api/consent/", ConsentView.as_view(), name="consent"),
    path("api/visitor/", VisitorView.as_view(), name="visitor"),
    path("api/explain/", ExplainView.as_view(), name="explain"),
    path("api/reports/", ReportView.as_view(), name="reports"),
    path("beacon/", BeaconView.as_view(), name="beacon"),
    path("api/me/", MeView.as_view(), name="me"),
    path("api/me/receipts/<uuid:receipt>/", ReceiptView.as_view(), name="receipt"),
]
