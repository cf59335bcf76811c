"""Guests known by their e-mail address, of which nothing but a keyed hash leaves the adapter."""

from __future__ import annotations

from django.utils.crypto import salted_hmac


def guest_hash(email: str | None) -> str:
    """The value of `PurchaseLine.guest` for an e-mail address in any spelling; "" for none."""
    address = (email or "").strip().lower()
    return salted_hmac("ecomrec_django.guest", address, algorithm="sha256").hexdigest() if address else ""
