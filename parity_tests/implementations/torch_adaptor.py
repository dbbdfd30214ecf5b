"""Functions of tensors, differentiated by autograd, as implementations."""

from importlib import import_module
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.layers import LAYERS, settings_of
from gradparity.parity_tests.implementations import contract
from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.implementations.functions import FunctionStyle, converted


class TorchStyle(FunctionStyle):
    """Functions of tensors, differentiated by autograd."""

    def __init__(self, name: str, backend: Backend) -> None:
        torch = contract.framework("torch")
        super().__init__(
            name, backend, import_module("gradparity.torch_impl.layers"), torch
        )
        self.torch = torch
        fused = backend.form == "fused"
        self.spelled = self._spelled if fused else None
        self.run_network = self._run_network if fused else None
        self.train = (
            import_module("gradparity.torch_impl.training").train if fused else None
        )
        self.predict = self._predict if fused else None
        self.products = self._products if fused else None

    def _tensor(self, layer: str, name: str, value: np.ndarray) -> Any:
        # As it lies in memory, but for what a tensor cannot be: read-only, or backwards.
        if not value.flags.writeable or min(value.strides, default=0) < 0:
            value = value.copy()
        try:
            return self.torch.from_numpy(value)
        except TypeError:  # object arrays
            raise contract.no_floats(layer, name, value) from None

    def run_layer(
        self, layer: str, inputs: contract.Arrays, dout: Any
    ) -> contract.Arrays:
        spec = LAYERS[layer]
        tensors = {k: self._tensor(layer, k, v) for k, v in inputs.items()}
        sources = [tensors[name] for name in spec.differentiable]
        for source in sources:
            if source.is_floating_point():
                source.requires_grad_()
        out = self.function(layer)(**tensors, **spec.settings)
        contract.check_dout(layer, dout, out)
        # The derivative of this sum with respect to out is dout, bit for bit. To be given
        # dout itself, as grad_outputs, would have torch import sympy to check its shape.
        outputs, douts = contract.as_tuple(out), contract.as_tuple(dout)
        weighted = [
            (each * self._tensor(layer, "dout", d)).sum()
            for each, d in zip(outputs, douts, strict=True)
        ]
        gradients = self.torch.autograd.grad(weighted, sources)
        results = [*(each.detach() for each in outputs), *gradients]
        names = [*spec.outputs, *spec.gradients]
        return {n: value.numpy() for n, value in zip(names, results, strict=True)}

    def _network(self, params: contract.Arrays) -> Any:
        net = import_module("gradparity.torch_impl.networks").TwoLayerNet
        return net.from_params(
            {k: self._tensor("TwoLayerNet", k, v) for k, v in params.items()}
        )

    def _run_network(
        self, params: contract.Arrays, x: np.ndarray, t: np.ndarray
    ) -> contract.Arrays:
        network = self._network(params)
        flow = network.trace(
            self._tensor("Affine", "x", x), self._tensor("SoftmaxWithLoss", "t", t)
        )
        return {name: value.numpy() for name, value in flow.items()}

    def _predict(self, params: contract.Arrays, x: np.ndarray) -> np.ndarray:
        scores = self._network(params).predict(self._tensor("Affine", "x", x))
        return scores.detach().numpy()

    def _products(self, layer: str, *arguments: Any) -> contract.Arrays:
        room = import_module("gradparity.torch_impl.second_order")
        function = getattr(self.layers, contract.function_name(layer), None)
        given = converted(
            arguments, lambda array: self.torch.from_numpy(np.array(array))
        )
        found = contract.products(room, function, *given, **settings_of(layer))
        return {name: value.numpy() for name, value in found.items()}
