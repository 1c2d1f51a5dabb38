"""Do the tests err as rarely as they say, and find what is there? Seeded simulation; the long form is `benchmarks/calibration.py`."""
