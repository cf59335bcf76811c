"""Groups for the people who work with the recommendations."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand
from django.db import transaction

VIEWS = (
    *("release", "offerlist", "override", "decision", "rule", "segment", "item", "category", "trainingrun"),
    *("dailyfigure", "experiment", "omission"),
)
VIEWER = tuple(f"view_{name}" for name in VIEWS)
REVIEWER = (
    *VIEWER,
    "review_offers",
    *(f"{action}_{model}" for model in ("override", "rule") for action in ("add", "change", "delete")),
    "change_segment",
)
PUBLISHER = (*REVIEWER, "publish_release")
EXPERIMENTER = (*VIEWER, "add_experiment", "change_experiment", "run_experiment")
PRIVACY = ("view_erasure", "view_event", "view_visitor", "view_heldevent", "view_impression", "view_omission")
ROLES = {
    "Recommendations: viewer": VIEWER,
    "Recommendations: reviewer": REVIEWER,
    "Recommendations: publisher": PUBLISHER,
    "Recommendations: experimenter": EXPERIMENTER,
    "Recommendations: privacy": PRIVACY,
}


class Command(BaseCommand):
    help = (
        "Makes the groups of the staff (viewer, reviewer, publisher, experimenter, privacy), or gives those that exist "
        "the rights that they lack. What a group has beside them stays."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        known = {one.codename: one for one in Permission.objects.filter(content_type__app_label="ecomrec")}
        for name, rights in ROLES.items():
            group, created = Group.objects.get_or_create(name=name)
            group.permissions.add(*(known[right] for right in rights))
            self.stdout.write(f"{name}: {len(rights)} rights{' (new)' if created else ''}")
