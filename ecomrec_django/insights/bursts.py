"""Bursts of clicks by visitors whom nobody saw before, and of reports that were rejected: somebody may invent them."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.db.models import F

from ..db import to_db_time
from ..models import Checkpoint, Impression
from ..tracking.omissions import Reason, omitted_count

logger = logging.getLogger(__name__)

CHECKPOINT = "bursts"
# Fewest of a period that are a burst, and how many times as many an hour as ever before.
MIN_BURST, FACTOR = 100, 5
HOUR = timedelta(hours=1)
# A visitor is new for so long.
NEW_FOR = HOUR
# The longest period that is looked at.
LONGEST = timedelta(days=1)
# Periods that are remembered: a week, if there is one an hour.
PERIODS = 168
REJECTED = (Reason.FORGED, Reason.OTHERS)
MESSAGES = {
    "newcomers": "%(count)s new visitors clicked offers within %(minutes)s minutes of %(since)s UTC; before, at most "
    "%(usual)s did in an hour. Somebody may invent them to promote products: compare the offers' clicks with their "
    "sales. Bandits ignore visitors who were first seen less than a day before.",
    "rejected": "%(count)s reports with an invalid signature or of the blocks of others were rejected within "
    "%(minutes)s minutes of %(since)s UTC; before, there were at most %(usual)s in an hour.",
}


def new_bursts() -> list[str]:
    """What is unusual since the last call, each told and logged once; the first call only remembers what is usual."""
    now = datetime.now(UTC)
    checkpoint, _ = Checkpoint.objects.get_or_create(name=CHECKPOINT)
    position = checkpoint.position
    since = max(datetime.fromisoformat(position["until"]) if position else now - HOUR, now - LONGEST)
    rejected = sum(map(omitted_count, REJECTED))
    counts = {"newcomers": _newcomers(since, now), "rejected": max(rejected - position.get("rejected", rejected), 0)}
    # A rate of a few seconds says little.
    hours = max((now - since) / HOUR, 1.0)
    messages: list[str] = []
    hourly: dict[str, list[float]] = {}
    for name, count in counts.items():
        earlier = position.get("hourly", {}).get(name, [])
        hourly[name] = [*earlier, round(count / hours, 1)][-PERIODS:]
        if earlier and count >= MIN_BURST and count / hours > FACTOR * max(earlier):
            values = {"count": count, "minutes": round(hours * 60), "since": f"{since:%Y-%m-%d %H:%M}"}
            messages.append(MESSAGES[name] % {**values, "usual": round(max(earlier))})
    for message in messages:
        logger.warning(message)
    checkpoint.position = {"until": now.isoformat(), "rejected": rejected, "hourly": hourly}
    checkpoint.save(update_fields=["position", "updated"])
    return messages


def _newcomers(since: datetime, until: datetime) -> int:
    """Visitors who clicked an offer in this period, and had been seen for the first time less than NEW_FOR before."""
    # The index on the time of the impression, soon after which a new visitor clicks.
    clicks = Impression.objects.filter(
        time__gte=to_db_time(since - NEW_FOR),
        clicked__gte=to_db_time(since),
        clicked__lt=to_db_time(until),
    ).filter(clicked__lt=F("visitor__created") + NEW_FOR)
    return clicks.order_by().values("visitor").distinct().count()
