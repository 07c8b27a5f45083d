"""What each attention layer of a model may look at, asked of the model itself, and the same masks for its graph.

transformers' own mask code does not trace, so the exported graph makes its masks anew. Which ones is no matter of names: the model
runs in PyTorch on a few pairs of (past, new ids), what its layers are given is held against a causal mask and a sliding window, and
a layer that is given anything else is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import transformers

from trtbench.errors import Unsupported, in_one_line

FARTHEST = 32768  # positions up to which masks are asked for; a model for more runs no longer cell here
PORT = tuple[int, int]  # heads and width of a layer's past keys, or values


class Past(transformers.DynamicCache):  # type: ignore[misc]
    """A cache with so many ids in every layer; the library's own one would cut sliding layers to their window, and starts from
    an empty tensor, which a converter cannot follow."""

    is_sliding = (False,)

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def get_seq_length(self, *_: Any) -> int:
        return self.length

    def get_query_offset(self, *_: Any) -> int:
        return self.length

    def get_mask_sizes(self, query: Any, *_: Any) -> tuple[int, int]:
        """5.x gives the number of new ids, 4.57 their positions."""
        return self.length + (query if isinstance(query, int) else query.shape[0]), 0


class Empty(Past):
    """Past keys and values that are zero and take no memory; notes what each layer keeps."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.ports: dict[int, tuple[PORT, PORT]] = {}

    def update(self, key_states: Any, value_states: Any, layer_idx: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        new = (key_states, value_states)
        self.ports[layer_idx] = tuple((part.shape[1], part.shape[3]) for part in new)  # type: ignore[assignment]
        keys, values = (
            torch.cat([part.new_zeros(1, 1, 1, 1).expand(*part.shape[:2], self.length, part.shape[3]), part], dim=-2)
            for part in new
        )
        return keys, values


@dataclasses.dataclass(frozen=True)
class Sight:
    """How far back a module's mask lets it look: `window` positions, its own among them, or all. `inverted`: the mask is true
    where it may not look."""

    window: int | None
    inverted: bool = False


@dataclasses.dataclass(frozen=True)
class Attention:
    """What was found: the sight of each module that is given a mask, by its name; what each layer keeps, in order; and up to
    how many positions that holds (None: to as many as the model has)."""

    sights: dict[str, Sight]
    ports: tuple[tuple[PORT, PORT], ...]
    longest: int | None

    @property
    def window(self) -> int | None:
        """The smallest window of any layer."""
        return min((sight.window for sight in self.sights.values() if sight.window is not None), default=None)


def attention_of(model: Any) -> Attention:
    """Ask the model. Raises Unsupported where it has layers without keys and values, or a mask of another kind."""
    _, ports = given(model, 0, 8)
    if not ports or sorted(ports) != list(range(len(ports))):
        raise Unsupported(
            f"{type(model).__name__} has layers that keep something other than keys and values from one id to the next, "
            "or nothing"
        )
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or FARTHEST
    far, masks = _farthest(model, min(positions, FARTHEST))
    sights = {name: _sight(name, mask) for name, mask in masks.items()}
    windows = {sight.window for sight in sights.values() if sight.window is not None}
    for past, length in [
        (0, 8),
        (3, 2),
        *((past, 3) for w in windows for past in {w // 2, w - 1, w} if past + 3 <= far),
    ]:
        for name, mask in given(model, past, length)[0].items():
            if name not in sights or not torch.equal(_seen(name, mask), allowed(past, length, sights[name].window)):
                raise _other(name)
    return Attention(sights, tuple(ports[i] for i in sorted(ports)), far if far < positions else None)


def _farthest(model: Any, far: int) -> tuple[int, dict[str, torch.Tensor]]:
    """The masks for the last two of `far` positions, or of so many fewer as the model has: not every configuration says."""
    while True:
        try:
            return far, given(model, far - 2, 2)[0]
        except Unsupported:
            if far <= 64:
                raise
        far //= 2


def allowed(past: int, length: int, window: int | None) -> torch.Tensor:
    """Which of `past` + `length` positions the last `length` may look at: booleans, (length, past + length)."""
    distance = torch.arange(past, past + length)[:, None] - torch.arange(past + length)[None, :]
    return (distance >= 0) if window is None else (distance >= 0) & (distance < window)


def given(model: Any, past: int, length: int) -> tuple[dict[str, torch.Tensor], dict[int, tuple[PORT, PORT]]]:
    """The four-dimensional masks that modules are given for `length` ids after `past` ones, by the module's name, and what each
    layer keeps. A layer may be given none where a causal one goes without saying."""
    masks: dict[str, torch.Tensor] = {}

    def note(name: str, mask: Any) -> Any:
        if isinstance(mask, torch.Tensor) and mask.ndim == 4:
            masks[name] = mask
        return mask

    cache = Empty(past)
    with _hooks(model, list(_masked(model)), note):
        try:
            model(
                input_ids=torch.ones(1, length, dtype=torch.long),
                attention_mask=torch.ones(1, past + length, dtype=torch.long),
                position_ids=torch.arange(length)[None],  # they bear on no mask, and learned ones end
                past_key_values=cache,
                use_cache=True,
            )
        except Exception as error:
            raise Unsupported(
                f"{type(model).__name__} does not run with its past as keys and values ({in_one_line(error)})"
            ) from error
    return masks, cache.ports


@contextlib.contextmanager
def replaced(model: Any, attention: Attention, mask_of: Callable[[Sight], Any]) -> Iterator[None]:
    """Have every module look where `mask_of(sight)` says, and the model make no masks of its own meanwhile."""

    homes = {module.__module__: vars(sys.modules[module.__module__]) for module in map(type, model.modules())}
    makers = [
        (home, name, function)
        for home in homes.values()
        for name, function in home.items()
        if name.startswith("create_") and getattr(function, "__module__", "") == "transformers.masking_utils"
    ]
    for home, name, _ in makers:
        home[name] = lambda *_, **__: mask_of(Sight(None))
    try:
        with _hooks(model, list(attention.sights), lambda name, _: mask_of(attention.sights[name])):
            yield
    finally:
        for home, name, function in makers:
            home[name] = function


def _masked(model: Any) -> Iterator[str]:
    """Modules below the model whose forward takes an attention mask."""
    for name, module in model.named_modules():
        if name and "attention_mask" in inspect.signature(module.forward).parameters:
            yield name


@contextlib.contextmanager
def _hooks(model: Any, names: Sequence[str], look: Callable[[str, Any], Any]) -> Iterator[None]:
    """Show `look` the name and the mask of each call of these modules; the mask that it returns is what they get."""
    handles = []
    for name in names:
        module = model.get_submodule(name)
        place = list(inspect.signature(module.forward).parameters).index("attention_mask")

        def hook(_: Any, args: Any, kwargs: Any, name: str = name, place: int = place) -> Any:
            if place < len(args):
                return (*args[:place], look(name, args[place]), *args[place + 1 :]), kwargs
            return args, {**kwargs, "attention_mask": look(name, kwargs.get("attention_mask"))}

        handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _sight(name: str, mask: torch.Tensor) -> Sight:
    """The sight that a mask for two ids after many ones is of."""
    seen = _seen(name, mask)
    count = int(seen[-1].sum())
    past = seen.shape[1] - 2
    window = None if count == past + 2 else count
    if not torch.equal(seen, allowed(past, 2, window)):
        raise _other(name)
    return Sight(window, inverted=mask.dtype == torch.bool and not bool(mask[0, 0, -1, -1]))


def _seen(name: str, mask: torch.Tensor) -> torch.Tensor:
    """Where a mask lets its module look, (new ids, positions); every id may look at itself, so its value there means that.
    Refused when heads differ or when there are more than two values, as with biases for distance."""
    if mask.unique().numel() > 2 or not torch.equal(mask, mask[:1, :1].expand_as(mask)):
        raise _other(name)
    return mask[0, 0] == mask[0, 0, -1, -1]


def _other(name: str) -> Unsupported:
    return Unsupported(
        f"the attention mask of its {name} is neither causal nor a sliding window, which is all that is exported"
    )
