"""Kernels: the weights of one network in, arrays of numbers out, jitted by others.

Every quantity is defined in docs/metrics.md. No files, no run axis, no group by name.
"""
