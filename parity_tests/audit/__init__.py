"""Can the suite be trusted? Its truth is held against other mathematics (`truth`, with the
formulas of `oracle`), its comparison must fail on a planted mistake (`control`), and every
mistake of the catalogue must be caught (`sensitivity`).
"""
