"""Cross-sell, upsell and personal offers for an existing Django shop."""

__version__ = "0.1.0"
