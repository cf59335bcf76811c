"""Parameters and responses of the endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ..conf import conf
from ..serving.offers import OfferBlock
from ..serving.presentation import BlockOffer
from ..serving.registry import title_of
from ..serving.selection import MAX_ANCHORS
from ..serving.variants import MAX_OFFERS

MAX_REPORTS = 50
# The fields of each kind of report; the id of a view is optional.
REPORT_FIELDS = (("view", "id"), ("block", "seen"), ("block", "clicked"))


class QuerySerializer(serializers.Serializer):
    """``?item=A&item=B`` or ``?cart=1``, and ``limit``."""

    item = serializers.ListField(
        child=serializers.CharField(max_length=128),
        required=False,
        default=list,
        max_length=MAX_ANCHORS,
        help_text=_("ID of a product; may be repeated."),
    )
    cart = serializers.BooleanField(required=False, default=False, help_text=_("Use the items in the shopper's cart."))
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_OFFERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["item"]) == attrs["cart"]:
            raise serializers.ValidationError({"item": [_("Give one or more items, or cart=1, and not both.")]})
        attrs.setdefault("limit", min(conf.LIMIT, MAX_OFFERS))
        return attrs


class LimitSerializer(serializers.Serializer):
    """``?limit=6``."""

    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_OFFERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.setdefault("limit", min(conf.LIMIT, MAX_OFFERS))
        return attrs


class ForYouSerializer(LimitSerializer):
    """``?category=Grocery > Milk`` and ``limit``."""

    category = serializers.CharField(
        max_length=1000,
        required=False,
        default="",
        allow_blank=True,
        help_text=_("Category names from the root down, joined by “ > ”; the whole shop if omitted."),
    )


class SlotSerializer(serializers.Serializer):
    """``?item=A&item=B`` or ``?cart=1`` if the page shows products or the cart; ``category`` and ``limit``."""

    item = serializers.ListField(
        child=serializers.CharField(max_length=128), required=False, default=list, max_length=MAX_ANCHORS
    )
    cart = serializers.BooleanField(required=False, default=False)
    category = serializers.CharField(max_length=1000, required=False, default="", allow_blank=True)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MAX_OFFERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["item"] and attrs["cart"]:
            raise serializers.ValidationError({"item": [_("Give items or cart=1, and not both.")]})
        return attrs


class PriceField(serializers.DecimalField):
    """An amount as text, whatever the project makes of decimals elsewhere: no digit is lost."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=None, decimal_places=None, coerce_to_string=True, **options)


class OfferSerializer(serializers.Serializer):
    """One offer, with all that a card shows of it."""

    item = serializers.CharField(help_text=_("ID of the product."))
    title = serializers.CharField()
    url = serializers.CharField(help_text=_("Address of the shop's page; empty if it has none."))
    image = serializers.SerializerMethodField(help_text=_("Absolute address of the picture; empty if there is none."))
    price = PriceField(allow_null=True, help_text=_("What this shopper pays."))
    currency = serializers.CharField(help_text=_("Currency of the prices, such as “EUR”; empty if unknown."))
    price_text = serializers.CharField(help_text=_("The price as the shop writes it."))
    price_difference = PriceField(
        allow_null=True, help_text=_("Difference from the price of the page's product; null for several products.")
    )
    price_difference_text = serializers.CharField(help_text=_("The difference with its sign, as the shop writes it."))
    brand = serializers.CharField(help_text=_("Empty if unknown."))
    rating = serializers.FloatField(allow_null=True, help_text=_("Mean rating, on the shop's own scale."))
    rating_count = serializers.IntegerField(allow_null=True, help_text=_("Number of ratings."))
    stock = serializers.IntegerField(
        allow_null=True, help_text=_("Pieces left; null if unknown. All offers can be bought now.")
    )
    reason = serializers.CharField(help_text=_("Why it is offered, in the shopper's language; may be empty."))

    def get_image(self, offer: BlockOffer) -> str:
        """Front ends may be on another origin."""
        return self.context["request"].build_absolute_uri(offer.image) if offer.image else ""


class BundleSerializer(serializers.Serializer):
    """Products that can be added to the cart together, and their total price."""

    items = serializers.ListField(
        child=serializers.CharField(), help_text=_("IDs of the products bought together, the page's product first.")
    )
    total = PriceField()
    total_text = serializers.CharField(help_text=_("The total as the shop writes it."))


class BlockSerializer(serializers.Serializer):
    """A block of offers, with the token that identifies it in reports."""

    strategy = serializers.CharField(help_text=_("Empty where a slot shows nothing."))
    title = serializers.SerializerMethodField(help_text=_("Heading of the block, in the shopper's language."))
    release = serializers.IntegerField(allow_null=True)
    token = serializers.CharField(help_text=_("Identifies this block when its offers are reported as seen or clicked."))
    offers = OfferSerializer(many=True, help_text=_("In the order of their positions, which start at 1."))
    bundle = BundleSerializer(allow_null=True)

    def get_title(self, block: OfferBlock) -> str:
        """That of the strategy, as in templates."""
        return gettext(title_of(block.strategy)) if block.offers else ""


class StrictSerializer(serializers.Serializer):
    """Rejects unknown fields by name."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = data.keys() - self.fields.keys() if isinstance(data, Mapping) else ()
        if unknown:
            raise serializers.ValidationError({name: [_("There is no such field.")] for name in sorted(unknown)})
        return super().to_internal_value(data)


class TokenField(serializers.RegexField):
    """A token that this shop has signed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[A-Za-z0-9_:-]+\Z", **options)


class PlaceField(serializers.IntegerField):
    """The position of an offer in its block, starting at 1."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_OFFERS, **options)


class ReportSerializer(StrictSerializer):
    """A product page that was opened, offers that came into view, or one that was clicked."""

    view = TokenField(required=False, help_text=_("Token of the product page that was opened."))
    id = serializers.RegexField(
        r"^[0-9a-f]{32}\Z", required=False, help_text=_("Random ID of this view, so that it is counted once.")
    )
    block = TokenField(required=False, help_text=_("Token of a block."))
    seen = serializers.ListField(child=PlaceField(), required=False, min_length=1, max_length=MAX_OFFERS)
    clicked = PlaceField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if set(attrs) != {"view"} and not any(set(attrs) == set(fields) for fields in REPORT_FIELDS):
            raise serializers.ValidationError(_("A report has either a view, or a block with seen or clicked."))
        return attrs


class ReportsSerializer(StrictSerializer):
    """The reports of one beacon request."""

    reports: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=ReportSerializer(), min_length=1, max_length=MAX_REPORTS
    )


class AnswerSerializer(StrictSerializer):
    """A shopper's answer to the request for consent."""

    agree = serializers.BooleanField(help_text=_("Whether this shopper consents to tracking."))


class ConsentSerializer(serializers.Serializer):
    """The state of a shopper's consent."""

    agreed = serializers.BooleanField()
    chosen = serializers.BooleanField(help_text=_("Whether this shopper has made a choice in this browser."))
    signalled = serializers.BooleanField(help_text=_("Whether the browser itself sends a privacy signal."))
    policy = serializers.CharField()


class VisitorTokenSerializer(serializers.Serializer):
    """A visitor token."""

    visitor = serializers.CharField(help_text=_("Identifies this shopper when sent in the header X-Ecomrec-Visitor."))
    expires = serializers.DateTimeField(help_text=_("When the token expires."))


class ErrorSerializer(serializers.Serializer):
    """Why a request was refused: a detail, or messages by the name of the field."""

    detail = serializers.CharField(required=False)
