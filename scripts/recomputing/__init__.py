"""The parts of recompute.py. None of them uses the program's code."""
