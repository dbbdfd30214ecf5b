"""The catalogue of cases, the comparison, and the pytest suite that runs them."""

DTYPES = ("float64", "float32")  # in which everything is compared
