"""`LiteNetwork`: one network of a .tflite file, run by ai-edge-litert (extra `photos`)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pxs.errors import PxsError
from pxs.optional import require


class LiteNetwork:
    """A network with one input, from the bytes of its file.

    Without XNNPACK, which announces itself on standard error. Raises `error` without the extra `photos`.
    """

    def __init__(self, content: bytes, error: type[PxsError]) -> None:
        runtime = require("ai_edge_litert.interpreter", "photos", error)
        plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._network = runtime.Interpreter(model_content=content, num_threads=1, experimental_op_resolver_type=plain)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._network.get_output_details()]

    def __call__(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The outputs, in the order that the file states, for one input without its batch axis."""
        self._network.set_tensor(self._input, values[None].astype(np.float32))
        self._network.invoke()
        return [self._network.get_tensor(output) for output in self._outputs]
