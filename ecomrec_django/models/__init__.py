from .behaviour import Checkpoint, Event, GuestOrder, HeldEvent, Kind, Omission, Visitor
from .catalog import Category, Item, ItemPicture
from .measurement import Impression
from .privacy import Erasure
from .releases import OfferList, Override, Publication, Release, TrainingRun
from .shoppers import Profile, Segment

__all__ = [
    "Category",
    "Checkpoint",
    "Erasure",
    "Event",
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
    "Segment",
    "TrainingRun",
    "Visitor",
]
