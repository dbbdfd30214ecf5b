"""MNIST's files: where they lie, how they are fetched, and how nothing is left of
what did not become whole. What is called to get a data set is in `datasets.py`.
"""
