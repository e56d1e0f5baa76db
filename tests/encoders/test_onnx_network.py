"""Networks from ONNX files: equal to the reference evaluator of onnx, differentiable, with errors of one line."""

import sys

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pxs.encoders.onnx_network import OnnxNetwork
from pxs.errors import JudgeError

SHAPE = (1, 3, 12, 12)


class Graph:
    """An ONNX graph of one input and one output, a node after the other, with random weights."""

    def __init__(self):
        self.random, self.nodes, self.weights, self.last = np.random.default_rng(0), [], [], "data"

    def weight(self, array, kind=np.float32):
        self.weights.append(numpy_helper.from_array(np.asarray(array, kind), f"layer1.{len(self.weights)}"))
        return self.weights[-1].name

    def normal(self, *shape, scale=0.3):
        return self.weight(scale * self.random.standard_normal(shape))

    def statistics(self, channels):
        spread = self.weight(self.random.uniform(0.5, 2, channels))
        return self.weight(self.random.uniform(0.5, 2, channels)), self.normal(channels), self.normal(channels), spread

    def add(self, operation, *inputs, of=None, **attributes):
        before, self.last = of or self.last, f"{operation}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, [before, *inputs], [self.last], **attributes))
        return self.last

    def model(self):
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("data", self.last)]
        graph = helper.make_graph(self.nodes, "g", values[:1], values[1:], self.weights)
        # Before version 14 the evaluator of onnx mixes in the statistics of the batch, unlike inference.
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)

    def save(self, folder):
        onnx.save(self.model(), folder / "network.onnx")
        return folder / "network.onnx"


def residual():
    """Like an exported iResNet: a block with a shortcut, and a linear head."""
    g = Graph()
    g.add("Conv", g.normal(4, 3, 3, 3), g.normal(4), kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    x = g.add("PRelu", g.normal(4, 1, 1))
    shortcut = g.add("Conv", g.normal(6, 4, 1, 1), kernel_shape=[1, 1], strides=[2, 2], of=x)
    g.add("BatchNormalization", *g.statistics(4), of=x, epsilon=1e-3, momentum=0.9)
    g.add("Conv", g.normal(4, 4, 3, 3), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    g.add("PRelu", g.normal(4, 1, 1))
    g.add("Conv", g.normal(6, 4, 3, 3), g.normal(6), strides=[2, 2], pads=[1, 1, 1, 1])
    g.add("Add", shortcut)
    g.add("BatchNormalization", *g.statistics(6))
    g.add("Flatten")
    g.add("Dropout", g.weight(0.4))
    g.add("Gemm", g.normal(5, 216), g.normal(5), transB=1, alpha=0.5, beta=2.0)
    g.add("BatchNormalization", *g.statistics(5))
    return g


def mobile():
    """Like an exported MobileFaceNet: depthwise convolution, a fixed shape, and a graph that normalises its input."""
    g = Graph()
    g.add("Sub", g.weight([0.4]))
    g.add("Mul", g.weight([1.5]))
    g.add("Conv", g.normal(3, 1, 3, 3), group=3, dilations=[2, 1], pads=[1, 0, 2, 1])
    g.add("Identity")
    shape = numpy_helper.from_array(np.array([0, -1], np.int64))
    g.nodes.append(helper.make_node("Constant", [], ["shape"], value=shape))
    g.add("Reshape", "shape")
    g.add("MatMul", g.normal(11 * 11 * 3, 5, scale=0.1))
    g.add("Gemm", g.normal(1, 4), transA=1)
    return g


def pictures(seed=0, kind=np.float32):
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype(kind)


@pytest.mark.parametrize("make", [residual, mobile])
def test_a_network_equals_the_reference_evaluator(make, tmp_path):
    graph = make()
    network = OnnxNetwork(graph.save(tmp_path), SHAPE)
    for seed in range(3):
        (expected,) = ReferenceEvaluator(graph.model()).run(None, {"data": pictures(seed)})
        ours = network(torch.from_numpy(pictures(seed)))
        assert ours.shape == expected.shape and np.abs(expected).max() > 0.1
        assert ours.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("make", [residual, mobile])
def test_gradients_equal_finite_differences(make, tmp_path):
    network = OnnxNetwork(make().save(tmp_path), SHAPE).double()
    assert torch.autograd.gradcheck(network, torch.from_numpy(pictures(kind=np.float64)).requires_grad_())


def test_weights_are_frozen_and_move_with_the_module(tmp_path):
    network = OnnxNetwork(residual().save(tmp_path), SHAPE)
    assert not list(network.parameters())
    assert len(list(network.buffers())) == len(residual().weights)
    assert {b.device.type for b in network.to("meta").buffers()} == {"meta"}
    assert network(torch.zeros(SHAPE, device="meta")).shape == (1, 5)


def test_a_network_that_normalises_its_input_takes_bytes(tmp_path):
    assert OnnxNetwork(mobile().save(tmp_path), SHAPE).takes_bytes
    assert not OnnxNetwork(residual().save(tmp_path), SHAPE).takes_bytes


def test_weights_may_also_be_named_as_inputs(tmp_path):
    model = residual().model()
    inputs = [helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in model.graph.initializer]
    model.graph.input.extend(inputs)
    onnx.save(model, tmp_path / "old.onnx")
    ours, old = OnnxNetwork(residual().save(tmp_path), SHAPE), OnnxNetwork(tmp_path / "old.onnx", SHAPE)
    assert torch.equal(old(torch.from_numpy(pictures())), ours(torch.from_numpy(pictures())))
    assert old.version != ours.version


def assert_rejected(path, message):
    with pytest.raises(JudgeError, match=message) as caught:
        OnnxNetwork(path, SHAPE)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_unknown_operations_and_attributes_are_named(tmp_path):
    graph = residual()
    graph.add("Softplus")
    graph.add("Erf")
    assert_rejected(graph.save(tmp_path), "unknown operation Erf, Softplus")
    graph = Graph()
    graph.add("Conv", graph.normal(3, 3, 3, 3), auto_pad="SAME_UPPER")
    assert_rejected(graph.save(tmp_path), "auto_pad")


def test_a_damaged_file_is_one_line(tmp_path):
    content = residual().save(tmp_path).read_bytes()
    for damage in (b"", content[: len(content) // 2], content[7:], b"not a network"):
        (tmp_path / "damaged.onnx").write_bytes(damage)
        assert_rejected(tmp_path / "damaged.onnx", "cannot be run .*: download it again")
    assert_rejected(tmp_path / "none.onnx", "No such file")


def test_a_missing_weight_or_another_shape_is_rejected(tmp_path):
    graph = residual()
    del graph.weights[3]
    assert_rejected(graph.save(tmp_path), "cannot be run")
    with pytest.raises(JudgeError, match="cannot be run"):
        OnnxNetwork(residual().save(tmp_path), (1, 3, 112, 112))


def test_a_missing_onnx_names_the_pip_command(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(JudgeError, match=r'pip install "pxs\[faces\]"'):
        OnnxNetwork(tmp_path / "network.onnx", SHAPE)
