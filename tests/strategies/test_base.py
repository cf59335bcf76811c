"""What strategies share."""

from __future__ import annotations

from ecomrec_django.strategies.base import EVIDENCE, EVIDENCE_WIDTH, Reason


def test_every_reason_names_its_evidence_and_lists_have_room_for_it():
    assert set(EVIDENCE) == set(Reason)
    assert max(map(len, EVIDENCE.values())) <= EVIDENCE_WIDTH
    # Lists store reasons by number.
    assert sorted(Reason) == list(range(len(Reason)))
