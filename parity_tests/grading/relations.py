"""How a wrong result is related to the right one: what can be said of any mistake.

A relation is a test that must hold in all cases, and a phrase for what it found. The
first that holds is taken, so the narrower ones come before the wider ones.
"""

from gradparity.parity_tests.grading import relations_of_cases as cases
from gradparity.parity_tests.grading import relations_of_formulas as formulas
from gradparity.parity_tests.grading import relations_of_values as values
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.wrong import Relation, Test, Wrong

PRECISE: dict[str, Test] = {
    "two-objects": cases.beside_another,
    "transposed": values.transposed,
    "another-quantity": values.another_quantity,
    "reshaped": values.reshaped,
    "another-shape": values.of_another_shape,
    "zeros": values.all_zeros,
    "not-finite": values.not_finite,
    "factor": values.multiplied,
    "without-dout": values.without_dout,
    "one-sided-difference": values.of_forward_differences,
    "large-step": values.of_a_large_step,
    "wrong-at-zero": values.wrong_at_zero,
}
# What says as much as the sentence of a known mistake, and is not put before one.
EXPLAINING: dict[str, Test] = {
    "formula": formulas.of_a_known_formula,
    "by-the-sign": formulas.by_the_sign,
    "more-added": formulas.with_more_added,
    "more-in-the-logarithm": formulas.of_more_in_the_logarithm,
    "row-sums": formulas.of_other_row_sums,
    "one-sample": formulas.of_one_sample,
    "without-params": formulas.without_params,
    "reordered": values.reordered,
    "whole-numbers": formulas.of_whole_numbers,
}
VAGUE: dict[str, Test] = {
    "unanswered": cases.unanswered,
    "raises": cases.raises,
    "no-numbers": cases.of_no_numbers,
    "missing": cases.missing,
    "parameters-overwritten": cases.after_writing_parameters,
    "first-call": cases.right_on_the_first_call,
    "not-repeatable": cases.different_each_time,
    "right-for-one-sample": cases.right_for_one_sample,
    "wrong-for-one-sample": cases.wrong_for_one_sample,
    "zero-in-places": cases.zero_in_places,
    "input-overwritten": cases.after_writing,
    "float64-only": cases.right_in_float64,
    "few-digits": cases.few_digits,
    "one-kind-of-labels": cases.right_for_one_kind_of_labels,
    "some-cases": cases.in_some_cases,
}


def relation(findings: Findings, quantity: str) -> Relation | None:
    """The first relation that holds for a wrong quantity in all cases that count."""
    wrong = Wrong.of(findings, quantity)
    for tests in (PRECISE, EXPLAINING, VAGUE):
        for name, test in tests.items():
            if phrase := test(wrong):
                return Relation(name, phrase, tests is PRECISE)
    return None
