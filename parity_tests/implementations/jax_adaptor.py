"""Functions of JAX arrays, differentiated by jax.vjp, as implementations."""

from collections.abc import Callable
from functools import cache, lru_cache, partial
from importlib import import_module
from typing import Any

import numpy as np

from gradparity.parity_tests.catalogue.layers import LAYERS, settings_of
from gradparity.parity_tests.implementations import contract
from gradparity.parity_tests.implementations.backends import Backend
from gradparity.parity_tests.implementations.functions import FunctionStyle, converted


class JaxStyle(FunctionStyle):
    """Pure functions of JAX arrays, differentiated by jax.vjp, jitted or not."""

    def __init__(self, name: str, backend: Backend) -> None:
        jax = contract.framework("jax")
        super().__init__(
            name, backend, import_module("gradparity.jax_impl.layers"), jax.numpy
        )
        self.jax = jax
        self.networks = import_module("gradparity.jax_impl.networks")
        fused, composed = backend.form == "fused", backend.form == "composed"
        self.jit = not fused
        # One function for each layer, so that a shape is compiled once, not for each case;
        # and of the last layers only, since every compiled program takes a megabyte.
        self._vjp = lru_cache(maxsize=2)(self._make_vjp)
        self._trace = jax.jit(self.networks.trace) if self.jit else self.networks.trace
        self.run_network = None if composed else self._run_network
        self.train = (
            import_module("gradparity.jax_impl.training").train if fused else None
        )
        self.predict = None if composed else self._predict
        self.spelled = self._spelled if fused else None
        self._compiled_products = cache(self._compile_products)
        self.products = self._products if fused else None

    def _array(self, layer: str, name: str, value: np.ndarray) -> Any:
        if value.dtype == object:
            raise contract.no_floats(layer, name, value)
        return self.jax.device_put(value)

    def _make_vjp(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """(inputs to differentiate, others, dout) -> (out, gradients), jitted or not."""
        vjp = self.jax.vjp
        function = partial(function, **LAYERS[layer].settings)

        def forward_and_backward(primals: Any, others: Any, dout: Any) -> Any:
            out, back = vjp(lambda primals: function(**primals, **others), primals)
            contract.check_dout(layer, dout, out)
            return out, back(dout)[0]

        return self.jax.jit(forward_and_backward) if self.jit else forward_and_backward

    def run_layer(
        self, layer: str, inputs: contract.Arrays, dout: Any
    ) -> contract.Arrays:
        spec, function = LAYERS[layer], self.function(layer)
        with self.jax.enable_x64(True):
            arrays = {k: self._array(layer, k, v) for k, v in inputs.items()}
            primals = {name: arrays.pop(name) for name in spec.differentiable}
            if self.jit and arrays:
                # Labels have values only outside jit: this is where they are checked.
                whole = partial(function, **arrays, **spec.settings)
                self.jax.eval_shape(lambda primals: whole(**primals), primals)
            douts = tuple(
                self._array(layer, "dout", each) for each in contract.as_tuple(dout)
            )
            cotangent = douts if isinstance(dout, tuple) else douts[0]
            out, found = self._vjp(layer, function)(primals, arrays, cotangent)
            gradients = (found[name] for name in spec.differentiable)
            names = [*spec.outputs, *spec.gradients]
            results = zip(names, [*contract.as_tuple(out), *gradients], strict=True)
            return {name: np.asarray(value) for name, value in results}

    def _params(self, params: contract.Arrays) -> Any:
        return self.networks.from_params(
            {k: self._array("TwoLayerNet", k, v) for k, v in params.items()}
        )

    def _run_network(
        self, params: contract.Arrays, x: np.ndarray, t: np.ndarray
    ) -> contract.Arrays:
        with self.jax.enable_x64(True):
            arrays = self._params(params)
            labels = self._array("SoftmaxWithLoss", "t", t)
            x = self._array("Affine", "x", x)
            self.jax.eval_shape(
                lambda p, x: self.networks.loss(p, x, labels), arrays, x
            )
            flow = self._trace(arrays, x, labels)
            return {name: np.asarray(value) for name, value in flow.items()}

    def _predict(self, params: contract.Arrays, x: np.ndarray) -> np.ndarray:
        with self.jax.enable_x64(True):
            predict = self.jax.jit(self.networks.predict)
            return np.asarray(predict(self._params(params), x))

    def _compile_products(self, layer: str) -> Callable[..., Any]:
        """Whole: to compile a layer's operations one by one takes longer."""
        room = import_module("gradparity.jax_impl.second_order")
        function = getattr(self.layers, contract.function_name(layer), None)
        return self.jax.jit(
            partial(contract.products, room, function, **settings_of(layer))
        )

    def _products(self, layer: str, *arguments: Any) -> contract.Arrays:
        with self.jax.enable_x64(True):
            given = converted(arguments, self.jax.device_put)
            found = self._compiled_products(layer)(*given)
            return {name: np.asarray(value) for name, value in found.items()}
