"""Write a decoder in OpenVINO's format the way its GenAI pipeline expects it, without optimum-intel.

    python -m trtbench.lanes.openvino.export MODEL OUT float32|int8|int4

A plain decoder with explicit keys and values is traced, its inputs and outputs get the names that GenAI looks for, a
`beam_idx` gather goes behind each past input, and the whole is made stateful. What it may look at is the model's own
(masks.py), and its logits are held against transformers' before it is written (checking.py).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
import transformers

from trtbench.errors import Unsupported
from trtbench.lanes.openvino import checking
from trtbench.lanes.openvino.masks import PORT, Attention, Past, Sight, attention_of, replaced
from trtbench.lanes.openvino.reach import Reach
from trtbench.model import torch_loading


class Joined(Past):
    """Keys and values that are joined to the past ones in the graph."""

    def __init__(self, past: tuple[Any, ...]) -> None:
        super().__init__(past[0].shape[2])
        self.parts = [[past[i], past[i + 1]] for i in range(0, len(past), 2)]

    def update(self, key_states: Any, value_states: Any, layer_idx: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        for kind, new in enumerate((key_states, value_states)):
            self.parts[layer_idx][kind] = torch.cat([self.parts[layer_idx][kind], new], dim=-2)
        return self.parts[layer_idx][0], self.parts[layer_idx][1]


class Decoder(torch.nn.Module):  # type: ignore[misc]
    """input_ids [B, S], attention_mask [B, P + S], position_ids [B, S], then key and value [B, kv heads, P, head dim]
    of each layer, to logits [B, S, vocabulary] and the keys and values [B, kv heads, P + S, head dim]."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.masks: dict[Sight, Any] = {}

    def mask_of(self, sight: Sight) -> Any:
        """Causal or windowed, and padded, [B, 1, S, P + S]: additive, or booleans where the model wants them upside down."""
        if sight not in self.masks:
            seen = self.seen if sight.window is None else self.seen & (self.distance < sight.window)
            additive = torch.zeros_like(seen, dtype=torch.float32).masked_fill(~seen, torch.finfo(torch.float32).min)
            self.masks[sight] = ~seen if sight.inverted else additive
        return self.masks[sight]

    def forward(self, input_ids: Any, attention_mask: Any, position_ids: Any, *past: Any) -> tuple[Any, ...]:
        cache = Joined(past)
        length, past_length = input_ids.shape[1], past[0].shape[2]
        columns = torch.arange(past_length + length)[None, None, None, :]
        self.distance = torch.arange(length)[None, None, :, None] + past_length - columns
        self.seen = (self.distance >= 0) & (attention_mask[:, None, None, :] != 0)
        self.masks = {}
        output = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        return (output.logits, *(part for layer in cache.parts for part in layer))


def export(source: Path, out: Path, stored: str) -> None:
    """Convert the Hugging Face folder `source` into `out`. The tokenizer is written beside it, because the pipeline wants one.

    Raises Unsupported for a model whose masks or whose logits the graph would not have."""
    import openvino as ov
    from openvino._offline_transformations import apply_make_stateful_transformation

    model = torch_loading.load_model(source, "float32", "cpu", torch.get_num_threads(), as_made=True)
    vocabulary = model.config.get_text_config().vocab_size
    attention = attention_of(model)
    expected = checking.expected(model, vocabulary, attention)
    decoder = traced(model, attention)
    del model
    past, present = name_ports(decoder, attention.ports)
    gather_beams(decoder, len(attention.ports))
    apply_make_stateful_transformation(decoder, dict(zip(past, present)))
    start_states(decoder)
    paged = checking.paged_up_to(decoder, attention, expected)
    Reach(attention.longest, paged, attention.window).write(out)
    if stored != "float32":
        compress(decoder, stored, vocabulary)
    ov.save_model(decoder, str(out / "openvino_model.xml"), compress_to_fp16=False)
    save_tokenizer(source, out)
    for name in ("config.json", "generation_config.json"):
        if (source / name).is_file():
            shutil.copy(source / name, out / name)


def traced(model: Any, attention: Attention) -> Any:
    """The model as OpenVINO's graph, from an example of two ids after three."""
    import openvino as ov

    ids = torch.tensor([[1, 2]])
    past = [torch.zeros(1, heads, 3, width) for layer in attention.ports for heads, width in layer]
    example = (ids, torch.ones(1, 5, dtype=torch.int64), torch.tensor([[3, 4]]), *past)
    decoder = Decoder(model)
    with replaced(model, attention, decoder.mask_of):
        return ov.convert_model(decoder, example_input=example)


def name_ports(decoder: Any, ports: tuple[tuple[PORT, PORT], ...]) -> tuple[list[str], list[str]]:
    """Give inputs and outputs the names that GenAI looks for; return those of the past and of the present keys and values."""
    import openvino as ov

    inputs = ["input_ids", "attention_mask", "position_ids"]
    past = [f"past_key_values.{layer}.{kind}" for layer in range(len(ports)) for kind in ("key", "value")]
    present = [f"present.{layer}.{kind}" for layer in range(len(ports)) for kind in ("key", "value")]
    shapes = [[-1, -1] for _ in inputs] + [[-1, heads, -1, width] for layer in ports for heads, width in layer]
    for port, name, shape in zip(decoder.inputs, inputs + past, shapes):
        port.get_tensor().set_names({name})
        port.get_node().set_partial_shape(ov.PartialShape(shape))
    for port, name in zip(decoder.outputs, ["logits", *present]):
        port.get_tensor().set_names({name})
    return past, present


def gather_beams(decoder: Any, layers: int) -> None:
    """Put a gather by `beam_idx` behind each past input, as the pipeline expects."""
    import openvino as ov
    from openvino.opset13 import gather, parameter

    beams = parameter([-1], ov.Type.i32, name="beam_idx")
    beams.output(0).get_tensor().set_names({"beam_idx"})
    decoder.add_parameters([beams])
    for port in decoder.inputs[3 : 3 + 2 * layers]:
        targets = port.get_target_inputs()
        gathered = gather(port, beams.output(0), 0)
        for target in targets:
            target.replace_source_output(gathered.output(0))
    decoder.validate_nodes_and_infer_types()


def save_tokenizer(source: Path, out: Path) -> None:
    import openvino as ov
    from openvino_tokenizers import convert_tokenizer

    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(source, local_files_only=True)
    for part, name in zip(
        convert_tokenizer(tokenizer, with_detokenizer=True), ("openvino_tokenizer", "openvino_detokenizer")
    ):
        ov.save_model(part, str(out / f"{name}.xml"))


def start_states(decoder: Any) -> None:
    """Let every state begin with no past tokens for as many sequences as input_ids has: [B, kv heads, 0, head dim]."""
    import numpy as np
    from openvino.opset13 import broadcast, concat, constant, gather, shape_of

    ids = next(port for port in decoder.inputs if port.get_any_name() == "input_ids")
    batch = gather(shape_of(ids, "i64"), constant(np.array([0])), constant(np.array(0)))
    for node in decoder.get_ops():
        if node.get_type_name() == "ReadValue":
            _, heads, _, width = node.get_output_partial_shape(0)
            sizes = (heads.get_length(), 0, width.get_length())
            shape = concat([batch, *(constant(np.array([size])) for size in sizes)], 0)
            node.set_arguments([broadcast(constant(np.float32(0)), shape).output(0)])
    decoder.validate_nodes_and_infer_types()


GROUPS = (128, 64, 32)  # weights that share a scale in 4 bits; 8 bits have one scale for each output row


def group_of(columns: int) -> int:
    """How many weights of a row of so many share a scale in 4 bits: what OpenVINO's own compression (NNCF) takes by default,
    and where that does not divide the row the next that does, as it can be told to."""
    return next((group for group in GROUPS if columns % group == 0), columns)


def compress(decoder: Any, stored: str, vocabulary: int) -> None:
    """Store every large matrix in 8 or 4 bits, symmetric, rounded to nearest: constant -> convert -> multiply by the scale,
    the form that the CPU plugin computes with directly. With 4 bits the head, of `vocabulary` rows, has 8, as NNCF leaves it
    by default. The input embedding stays as it is: only one row a token is read."""
    import numpy as np
    import openvino as ov
    from openvino.opset13 import constant, convert, multiply, reshape

    for node in decoder.get_ordered_ops():
        if node.get_type_name() != "MatMul":
            continue
        weight = node.input_value(1).get_node()
        if weight.get_type_name() != "Constant":
            continue
        values = weight.data.astype(np.float32)
        if values.ndim != 2 or not node.get_attributes()["transpose_b"]:
            raise RuntimeError(f"{node.get_friendly_name()} is not a plain linear layer")
        rows, columns = values.shape
        bits = 8 if stored == "int8" or rows == vocabulary else 4
        top, group = (127, columns) if bits == 8 else (7, group_of(columns))
        grouped = values.reshape(rows, columns // group, group)
        scale = np.abs(grouped).max(axis=2, keepdims=True) / top
        scale[scale == 0] = 1.0
        whole = np.clip(np.rint(grouped / scale), -top, top).astype(np.int8)
        if bits == 8:
            node.input(1).replace_source_output(
                multiply(convert(constant(whole[:, 0]), "f32"), constant(scale[:, 0].astype(np.float32))).output(0)
            )
            continue
        packed = ov.op.Constant(ov.Type.i4, ov.Shape(list(whole.shape)), whole.flatten().tolist())
        wide = multiply(convert(packed, "f32"), constant(scale.astype(np.float32)))
        node.input(1).replace_source_output(reshape(wide, np.array([rows, columns]), False).output(0))
    decoder.validate_nodes_and_infer_types()


if __name__ == "__main__":
    try:
        export(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    except Unsupported as unsupported:
        sys.exit(str(unsupported))
