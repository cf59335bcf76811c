"""Management commands, one per file, each a thin wrapper of a function below."""
