"""Orders, reviews and event files of the shop, imported idempotently."""
