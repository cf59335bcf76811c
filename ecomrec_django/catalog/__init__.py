"""The shop's catalog: the adapter that a shop writes, and its mirror in Item. Imports models and db."""
