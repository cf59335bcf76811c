"""The benchmarks' own methods."""
