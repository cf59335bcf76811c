"""Strategies: from candidates to ranked offer lists with evidence. Imports learning alone."""
