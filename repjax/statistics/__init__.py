"""Statistics over many runs: shares, phases, survival, universality, selection.

NumPy and SciPy on finished trajectories; each function names its source. No jax. The
law of selection is in `key_sets`, `thresholds`, `precedence`, `exchangeability`,
`multiplicities` and `comparison`, its prediction from initial weights in `predictors`;
they take plain arrays with a run axis.
"""
