from .behaviour import Checkpoint, Event, GuestOrder, HeldEvent, Kind, Omission, Visitor
from .catalog import Category, Item, ItemPicture
from .measurement import Arm, Conversion, DailyExposure, DailyFigure, DailyTotal, Experiment, Exposure, Impression
from .privacy import Erasure
from .releases import OfferList, Override, Publication, Release, ReviewList, TrainingRun
from .reviewing import Decision
from .rules import Rule
from .shoppers import Profile, Segment

__all__ = [
    "Arm",
    "Category",
    "Checkpoint",
    "Conversion",
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
    "TrainingRun",
    "Visitor",
]
