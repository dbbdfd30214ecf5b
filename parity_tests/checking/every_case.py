"""All layers and the network, as one task for a process of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gradparity.parity_tests.catalogue.case import NetworkCase
from gradparity.parity_tests.catalogue.cases import (
    LAYER_CASES,
    LAYERS_AND_NETWORK,
    NETWORK_CASES,
)
from gradparity.parity_tests.checking.budgets import budgets
from gradparity.parity_tests.checking.values import Run, load_all, run
from gradparity.parity_tests.implementations.backends import BACKENDS
from gradparity.parity_tests.implementations.contract import Arrays, Implementation
from gradparity.parity_tests.measuring.records import Check, Divergence, ErrorBudget
from gradparity.parity_tests.processes.settings import forget_programs

Flows = dict[tuple[NetworkCase, str], dict[str, Arrays]]
AS_LONG = 100  # steps of a training, as a case through all implementations


@dataclass(frozen=True)
class EveryCase:
    """All layers and the network, as a task (`parallel.py`); by default in threads, as many
    as a `Run` has. Beside the checks, it finds the error budgets of the network: in its
    typical cases and, if it is given, in one whose parameters are those of a training.
    """

    dtypes: Sequence[str]
    implementations: Sequence[str]
    threads: int | None = None
    trained: NetworkCase | None = None

    @property
    def total(self) -> int:
        """In steps of trainings that take as long, as all tasks count."""
        return AS_LONG * len(LAYER_CASES + NETWORK_CASES)

    def run(
        self, progress: Callable[[int], object]
    ) -> tuple[list[Check], list[Divergence], list[ErrorBudget]]:
        every = Run(
            LAYERS_AND_NETWORK, self.dtypes, self.implementations, threads=self.threads
        )
        checks, divergences = every.whole(lambda: progress(AS_LONG))
        found = self.budgets(
            every.flows
        )  # with the programs that have just been compiled
        forget_programs()
        return checks, divergences, found

    def budgets(self, flows: Flows) -> list[ErrorBudget]:
        """Of what is built in: by which algorithms others compute is not known.

        Args:
            flows: what flowed through the typical networks, as a `Run` has it.
        """
        names = [name for name in self.implementations if name in BACKENDS]
        places = {case.name: number for number, case in enumerate(NETWORK_CASES)}

        def place(key: tuple[NetworkCase, str]) -> tuple[int, int]:
            case, dtype = key
            return places.get(case.name, len(places)), self.dtypes.index(dtype)

        flows = flows | self.trained_flows(names)
        found: list[ErrorBudget] = []
        for case, dtype in sorted(flows, key=place):
            flow = flows[case, dtype]
            # Where an error was raised, nothing flowed.
            own = {name: flow[name] for name in names if flow.get(name)}
            found += budgets(case, dtype, own)
        return found

    def trained_flows(self, names: Sequence[str]) -> Flows:
        """What flows through the network of the training."""
        if self.trained is None:
            return {}
        cases = {dtype: self.trained.to(dtype) for dtype in self.dtypes}
        present = [each for each in load_all(names)[0] if each.run_network]
        return {
            (case, dtype): {each.name: flow_of(case, each) for each in present}
            for dtype, case in cases.items()
        }


def flow_of(case: NetworkCase, implementation: Implementation) -> Arrays:
    """What flows through its network; nothing where it raises an error."""
    try:
        return run(case, implementation)
    except Exception:  # which the checks tell of typical cases
        return {}
