"""Examine the installation and the shop's adapter."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...doctor.examination import examine_installation
from ...doctor.findings import Finding, Level


class Command(BaseCommand):
    help = (
        "Examine the settings, the services and the adapter on real products and orders, and show a block on a real "
        "page. Each problem comes with a remedy; nothing is stored or recorded. The exit status is 1 if anything fails."
    )
    # What they find is part of the examination.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="write the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = []
        for finding in examine_installation():
            findings.append(finding)
            if not options["json"]:
                self._write(finding)
        counts = Counter(finding.level for finding in findings)
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
        else:
            self.stdout.write(f"{counts[Level.FAILURE]} failures, {counts[Level.WARNING]} warnings.")
        if counts[Level.FAILURE]:
            raise CommandError(f"{counts[Level.FAILURE]} of {len(findings)} findings are failures.", returncode=1)

    def _write(self, finding: Finding) -> None:
        styles = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.FAILURE: self.style.ERROR}
        label = styles[finding.level](f"{finding.level.value:8}")
        self.stdout.write(f"{label} {finding.subject}: {finding.message}")
        if finding.remedy:
            self.stdout.write(f"{'':8} → {finding.remedy}")
