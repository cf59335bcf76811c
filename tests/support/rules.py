"""What pages know of the merchant's rules."""

from contextlib import contextmanager

from ecomrec_django.serving.rulebook import Rulebook, set_rulebook


@contextmanager
def rules_known():
    """As in a process that has shown a page under these settings: no query for rules, of which there are none."""
    set_rulebook(Rulebook())
    yield
