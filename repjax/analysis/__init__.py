"""Analysis of ONE run: kernels from weights to arrays, to be jitted. No files."""
