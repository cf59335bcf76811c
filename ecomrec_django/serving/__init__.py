"""Offers on a page: stored lists, personal order, rules and guard. Imports tracking and learning, never pipeline."""
