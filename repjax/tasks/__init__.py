"""Tasks: the label of every pair of elements, and the split into training and test.

A new task is a function of a group's table. Nothing here depends on networks.
"""
