"""What the endpoints take and give."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ..conf import conf
from ..serving.offers import MOST_ANCHORS, MOST_OFFERS


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


class OfferSerializer(serializers.Serializer):
    item = serializers.CharField()
    url = serializers.CharField()
    title = serializers.CharField()
    price = serializers.DecimalField(max_digits=None, decimal_places=None, allow_null=True)
    image = serializers.CharField()
    reason = serializers.CharField()
    score = serializers.FloatField()


class BlockSerializer(serializers.Serializer):
    strategy = serializers.CharField()
    release = serializers.IntegerField(allow_null=True)
    offers = OfferSerializer(many=True)
