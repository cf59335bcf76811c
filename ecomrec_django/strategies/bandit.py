"""Which arm a visitor sees."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from math import log


def chosen(shares: Mapping[str, float], salt: str, visitor: str) -> str:
    """Provisional: weighted rendezvous hashing."""
    return min(
        (arm for arm in shares if shares[arm] > 0), key=lambda arm: -log(_uniform(salt, arm, visitor)) / shares[arm]
    )


def chance(shares: Mapping[str, float], arm: str) -> float:
    return shares[arm] / sum(shares.values())


def _uniform(*names: str) -> float:
    digest = blake2b("\0".join(names).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 0.5) / 2**64
