"""Create groups for the staff who work with recommendations."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand
from django.db import transaction

VIEWS = (
    *("release", "offerlist", "override", "decision", "rule", "segment", "item", "category", "trainingrun"),
    *("dailyfigure", "experiment", "omission", "checkpoint", "waitingline"),
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
        "Create the groups of the staff (viewer, reviewer, publisher, experimenter, privacy), or add missing "
        "permissions to existing ones. Other permissions of these groups are kept."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        rows = Permission.objects.filter(content_type__app_label="ecomrec")
        permissions = {permission.codename: permission for permission in rows}
        for name, codenames in ROLES.items():
            group, created = Group.objects.get_or_create(name=name)
            group.permissions.add(*(permissions[codename] for codename in codenames))
            self.stdout.write(f"{name}: {len(codenames)} permissions{' (new)' if created else ''}")
