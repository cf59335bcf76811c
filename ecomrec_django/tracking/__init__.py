"""Recording of what consenting shoppers do, and imports of the shop's records. Imports privacy, catalog and models."""
