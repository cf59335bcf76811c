"""Signed tokens: a page says in them what it showed, so that a browser can report it and cannot invent it."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import NamedTuple

from django.core import signing

from ..tracking.observation import ArmExposure, block_visitor

# A block may be reported for so long: pages lie in caches and open windows.
BLOCK_AGE = timedelta(days=7)
_BLOCK_SALT = "ecomrec_django.block"
_ITEM_SALT = "ecomrec_django.item"
_EXPOSURE_SALT = "ecomrec_django.exposure"


class SealedBlock(NamedTuple):
    """What one rendering of a block showed; a tuple, as the token holds it.

    nonce: names the rendering.
    strategy: the one whose offers were shown.
    release: Release.pk, None for none.
    arm: Arm.pk as text, "" outside of experiments.
    anchor: external id of the product that the block stands beside, "" beside a cart or several products.
    items: external ids of the offers, in the order of their positions.
    slot: "" outside of slots.
    visitor: `block_visitor` of the visitor that it was made for, "" for one that a cache may show to others.
    """

    nonce: str
    strategy: str
    release: int | None
    arm: str
    anchor: str
    items: list[str]
    slot: str = ""
    visitor: str = ""


class SealedExposure(NamedTuple):
    """A visit to a slot under experiment, of a page that nobody has seen yet; a tuple, as the token holds it.

    visitor: `block_visitor` of the visitor with this ``nonce``
    The others are those of ArmExposure.
    """

    nonce: str
    visitor: str
    arm: int
    segment: int
    propensity: float


def seal_exposure(exposure: ArmExposure, visitor: str) -> str:
    """The token by which a page that was fetched ahead reports ``exposure`` once it is seen by ``visitor``, a
    Visitor.key."""
    nonce = secrets.token_urlsafe(9)
    sealed = SealedExposure(
        nonce=nonce,
        visitor=block_visitor(nonce, visitor),
        arm=exposure.arm,
        segment=exposure.segment,
        propensity=exposure.propensity,
    )
    return signing.TimestampSigner(salt=_EXPOSURE_SALT).sign_object(sealed)


def open_exposure(token: str) -> SealedExposure:
    """Raises as `open_block`."""
    return SealedExposure._make(signing.TimestampSigner(salt=_EXPOSURE_SALT).unsign_object(token, max_age=BLOCK_AGE))


def seal_block(
    strategy: str,
    release: int | None,
    anchor: str,
    items: list[str],
    *,
    arm: str = "",
    slot: str = "",
    visitor: str = "",
) -> str:
    """The token of one rendering of a block: letters, digits, ``-``, ``_`` and ``:``.

    visitor: Visitor.key of who alone may report it.
    """
    nonce = secrets.token_urlsafe(9)
    block = SealedBlock(
        nonce=nonce,
        strategy=strategy,
        release=release,
        arm=arm,
        anchor=anchor,
        items=items,
        slot=slot,
        visitor=block_visitor(nonce, visitor) if visitor else "",
    )
    return signing.TimestampSigner(salt=_BLOCK_SALT).sign_object(block)


def open_block(token: str) -> SealedBlock:
    """Raises SignatureExpired for a token older than BLOCK_AGE, else BadSignature for one that is not ours."""
    return SealedBlock._make(signing.TimestampSigner(salt=_BLOCK_SALT).unsign_object(token, max_age=BLOCK_AGE))


def seal_item(item: str) -> str:
    """The token of a product page. It is the same every time and stays good: such pages are kept by caches."""
    return signing.Signer(salt=_ITEM_SALT).sign_object(item)


def open_item(token: str) -> str:
    """External id of the product; raises BadSignature for a token that is not ours."""
    return signing.Signer(salt=_ITEM_SALT).unsign_object(token)
