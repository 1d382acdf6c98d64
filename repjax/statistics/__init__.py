"""Statistics over many runs: shares with intervals, phases, survival, universality.

NumPy and SciPy on finished trajectories; each function names its source. No jax.
"""
