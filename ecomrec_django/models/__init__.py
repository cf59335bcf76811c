from .behaviour import Checkpoint, Event, Kind, Visitor
from .catalog import Category, Item
from .releases import OfferList, Override, Publication, Release, TrainingRun

__all__ = [
    "Category",
    "Checkpoint",
    "Event",
    "Item",
    "Kind",
    "OfferList",
    "Override",
    "Publication",
    "Release",
    "TrainingRun",
    "Visitor",
]
