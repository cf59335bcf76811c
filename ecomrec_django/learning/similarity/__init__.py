"""Which items and which shoppers are alike."""
