"""What a converted graph computes with, read off the graph itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

_NAMES = {"FLOAT": "float32", "FLOAT16": "float16", "BFLOAT16": "bfloat16", "DOUBLE": "float64"}


@dataclasses.dataclass(frozen=True)
class Graph:
    """`computes`: the type that attention's inputs and its cache have; `cache`: that of the KV cache as it is handed over;
    `bits`: of the quantised weights, None where they are stored as they are computed with; `attention`: the operator."""

    computes: str
    cache: str
    bits: int | None
    attention: str
    notes: list[str]


def read(folder: Path) -> Graph:
    """The graph that lies in `folder`; its weights are not read."""
    import onnx

    graph = onnx.load(str(folder / "model.onnx"), load_external_data=False).graph
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info)}
    name = onnx.TensorProto.DataType.Name
    cached = {types[value.name] for value in graph.input if value.name.startswith("past_key_values.")}
    cache = " and ".join(sorted(_NAMES.get(name(kind), name(kind).lower()) for kind in cached))
    operators = {node.op_type for node in graph.node}
    attention = sorted(operator for operator in operators if operator.endswith("Attention"))
    inputs = {
        types[source]
        for node in graph.node
        if node.op_type in attention
        for source in node.input[:1]
        if types.get(source)
    }
    computed = " and ".join(sorted(_NAMES.get(name(kind), name(kind).lower()) for kind in inputs or cached))
    quantised = [node for node in graph.node if node.op_type == "MatMulNBits"]
    widths = {a.i for node in quantised for a in node.attribute if a.name == "bits"}
    levels = {a.i for node in quantised for a in node.attribute if a.name == "accuracy_level"}
    if not quantised and "DequantizeLinear" in operators:
        stored = {name(constant.data_type) for constant in graph.initializer}
        widths = {int(kind.lstrip("UINT")) for kind in stored if kind in ("INT4", "UINT4", "INT8", "UINT8")}
    kinds = sorted(operator for operator in operators if "MatMul" in operator or operator == "DequantizeLinear")
    notes = [
        f"kernels {', '.join(kinds)}" + (f", accuracy level {max(levels)} (4: int8 activations)" if levels else "")
    ]
    return Graph(computed, cache, min(widths) if widths else None, ", ".join(attention), notes if widths else [])
