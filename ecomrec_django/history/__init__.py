"""The event history in Parquet files, which training reads: export and removal. Imports models, artifacts and db."""
