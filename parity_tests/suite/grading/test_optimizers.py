"""What is right passes, however an optimizer is written; each known mistake is named."""

import numpy as np
import pytest

from gradparity.parity_tests.grading.asking_optimizers import SETTINGS
from gradparity.parity_tests.grading.diagnosis import diagnose, known, meant
from gradparity.parity_tests.grading.exercise import exercise
from gradparity.parity_tests.grading.findings import Findings
from gradparity.parity_tests.grading.judging import judge
from gradparity.parity_tests.grading.records import GradedFile
from gradparity.parity_tests.grading.rights import Right
from gradparity.parity_tests.grading.tasks import OPTIONAL, group, tasks_of
from gradparity.parity_tests.grading.truths import expected
from gradparity.parity_tests.grading.variants import Variant, variants
from gradparity.parity_tests.mutants import OF_THE_COURSE, Mutant
from gradparity.parity_tests.mutants.optimizers import OPTIMIZERS
from gradparity.parity_tests.suite.grading.test_grading import offered_by, ran
from gradparity.parity_tests.suite.grading.test_networks import are_told_apart

PLANTED = [mutant for mutant in OF_THE_COURSE if mutant.scope == "optimizer"]


def graded(source: str) -> GradedFile:
    return judge("submission.py", ran(offered_by("import numpy as np\n" + source)))


def kinds(found: GradedFile) -> list[str]:
    return [warning.kind for warning in found.warnings]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_right_way_passes(name: str) -> None:
    for variant in variants(name):
        found = judge("", ran({name: variant.of(OPTIMIZERS[name])}))
        assert found.status == "pass", (variant.settings, found.diagnosis)
        assert found.warnings == []


# As people write them: constructor, before the loop, within the loop.
WRITTEN = [
    ("SGD", "lr=0.01", "", "params[key] -= self.lr * grads[key]", []),
    ("SGD", "lr", "", "params[key] -= self.lr * grads[key]", ["defaults"]),
    ("SGD", "learning_rate=0.1", "", "params[key] -= grads[key] * self.lr",
     ["defaults"]),
    ("SGD", "lr=0.01", "", "params[key] = params[key] - self.lr * grads[key]",
     ["rebinds"]),
    ("Momentum", "lr=0.01, momentum=0.9", "",
     "self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]\n"
     "            params[key] += self.v[key]", []),
    ("Momentum", "momentum=0.9, lr=0.01", "",
     "self.v[key] = self.momentum * self.v[key] + grads[key]\n"
     "            params[key] -= self.lr * self.v[key]", []),
    ("Nesterov", "lr=0.01, momentum=0.9", "",
     "self.v[key] *= self.momentum\n"
     "            self.v[key] -= self.lr * grads[key]\n"
     "            params[key] += self.momentum ** 2 * self.v[key]\n"
     "            params[key] -= (1 + self.momentum) * self.lr * grads[key]", []),
    ("Nesterov", "lr=0.01, momentum=0.9", "",
     "old = self.v[key].copy()\n"
     "            self.v[key] = self.momentum * old - self.lr * grads[key]\n"
     "            params[key] += -self.momentum * old + (1 + self.momentum) * self.v[key]",
     []),
    ("Nesterov", "lr=0.01, momentum=0.9", "",
     "self.v[key] = self.momentum * self.v[key] + grads[key]\n"
     "            params[key] -= self.lr * (grads[key] + self.momentum * self.v[key])",
     []),
    ("AdaGrad", "lr=0.01", "",
     "self.v[key] += grads[key] ** 2\n"
     "            params[key] -= self.lr / (np.sqrt(self.v[key]) + 1e-8) * grads[key]",
     []),
    ("AdaGrad", "lr=0.01", "",
     "self.v[key] += grads[key] * grads[key]\n"
     "            params[key] -= self.lr * grads[key] / np.sqrt(self.v[key] + 1e-7)", []),
    ("RMSprop", "lr=0.01, decay_rate=0.99", "",
     "self.v[key] *= self.decay_rate\n"
     "            self.v[key] += (1 - self.decay_rate) * grads[key] * grads[key]\n"
     "            params[key] -= self.lr * grads[key] / (self.v[key] ** 0.5 + 1e-7)", []),
    ("RMSprop", "lr=0.001, rho=0.9", "self.decay_rate = self.rho",
     "self.v[key] = self.rho * self.v[key] + (1 - self.rho) * grads[key] ** 2\n"
     "            params[key] -= self.lr * grads[key] / (np.sqrt(self.v[key]) + 1e-6)",
     ["defaults"]),
    ("Adam", "lr=0.001, beta1=0.9, beta2=0.999",
     "self.t += 1; lr = self.lr * np.sqrt(1 - self.beta2 ** self.t)"
     " / (1 - self.beta1 ** self.t)",
     "self.m[key] += (1 - self.beta1) * (grads[key] - self.m[key])\n"
     "            self.v[key] += (1 - self.beta2) * (grads[key] ** 2 - self.v[key])\n"
     "            params[key] -= lr * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)", []),
    ("Adam", "lr=0.001, beta1=0.9, beta2=0.999", "self.t += 1",
     "self.m[key] = self.beta1 * self.m[key] + (1 - self.beta1) * grads[key]\n"
     "            self.v[key] = self.beta2 * self.v[key] + (1 - self.beta2)"
     " * grads[key] ** 2\n"
     "            m = self.m[key] / (1 - self.beta1 ** self.t)\n"
     "            v = self.v[key] / (1 - self.beta2 ** self.t)\n"
     "            params[key] -= self.lr * m / (np.sqrt(v) + 1e-8)", []),
]  # fmt: skip


def written(name: str, settings: str, before: str, within: str) -> str:
    roles = [each.partition("=")[0].strip() for each in settings.split(",")]
    kept = "".join(f"        self.{role} = {role}\n" for role in roles)
    return (
        f"class {name}:\n"
        f"    def __init__(self, {settings}):\n{kept}"
        f"        self.lr = {'learning_rate' if 'learning_rate' in roles else 'lr'}\n"
        "        self.v = self.m = None\n"
        "        self.t = 0\n"
        "    def update(self, params, grads):\n"
        "        if self.v is None:\n"
        "            self.v = {k: np.zeros_like(p) for k, p in params.items()}\n"
        "            self.m = {k: np.zeros_like(p) for k, p in params.items()}\n"
        f"        {before or 'pass'}\n"
        "        for key in params:\n"
        f"            {within}\n"
    )


@pytest.mark.parametrize(
    ("name", "settings", "before", "within", "warned"),
    WRITTEN,
    ids=[f"{row[0]}-{i}" for i, row in enumerate(WRITTEN)],
)
def test_what_is_right_passes_however_it_is_written(
    name: str, settings: str, before: str, within: str, warned: list[str]
) -> None:
    found = graded(written(name, settings, before, within))
    assert found.status == "pass", found.diagnosis
    assert kinds(found) == warned


def test_settings_of_its_own_are_told() -> None:
    _, _, before, within, _ = WRITTEN[4]
    found = graded(written("Momentum", "lr=0.1, momentum=0.5", before, within))
    assert found.status == "pass"
    (warning,) = found.warnings
    assert warning.sentence == (
        "`Momentum` has other settings by itself than the book's, `lr=0.01` and "
        "`momentum=0.9`."
    )


def test_settings_that_are_kept_and_not_taken_are_set() -> None:
    found = graded(
        "class Momentum:\n"
        "    def __init__(self):\n"
        "        self.lr, self.momentum, self.v = 0.01, 0.9, {}\n"
        "    def update(self, params, grads):\n"
        "        for k in params:\n"
        "            v = self.momentum * self.v.get(k, 0) - self.lr * grads[k]\n"
        "            self.v[k] = v\n"
        "            params[k] += v\n"
    )
    assert found.status == "pass", found.diagnosis
    assert found.warnings == []


def test_what_takes_no_setting_is_told() -> None:
    found = graded(
        "class SGD:\n"
        "    def update(self, params, grads):\n"
        "        for k in params:\n"
        "            params[k] -= 0.01 * grads[k]\n"
    )
    (told,) = found.diagnosis
    assert told.sentence.startswith("`SGD` takes no lr")


def test_lists_are_taken_as_in_the_second_book() -> None:
    found = graded(
        "class Momentum:\n"
        "    def __init__(self, lr=0.01, momentum=0.9):\n"
        "        self.lr, self.momentum, self.v = lr, momentum, None\n"
        "    def update(self, params, grads):\n"
        "        if self.v is None:\n"
        "            self.v = [np.zeros_like(p) for p in params]\n"
        "        for i in range(len(params)):\n"
        "            self.v[i] = self.momentum * self.v[i] - self.lr * grads[i]\n"
        "            params[i] += self.v[i]\n"
    )
    assert found.status == "pass", found.diagnosis
    assert kinds(found) == ["lists"]
    found = graded(
        "class SGD:\n"
        "    def __init__(self, lr=0.01):\n"
        "        self.lr = lr\n"
        "    def update(self, params, grads):\n"
        "        for i in range(len(params)):\n"
        "            params[i] -= self.lr * grads[i]\n"
    )
    assert found.status == "pass", found.diagnosis
    assert kinds(found) == ["lists"]


def test_what_has_no_update_is_told() -> None:
    found = graded(
        "class Adam:\n"
        "    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):\n"
        "        pass\n"
    )
    (told,) = found.diagnosis
    assert told.sentence == (
        "`Adam` has no method `update` that takes parameters and gradients."
    )


@pytest.mark.parametrize(
    ("row", "old", "new", "relation", "phrase"),
    [
        (0, "-= self.lr * grads[key]", "-= 2 * self.lr * grads[key]", "longer-steps",
         "are moved by 2 times the right step in the first one"),
        (0, "-= self.lr * grads[key]", "*= 1", "step-thrown-away-in-sgd",
         "are not moved by the first step"),
        (4, "= self.momentum * self.v[key] - ", "= 2 * self.v[key] + ", "longer-steps",
         "are moved in the wrong direction by the first step"),
        (0, "-= self.lr * grads[key]", "+= -self.lr * grads[key] - params[key]",
         "step-alone", "are the step alone, which must be added to what the parameter was"),
        (4, "= self.momentum *", "= 2 * self.momentum *", "first-step",
         "are right after the first step, and not after all others: look at what is kept "
         "from one step to the next"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_described(
    row: int, old: str, new: str, relation: str, phrase: str
) -> None:
    name, settings, before, within, _ = WRITTEN[row]
    assert old in within
    found = graded(written(name, settings, before, within.replace(old, new)))
    assert relation in {told.mistake for told in found.diagnosis}
    assert phrase in {told.relation for told in found.diagnosis}
    for told in found.diagnosis:
        assert "batch" not in told.sentence
        assert "call" not in told.sentence


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_mistake_is_named_in_whatever_way_it_is_written(name: str) -> None:
    uphill = next(mutant for mutant in PLANTED if mutant.layer == name)
    is_named(uphill, variants(name)[-1])


def is_named(mutant: Mutant, variant: Variant) -> None:
    definition, name = variant.of(mutant.definition), mutant.layer
    outcomes = exercise({name: definition}, tasks_of(name))
    findings = meant(Findings.of(name, outcomes))
    (found,) = diagnose({name: findings})
    assert (found.mistake, found.known) == (mutant.name, True)
    assert found.quantities == findings.wrong
    assert mutant.sentence[1:] in found.sentence


def test_mistakes_in_optimizers_are_told_apart() -> None:
    for name in OPTIMIZERS:
        are_told_apart(known(name))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_bounds_are_those_of_rounding(name: str) -> None:
    for each in expected(name):
        for dtype, u in (("float64", 2.0**-53), ("float32", 2.0**-24)):
            right = each.right(dtype, 0.0, [])
            assert isinstance(right, Right)
            size = 1 + np.abs(right.truth)
            assert (right.allowed <= 100 * u * size).all(), (each.task.case, dtype)


def test_every_optimizer_is_asked_with_settings_that_have_few_digits() -> None:
    for name in SETTINGS:
        for task in tasks_of(name):
            if group(task.case) not in OPTIONAL:
                for role in SETTINGS[name]:
                    number = task.calls[0].inputs[role]
                    assert np.float16(number) == number
