"""Export, erasure and retention of what is known of a person. Imports history, models and locks."""
