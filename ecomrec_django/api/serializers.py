"""What the endpoints take and give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ..conf import conf
from ..serving.offers import MOST_ANCHORS, MOST_OFFERS

MOST_REPORTS = 50
# The fields of a report of each sort; a view need not have a name.
SORTS_OF_REPORT = (("view", "id"), ("block", "seen"), ("block", "clicked"))


class QuerySerializer(serializers.Serializer):
    """``?item=A&item=B`` or ``?cart=1``, and ``limit``."""

    item = serializers.ListField(
        child=serializers.CharField(max_length=128),
        required=False,
        default=list,
        max_length=MOST_ANCHORS,
        help_text=_("The shop's id of a product; may be given several times."),
    )
    cart = serializers.BooleanField(required=False, default=False, help_text=_("Take what is in the customer's cart."))
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST_OFFERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["item"]) == attrs["cart"]:
            raise serializers.ValidationError({"item": [_("Give one or more items, or cart=1, and not both.")]})
        attrs.setdefault("limit", min(conf.LIMIT, MOST_OFFERS))
        return attrs


class ForYouSerializer(serializers.Serializer):
    """``?category=Grocery > Milk`` and ``limit``."""

    category = serializers.CharField(
        max_length=1000,
        required=False,
        default="",
        allow_blank=True,
        help_text=_("Names from the root to a category, joined by “ > ”; the whole shop if left out."),
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST_OFFERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.setdefault("limit", min(conf.LIMIT, MOST_OFFERS))
        return attrs


class SlotSerializer(serializers.Serializer):
    """``?item=A&item=B`` or ``?cart=1``, if the page is of either; ``category`` and ``limit``."""

    item = serializers.ListField(
        child=serializers.CharField(max_length=128), required=False, default=list, max_length=MOST_ANCHORS
    )
    cart = serializers.BooleanField(required=False, default=False)
    category = serializers.CharField(max_length=1000, required=False, default="", allow_blank=True)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST_OFFERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["item"] and attrs["cart"]:
            raise serializers.ValidationError({"item": [_("Give items or cart=1, and not both.")]})
        return attrs


class OfferSerializer(serializers.Serializer):
    item = serializers.CharField()
    url = serializers.CharField()
    title = serializers.CharField()
    price = serializers.DecimalField(max_digits=None, decimal_places=None, allow_null=True)
    image = serializers.CharField()
    reason = serializers.CharField()
    score = serializers.FloatField()


class BundleSerializer(serializers.Serializer):
    items = serializers.ListField(
        child=serializers.CharField(), help_text=_("Ids of what is bought together, the page's product first.")
    )
    total = serializers.DecimalField(max_digits=None, decimal_places=None)


class BlockSerializer(serializers.Serializer):
    strategy = serializers.CharField(help_text=_("Empty where a slot shows nothing."))
    release = serializers.IntegerField(allow_null=True)
    token = serializers.CharField(help_text=_("Names this block when its offers are reported as seen or clicked."))
    offers = OfferSerializer(many=True)
    bundle = BundleSerializer(allow_null=True)


class StrictSerializer(serializers.Serializer):
    """Refuses what it does not know, by name."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = data.keys() - self.fields.keys() if isinstance(data, Mapping) else ()
        if unknown:
            raise serializers.ValidationError({name: [_("There is no such field.")] for name in sorted(unknown)})
        return super().to_internal_value(data)


class TokenField(serializers.RegexField):
    def __init__(self, **options: Any) -> None:
        super().__init__(r"^[A-Za-z0-9_:-]+\Z", **options)


class PlaceField(serializers.IntegerField):
    """The place of an offer in its block, 1 first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MOST_OFFERS, **options)


class ReportSerializer(StrictSerializer):
    """A product page that was opened, offers that came into view, or one that was clicked."""

    view = TokenField(required=False, help_text=_("Token of a product page that was opened."))
    id = serializers.RegexField(
        r"^[0-9a-f]{32}\Z", required=False, help_text=_("Random name of this view, so that it counts once.")
    )
    block = TokenField(required=False, help_text=_("Token of a block."))
    seen = serializers.ListField(child=PlaceField(), required=False, min_length=1, max_length=MOST_OFFERS)
    clicked = PlaceField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if set(attrs) != {"view"} and not any(set(attrs) == set(sort) for sort in SORTS_OF_REPORT):
            raise serializers.ValidationError(_("A report is a view, a block with seen, or a block with clicked."))
        return attrs


class ReportsSerializer(StrictSerializer):
    reports: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=ReportSerializer(), min_length=1, max_length=MOST_REPORTS
    )


class AnswerSerializer(StrictSerializer):
    agree = serializers.BooleanField(help_text=_("Whether this shopper agrees to be recorded."))


class ConsentSerializer(serializers.Serializer):
    agreed = serializers.BooleanField()
    chosen = serializers.BooleanField(help_text=_("Whether this shopper has said yes or no in this browser."))
    signalled = serializers.BooleanField(help_text=_("Whether the browser itself asks not to be recorded."))
    policy = serializers.CharField()
