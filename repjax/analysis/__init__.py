"""Analysis kernels: weights of ONE run → arrays. Jitted, no files, no run axis."""
