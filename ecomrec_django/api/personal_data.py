"""What the export and the erasure of personal data return, for the OpenAPI schema; the export itself is streamed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ..models.fields import QuantityField
from ..privacy.export import SECTIONS, Section

# Values that the export writes as they are; all others are text.
_FIELDS: tuple[tuple[type[models.Field], type[serializers.Field]], ...] = (
    (models.DateTimeField, serializers.DateTimeField),
    (models.FloatField, serializers.FloatField),
    (QuantityField, serializers.FloatField),
    (models.IntegerField, serializers.IntegerField),
)


class ConsentStateSerializer(serializers.Serializer):
    """Consent of this browser, and withdrawals of the visitor."""

    agreed = serializers.BooleanField()
    withdrawn = serializers.BooleanField()
    not_learned_from_until = serializers.DateTimeField(
        allow_null=True, help_text=_("Training ignores everything before this time.")
    )


class PastErasureSerializer(serializers.Serializer):
    """One earlier erasure."""

    receipt = serializers.UUIDField()
    time = serializers.DateTimeField()
    completed = serializers.DateTimeField(allow_null=True)


class ErasureSerializer(serializers.Serializer):
    """The receipt of an erasure."""

    receipt = serializers.UUIDField(allow_null=True, help_text=_("Null if nothing was stored."))
    removed = serializers.DictField(
        child=serializers.IntegerField(), help_text=_("Number of deleted rows, by kind of data.")
    )
    completed = serializers.DateTimeField(
        allow_null=True, help_text=_("Null until the history files have been rewritten as well.")
    )


class ReceiptSerializer(serializers.Serializer):
    """The state of an erasure."""

    state = serializers.ChoiceField(choices=("pending", "completed"))


def _row_serializer(name: str, section: Section) -> serializers.Serializer:
    fields = {column: _field(section.model, path) for column, path in section.columns.items()}
    title = "".join(part.capitalize() for part in name.split("_"))
    attributes = {"__module__": __name__, **fields}
    return type(f"Exported{title}Serializer", (serializers.Serializer,), attributes)(many=True)


def _field(model: type[models.Model], path: str) -> serializers.Field:
    """The serializer field of a dotted path from ``model``, null if a step of it may be."""
    nullable = False
    current: type[models.Model] = model
    names = path.split(".")
    for name in names:
        field = current._meta.get_field(name)
        nullable = nullable or field.null
        if field.related_model is not None:
            current = field.related_model
    kind = next((made for known, made in _FIELDS if isinstance(field, known)), serializers.CharField)
    return kind(allow_null=nullable)


PersonalDataSerializer: type[serializers.Serializer] = type(
    "PersonalDataSerializer",
    (serializers.Serializer,),
    {
        "__module__": __name__,
        "__doc__": "Everything that is stored about one visitor.",
        "first_seen": serializers.DateTimeField(allow_null=True),
        "consent": ConsentStateSerializer(),
        "receipts": PastErasureSerializer(many=True),
        **{name: _row_serializer(name, section) for name, section in SECTIONS.items()},
    },
)
