import csv
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from tqdm import tqdm

from example_shop.loading import shop_events, shop_items
from example_shop.loading.csv_files import CsvFile, Rejects, UnusableFileError

# The line of a file's first row.
FIRST_LINE = 2


class Command(BaseCommand):
    help = (
        f"Loads any shop's data. ITEMS has the columns {', '.join(shop_items.COLUMNS)} (all but "
        f"{', '.join(shop_items.REQUIRED)} may be left out); EVENTS has {', '.join(shop_events.COLUMNS)} (all but "
        f"{', '.join(shop_events.REQUIRED)} may be left out). Running it twice changes nothing."
    )

    def add_arguments(self, parser):
        parser.add_argument("--items", type=Path, required=True, metavar="ITEMS", help="CSV, UTF-8")
        parser.add_argument("--events", type=Path, metavar="EVENTS", help="CSV, UTF-8")
        parser.add_argument("--rejects", type=Path, metavar="FILE", help="Where refused rows go.")

    def handle(self, *, items, events, rejects, **options):
        source = events or items
        with Rejects(rejects or source.with_suffix(".rejects.csv")) as refused:
            try:
                self._load(items, events, refused)
            except (UnusableFileError, OSError) as error:
                raise CommandError(str(error)) from error
            except IntegrityError as error:
                raise CommandError(
                    f"Nothing was loaded: the database takes two names for the same ({error}). "
                    "Items, visitors and baskets must differ by more than upper and lower case here."
                ) from error
        if refused.count:
            self.stderr.write(f"{refused.count:,} rows need a look: {refused.path}")

    def _load(self, items, events, refused):
        item_file = CsvFile(items, shop_items.COLUMNS, shop_items.REQUIRED, refused)
        event_file = events and CsvFile(events, shop_events.COLUMNS, shop_events.REQUIRED, refused)
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

    def _load_events(self, file, aside):
        with aside.open("w", encoding="utf-8", newline="") as handle:
            found = shop_events.EventReader(file, handle).read(_bar("events"))
        report = shop_events.EventWriter(found, file).write(_bar("order lines"))
        self._say("shop", **vars(report))
        return found.set_aside

    def _hand_over(self, file, aside, lines):
        """What shoppers did besides buying goes to the recommendations, which know items by their mirror."""
        call_command("ecomrec_sync", stdout=self.stdout, stderr=self.stderr)
        refused = aside.with_name("refused.csv")
        call_command("ecomrec_import", str(aside), rejects=refused, stdout=self.stdout, stderr=self.stderr)
        if refused.exists():
            with refused.open(encoding="utf-8", newline="") as rows:
                next(reader := csv.reader(rows))
                for line, reason, *cells in reader:
                    file.reject(lines[int(line) - FIRST_LINE], reason, cells)

    def _say(self, what, **counts):
        self.stdout.write(f"{what}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")


def _bar(what):
    """Shows progress on a terminal, nothing elsewhere."""
    return lambda rows: tqdm(rows, desc=what, unit=" rows", unit_scale=True, disable=None)
