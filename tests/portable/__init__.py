"""A host project that needs nothing but the wheel: `tests.matrix` runs it with each supported Python and Django.

Its tests are Django's own (`python -m django test portable`), so that an environment holds what a shop installs and
nothing of ours. PORTABLE_EXTRAS names the extras that the environment has.
"""
