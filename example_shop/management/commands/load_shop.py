import tempfile
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from tqdm import tqdm

from ecomrec_django.errors import DataError
from ecomrec_django.management.commands.ecomrec_import import summary
from ecomrec_django.tracking.importers.delimited import DelimitedTable
from ecomrec_django.tracking.importers.files import import_events
from ecomrec_django.tracking.importers.formats import open_file
from ecomrec_django.tracking.importers.formats.spec import EVENT_COLUMNS, EVENTS, ITEM_COLUMNS, ITEMS
from example_shop.loading import shop_events, shop_items
from example_shop.loading.csv_files import CsvFile, Rejects, UnusableFileError

# The line of a file's first row.
FIRST_LINE = 2


class Command(BaseCommand):
    help = (
        "Loads any shop's data. ITEMS is an export of Shopify, WooCommerce or Google Merchant, or has the columns "
        f"{', '.join(ITEM_COLUMNS)} (all but {', '.join(shop_items.REQUIRED)} may be left out); EVENTS has "
        f"{', '.join(EVENT_COLUMNS)} (all but {', '.join(shop_events.REQUIRED)} may be left out). Running it twice "
        "changes nothing. The exit status is not 0 if nothing, or less than --min-share of a file's rows, was imported."
    )

    def add_arguments(self, parser):
        parser.add_argument("--items", type=Path, required=True, metavar="ITEMS", help="CSV")
        parser.add_argument("--events", type=Path, metavar="EVENTS", help="CSV")
        parser.add_argument("--format", default="", help="Of ITEMS; detected by the header if not given.")
        parser.add_argument("--mapping", type=Path, metavar="FILE", help="TOML file that tells the columns of ITEMS.")
        parser.add_argument("--encoding", default="", help="Such as cp1252; UTF-8 and UTF-16 are detected.")
        parser.add_argument("--rejects", type=Path, metavar="FILE", help="File for rejected rows.")
        parser.add_argument(
            "--min-share", type=float, default=50, metavar="PERCENT", help="Of a file's rows to be imported."
        )

    def handle(self, *, items, events, rejects, min_share, **options):
        source = events or items
        with Rejects(rejects or source.with_suffix(".rejects.csv")) as refused:
            try:
                files = self._load(items, events, refused, options)
            except (DataError, UnusableFileError, OSError) as error:
                raise CommandError(str(error)) from error
            except IntegrityError as error:
                raise CommandError(
                    f"Nothing was loaded: the database takes two names for the same ({error}). "
                    "Items, visitors and baskets must differ by more than upper and lower case here."
                ) from error
        for file in files:
            self._say(file.path.name, **file.counts)
        if refused.count:
            self.stderr.write(f"{refused.count:,} rows need a look: {refused.path}")
        for file in files:
            self._check(file.path.name, min_share, **file.counts)

    def _load(self, items, events, refused, options):
        encoding = options["encoding"]
        table, format = open_file(items, ITEMS, options["format"], encoding, options["mapping"])
        if not format.items:
            raise UnusableFileError(f"{items} holds {format.label}, no products.")
        item_file = CsvFile(table, format, ITEM_COLUMNS, shop_items.REQUIRED, refused)
        event_file = events and self._event_file(events, refused, encoding)
        with tempfile.TemporaryDirectory() as folder:
            aside = Path(folder) / "events.csv"
            set_aside = ()
            with transaction.atomic():
                report = shop_items.load_items(item_file, Path(settings.MEDIA_ROOT), _bar("items"))
                self._say("items", created=report.created, changed=report.changed)
                if event_file:
                    set_aside = self._load_events(event_file, aside)
            if set_aside:
                self._hand_over(event_file, aside, set_aside)
        return [file for file in (item_file, event_file) if file]

    def _event_file(self, events, refused, encoding):
        table, format = open_file(events, EVENTS, encoding=encoding)
        if format is not EVENTS:
            raise UnusableFileError(f"{events} holds {format.label}: load the items, then run ecomrec_import {events}.")
        return CsvFile(table, format, EVENT_COLUMNS, shop_events.REQUIRED, refused)

    def _load_events(self, file, aside):
        with aside.open("w", encoding="utf-8", newline="") as handle:
            found = shop_events.EventReader(file, handle).read(_bar("events"))
        report = shop_events.EventWriter(found, file).write(_bar("order lines"))
        self._say("shop", **vars(report))
        return found.set_aside

    def _hand_over(self, file, aside, lines):
        """What shoppers did besides buying goes to the recommendations, which know items by their mirror."""
        call_command("ecomrec_sync", stdout=self.stdout, stderr=self.stderr)
        report = import_events(
            DelimitedTable(aside),
            EVENTS,
            lambda line, reason, cells: file.reject(lines[line - FIRST_LINE], reason, cells),
        )
        self.stdout.write(summary(report))

    def _check(self, name, min_share, *, rows, imported, refused, **_):
        meant = imported + refused
        if rows and ((meant and not imported) or imported * 100 < min_share * meant):
            raise CommandError(f"Only {imported:,} of {meant:,} rows of {name} were imported.")

    def _say(self, what, **counts):
        self.stdout.write(f"{what}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")


def _bar(what):
    """Shows progress on a terminal, nothing elsewhere."""
    return lambda rows: tqdm(rows, desc=what, unit=" rows", unit_scale=True, disable=None)
