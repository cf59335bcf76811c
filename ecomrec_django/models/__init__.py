"""Database rows: catalog, events, what was learned, what staff decided. Imports Django alone."""

from .catalog import Category, Item, ItemPicture
from .decisions import Decision
from .events import Checkpoint, Correction, Event, GuestOrder, HeldEvent, Kind, Omission, Visitor, WaitingLine
from .experiments import Arm, Experiment, Exposure
from .measurement import Conversion, DailyExposure, DailyFigure, DailyTotal, Impression
from .privacy import Erasure
from .releases import OfferList, Override, Publication, Release, ReviewList, StrategyVerdict, TrainingRun
from .rules import Rule
from .shoppers import Profile, Segment

__all__ = [
    "Arm",
    "Category",
    "Checkpoint",
    "Conversion",
    "Correction",
    "DailyExposure",
    "DailyFigure",
    "DailyTotal",
    "Decision",
    "Erasure",
    "Event",
    "Experiment",
    "Exposure",
    "GuestOrder",
    "HeldEvent",
    "Impression",
    "Item",
    "ItemPicture",
    "Kind",
    "OfferList",
    "Omission",
    "Override",
    "Profile",
    "Publication",
    "Release",
    "ReviewList",
    "Rule",
    "Segment",
    "StrategyVerdict",
    "TrainingRun",
    "Visitor",
    "WaitingLine",
]
