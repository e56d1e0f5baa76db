"""CUDA graphs, by a stand-in for the GPU's: what is recorded is replayed on new inputs, and nothing else is read.

The stand-in records every operation of PyTorch and, when replayed, repeats it into the tensors that it had written:
like a graph, it knows addresses and kernels only, and no Python.
"""

from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import pxs
from pxs.editing.exact import DEFAULT, PLAIN, Savings
from pxs.editing.exact import graphs as module
from pxs.editing.exact.graphs import Replayed
from pxs.editing.exact.transformer import Lean
from pxs.editing.options import LoadOptions
from pxs.editing.sampling import stock_velocity
from pxs.errors import ModelError

STEPS = 3


class Graph:
    """What `torch.cuda.CUDAGraph` is to the code under test."""

    def __init__(self):
        self.calls = []

    def replay(self):
        for operation, args, kwargs, written in self.calls:
            for own, new in zip(written, tensors(operation(*args, **kwargs)), strict=True):
                if own is not new:
                    own.copy_(new)


class Recorder(TorchDispatchMode):
    def __init__(self, graph):
        super().__init__()
        self.graph = graph

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        self.graph.calls.append((operation, args, kwargs or {}, tensors(result)))
        return result


def tensors(result):
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]


@pytest.fixture
def gpu(monkeypatch):
    """The stand-in; a list of the graphs that were recorded."""
    made = []

    def new():
        made.append(Graph())
        return made[-1]

    @contextmanager
    def recording(graph):
        with Recorder(graph):
            yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", new)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr("pxs.editing.exact.transformer.check_device", lambda tensor: tensor)
    return made


def velocities(prepare, transformer, sweep):
    with torch.inference_mode():
        velocity = prepare(transformer, sweep.times, sweep.control, sweep.text, sweep.grid)
        return torch.stack([velocity(step, sweep.latents * (step + 1)) for step in range(STEPS)])


@pytest.mark.parametrize("savings", [Savings(graphs=True), Savings(graphs=True, contiguous=False, last_block=False)])
def test_a_replayed_sweep_is_the_sweep(gpu, transformer, sweep, savings):
    expected = velocities(stock_velocity, transformer, sweep)
    replayed = velocities(Lean(savings), transformer, sweep)
    torch.testing.assert_close(replayed, expected, atol=1e-5, rtol=1e-5)
    assert len(gpu) == 2 and all(graph.calls for graph in gpu)  # the first block, and the others


def test_a_graph_outlives_no_sweep(gpu, transformer, sweep):
    lean = Lean(Savings(graphs=True))
    velocities(lean, transformer, sweep)
    transformer.transformer_blocks[1].attn.to_q.weight.data.mul_(2)
    expected = velocities(stock_velocity, transformer, sweep)
    torch.testing.assert_close(velocities(lean, transformer, sweep), expected, atol=1e-5, rtol=1e-5)
    assert len(gpu) == 4


def test_graphs_and_reuse_go_together(gpu, transformer, sweep):
    lean = Lean(Savings(graphs=True), reuse=0.2)
    plain = velocities(Lean(DEFAULT, reuse=0.2), transformer, sweep)
    torch.testing.assert_close(velocities(lean, transformer, sweep), plain, atol=1e-5, rtol=1e-5)


def test_the_function_itself_runs_once_and_is_recorded_once(gpu):
    ran = []

    def function(x, y):
        ran.append(x.shape)
        return x * 2 + y, x - y

    replayed = Replayed(function)
    x, y = torch.arange(3.0), torch.ones(3)
    results = [replayed(x + n, y * n) for n in range(4)]
    assert ran == [x.shape, x.shape]
    for n, (total, difference) in enumerate(results):  # of every call its own, not the graph's memory
        assert torch.equal(total, (x + n) * 2 + y * n) and torch.equal(difference, x + n - y * n)
    replayed(torch.zeros(5), torch.zeros(5))
    assert len(ran) == 3 and len(gpu) == 1


def test_without_a_gpu_graphs_are_refused(editor):
    with pytest.raises(ModelError, match="CUDA graphs need a GPU and the model is on cpu"):
        pxs.Editor(editor.checkpoint, Savings(graphs=True)).open(pxs.draw(pxs.Identity.sample(1))).edit(
            pxs.Mix(), steps=1
        )
    assert not DEFAULT.graphs and not PLAIN.graphs and module.Recorded is not None


def test_a_mode_that_looks_at_values_cannot_be_recorded(editor):
    from dataclasses import replace

    with pytest.raises(ModelError, match="int8"):
        pxs.Editor(replace(editor.checkpoint, options=LoadOptions(memory="int8")), Savings(graphs=True))
