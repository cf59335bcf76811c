"""Decisions of the staff about offers, the review queue, and differences between releases. Imports strategies."""
