"""How results are measured: the arithmetic of an implementation, the comparison of its
values with the truth, and the records of what was found.
"""
