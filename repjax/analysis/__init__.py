"""Measurement kernels: from the weights of one network to arrays of numbers.

Every quantity is defined in docs/metrics.md. No files, no run axis, no group by name.
"""
