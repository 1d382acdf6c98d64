"""What is to be learned: the label of each pair of elements, and which pairs train.

A new task is a function of a group's table. Nothing here knows of networks.
"""
