"""What is tried: the cases of every layer and of the network, and where implementations
legitimately differ.

A case (`case`) is a layer with concrete inputs; `cases` are the typical and the refused
ones, `edges` the special numbers, layouts and sizes, `spellings` other ways to write a
layer. `divergences` says at which numbers implementations differ, and why.
"""
