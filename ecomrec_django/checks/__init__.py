"""System checks: mistakes in the settings, the adapter and the project, reported at start-up with a remedy."""

from . import adapter, database, project, settings

__all__ = ["adapter", "database", "project", "settings"]
