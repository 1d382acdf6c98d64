"""One run as pure functions: loss, optimiser, state, steps.

Nothing here has a run axis or opens a file; `engine` trains many runs.
"""
