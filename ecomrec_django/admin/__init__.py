"""The merchant's room in the stock admin: every class here is a plain ``ModelAdmin``, to be subclassed by a project."""

from .behaviour import EventAdmin, ImpressionAdmin, VisitorAdmin
from .catalog import CategoryAdmin, ItemAdmin
from .decisions import DecisionAdmin
from .earnings import EarningsAdmin
from .erasures import ErasureAdmin
from .experiments import ExperimentAdmin
from .offer_lists import OfferListAdmin
from .omissions import HeldEventAdmin, OmissionAdmin
from .overrides import OverrideAdmin
from .products import EcomrecProductAdminMixin
from .queue import QueueAdmin
from .releases import ReleaseAdmin
from .rules import RuleAdmin
from .runs import TrainingRunAdmin
from .segments import SegmentAdmin

__all__ = [
    "CategoryAdmin",
    "DecisionAdmin",
    "EarningsAdmin",
    "EcomrecProductAdminMixin",
    "ErasureAdmin",
    "EventAdmin",
    "ExperimentAdmin",
    "HeldEventAdmin",
    "ImpressionAdmin",
    "ItemAdmin",
    "OfferListAdmin",
    "OmissionAdmin",
    "OverrideAdmin",
    "QueueAdmin",
    "ReleaseAdmin",
    "RuleAdmin",
    "SegmentAdmin",
    "TrainingRunAdmin",
    "VisitorAdmin",
]
