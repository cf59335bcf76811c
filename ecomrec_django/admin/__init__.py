"""The staff pages in the stock admin: every class is a plain ``ModelAdmin``, for a project to subclass."""

from .catalog import CategoryAdmin, ItemAdmin
from .decisions import DecisionAdmin
from .earnings import EarningsAdmin
from .erasures import ErasureAdmin
from .events import EventAdmin, ImpressionAdmin, VisitorAdmin
from .experiments import ExperimentAdmin
from .imports import CheckpointAdmin, WaitingLineAdmin
from .offer_lists import OfferListAdmin
from .omissions import HeldEventAdmin, OmissionAdmin
from .overrides import OverrideAdmin
from .product_mixin import EcomrecProductAdminMixin
from .releases import ReleaseAdmin
from .review_queue import QueueAdmin
from .rules import RuleAdmin
from .segments import SegmentAdmin
from .training_runs import TrainingRunAdmin

__all__ = [
    "CategoryAdmin",
    "CheckpointAdmin",
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
    "WaitingLineAdmin",
]
