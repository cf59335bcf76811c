"""Template tags that show offers. Imports serving."""
