"""How a wrong result is related to the right one: what can be said of any mistake.

A relation is a test that must hold in all cases, and a phrase for what it found. The
first that holds is taken, so the narrower ones come before the wider ones.
"""

from gradparity.parity_tests.grading import relations_of_cases as cases
from gradparity.parity_tests.grading import relations_of_formulas as formulas
from gradparity.parity_tests.grading import relations_of_steps as steps
from gradparity.parity_tests.grading import relations_of_values as values
from gradparity.parity_tests.grading.asking_networks import PARAMS
from gradparity.parity_tests.grading.asking_optimizers import SETTINGS
from gradparity.parity_tests.grading.course import SUBJECTS
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.outcomes import NETWORK
from gradparity.parity_tests.grading.wrong import Relation, Test, Wrong


def shaped(test: Test, *names: str) -> Test:
    """The test of what came in the right shape, of these classes and functions alone if
    there are any names.
    """
    return lambda wrong: (
        test(wrong) if wrong.shaped and (not names or wrong.name in names) else None
    )


DIFFERENCES = [name for name, subject in SUBJECTS.items() if subject.differentiates]
# That there is nothing to be wrong, which goes before all that is.
FAILING: dict[str, Test] = {
    "unanswered": cases.unanswered,
    "raises": cases.raises,
    "missing": cases.missing,
    "no-numbers": cases.of_no_numbers,
}
PRECISE: dict[str, Test] = {
    "share-kept": cases.of_another_share,
    "two-objects": cases.beside_another,
    "transposed": values.transposed,
    "another-quantity": values.another_quantity,
    "reshaped": values.reshaped,
    "another-shape": values.of_another_shape,
    "zeros": shaped(values.all_zeros),
    "not-finite": shaped(values.not_finite),
    "factor": shaped(values.multiplied),
    "without-dout": shaped(values.without_dout),
    "one-sided-difference": shaped(values.of_forward_differences, *DIFFERENCES),
    "large-step": shaped(values.of_a_large_step, *DIFFERENCES),
    "wrong-at-zero": shaped(values.wrong_at_zero),
    "step-alone": shaped(steps.of_the_step_alone, *SETTINGS),
    "longer-steps": shaped(steps.of_longer_steps, *SETTINGS),
}
# What says as much as the sentence of a known mistake, and is not put before one.
EXPLAINING: dict[str, Test] = {
    "formula": shaped(formulas.of_a_known_formula),
    "by-the-sign": shaped(formulas.by_the_sign, "Relu"),
    "more-added": shaped(formulas.with_more_added),
    "more-in-the-logarithm": shaped(
        formulas.of_more_in_the_logarithm, "cross_entropy_error", "SoftmaxWithLoss"
    ),
    "row-sums": shaped(formulas.of_other_row_sums, "softmax"),
    "one-sample": shaped(formulas.of_one_sample, "Affine"),
    "without-params": shaped(formulas.without_params, NETWORK),
    "reordered": shaped(values.reordered),
    "whole-numbers": shaped(formulas.of_whole_numbers),
    "first-step": shaped(steps.after_the_first_step, *SETTINGS),
}
# What the share of a few samples that are right may seem to be by chance.
BY_CHANCE = frozenset(
    (
        *("factor", "first-call", "zero-in-places"),
        *("right-for-one-sample", "wrong-for-one-sample"),
    )
)
VAGUE: dict[str, Test] = {
    "parameters-overwritten": lambda wrong: cases.after_writing(
        wrong, "W", "b", *PARAMS
    ),
    "first-call": cases.right_on_the_first_call,
    "not-repeatable": cases.different_each_time,
    "right-for-one-sample": cases.right_for_one_sample,
    "wrong-for-one-sample": cases.wrong_for_one_sample,
    "zero-in-places": shaped(cases.zero_in_places),
    "input-overwritten": lambda wrong: cases.after_writing(wrong, "x", "y"),
    "float64-only": cases.right_in_float64,
    "few-digits": shaped(cases.few_digits),
    "one-kind-of-labels": cases.right_for_one_kind_of_labels,
    "some-cases": cases.in_some_cases,
}


def relation(findings: Findings, quantity: str) -> Relation | None:
    """The first relation that holds for a wrong quantity in all cases that count."""
    wrong = Wrong.of(findings, quantity)
    left_out = BY_CHANCE if quantity == "accuracy" else frozenset()
    if quantity == "accuracy" and "predict" in findings.wrong:
        left_out |= {*VAGUE}  # of what it says, predict is the reason
    for tests in (FAILING, PRECISE, EXPLAINING, VAGUE):
        for name, test in tests.items():
            if name not in left_out and (phrase := test(wrong)):
                return Relation(name, phrase, tests is PRECISE)
    return None
