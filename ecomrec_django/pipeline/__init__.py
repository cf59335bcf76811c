"""Training: from the history to a published release. Imports learning, strategies, history and merchandising."""
