"""The catalogue of cases, the comparison, and the pytest suite that runs them."""
