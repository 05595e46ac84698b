"""The text tower of a Jina-CLIP, read off its weights.

Its sizes stand in another repository than its weights. What config.json says is compared with the weights, and an
option that would make it another network is refused; so it is with photos (`models.export.jina_clip`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from torch import Tensor

from catalogue.errors import BundleInvalid
from models.export.jina_networks import JinaBert, JinaReader, JinaRoberta
from models.export.open_clip_weights import Weights, filled

Options: TypeAlias = Mapping[str, tuple[object, object]]
"""By name: what an option is where it is left out, and what it has to be."""

_LAYERS: Final = "encoder.layers."
_HEAD: Final = 64
"""Numbers of a head of the text tower, which is the one size that its weights do not tell."""
_COMMON: Final[Options] = {
    "pooler_type": (None, "mean_pooler"),
    "proj_type": (None, None),
    "default_instruction_task": (None, None),
}
_ADAPTED: Final = frozenset(
    (
        "lora_adaptations",
        "lora_alpha",
        "lora_rank",
        "lora_main_params_trainable",
        "load_trained_adapters",
        "task_instructions",
    )
)
"""What may be told of adapters beside the text tower."""
_ORIGINAL, _A, _B = (f"parametrizations.weight.{end}" for end in ("original", "0.lora_A", "0.lora_B"))


@dataclass(frozen=True)
class Kind:
    """A text tower that is known here."""

    start: str
    end: str
    filling: str
    """The tokens that a text begins and ends with, and the one that stands for none."""
    check: Callable[[Path, Mapping[str, Any]], None]
    """Raises BundleInvalid for what text_config says of another network."""
    read: Callable[[Path, Mapping[str, Any], Weights, int], JinaReader]
    """The network; `filling` is a token's number."""
    adapter: Callable[[Mapping[str, Any]], str | None]
    """The one that its weights are read with."""


def kind_of(where: Path, text: Mapping[str, Any]) -> Kind:
    """By where its code is from; raises BundleInvalid for another."""
    name = text.get("hf_model_name_or_path", _BERT)
    if not isinstance(name, str) or name not in _KINDS:
        raise BundleInvalid(
            f"{where}: text_config.hf_model_name_or_path is {name!r}, and only a Jina-CLIP with "
            f"{' or '.join(map(repr, _KINDS))} can be exported."
        )
    return _KINDS[name]


def check_options(where: Path, of: str, given: Mapping[str, Any], options: Options) -> None:
    """Raise BundleInvalid for an option of the part `of` that would make it another network."""
    for name, (absent, needed) in options.items():
        if (found := given.get(name, absent)) != needed:
            raise BundleInvalid(
                f"{where}: {of}{name} is {found!r}, and only a Jina-CLIP with {needed!r} can be exported."
            )


def check_sizes(where: Path, of: str, said: Mapping[str, tuple[object, object]]) -> None:
    """Raise BundleInvalid where a size that is told is not the one that the weights have."""
    if odd := [name for name, (told, found) in said.items() if told != found]:
        raise BundleInvalid(f"{where}: {of}{odd[0]} is not what the weights are made for.")


def layers_of(names: Iterable[str], prefix: str) -> int:
    """How many layers the names of weights speak of."""
    return len({found[1] for name in names if (found := re.match(rf"{re.escape(prefix)}(\d+)\.", name))})


def _check_bert(where: Path, text: Mapping[str, Any]) -> None:
    check_options(where, "text_config.", text, {**_COMMON, "default_lora_task": (None, None)})
    _check_changes(where, text, frozenset())


def _read_bert(where: Path, told: Mapping[str, Any], of: Weights, filling: int) -> JinaReader:
    at = "text_model.transformer."
    reader = JinaBert(*_sizes(where, told, of, at, "weight", "wo"), filling)
    filled(reader, {name: of[at + name] for name in reader.state_dict()})
    return reader


def _check_roberta(where: Path, text: Mapping[str, Any]) -> None:
    check_options(where, "text_config.", text, _COMMON)
    changes = _check_changes(where, text, _ADAPTED)
    adapters, alpha, rank = (changes.get(f"lora_{name}") for name in ("adaptations", "alpha", "rank"))
    if not isinstance(adapters, list) or text.get("default_lora_task") not in adapters:
        raise BundleInvalid(
            f"{where}: text_config.default_lora_task is {text.get('default_lora_task')!r}, which is none of the "
            f"adapters that it has ({adapters!r})."
        )
    if not _is_size(alpha, float | int) or not _is_size(rank, int):
        raise BundleInvalid(
            f"{where}: text_config.hf_model_config_kwargs does not say how much adapters weigh (lora_alpha {alpha!r}, "
            f"lora_rank {rank!r})."
        )


def _read_roberta(where: Path, told: Mapping[str, Any], of: Weights, filling: int) -> JinaReader:
    at, changes = "text_model.transformer.roberta.", told["hf_model_config_kwargs"]
    reader = JinaRoberta(*_sizes(where, told, of, at, _ORIGINAL, "fc2"), filling)
    adapters, rank = changes["lora_adaptations"], changes["lora_rank"]
    share = changes["lora_alpha"] / rank
    shape, number = (len(adapters), rank), adapters.index(told["default_lora_task"])
    weights = {
        name: _adapted(of, at + name, shape, number, share) if value.dim() == 2 else of[at + name]
        for name, value in reader.state_dict().items()
    }
    filled(reader, weights)
    return reader


def _adapted(of: Weights, name: str, shape: tuple[int, int], number: int, share: float) -> Tensor:
    """The weight of a layer or a table with `share` of the adapter of that `number` added to it.

    `shape` is the number of adapters and their rank.
    """
    module = name.removesuffix("weight")
    weight, first, second = (of[module + part] for part in (_ORIGINAL, _A, _B))
    if not name.endswith("embeddings.weight"):  # a layer's weight is the transpose of a table's
        first, second = second, first
    if (first.shape[0], first.shape[2]) != shape or second.shape[:2] != shape:
        raise ValueError(f"the adapters of {module.rstrip('.')} are not {shape[0]} of rank {shape[1]}")
    return weight.addmm_(first[number], second[number], alpha=share)  # in place: a table may have a gigabyte


def _check_changes(where: Path, text: Mapping[str, Any], known: frozenset[str]) -> Mapping[str, Any]:
    """What is changed of the text tower; BundleInvalid for more than is `known` or matters in training or for speed."""
    changes = text.get("hf_model_config_kwargs")
    if changes is None:
        return {}
    if not isinstance(changes, dict):
        raise BundleInvalid(f"{where}: text_config.hf_model_config_kwargs is not an object. Fetch the model again.")
    if odd := [name for name in changes if name not in known | {"use_flash_attn"} and "dropout" not in name]:
        raise BundleInvalid(
            f"{where}: text_config.hf_model_config_kwargs changes {', '.join(odd[:3])}, and only the text tower as it "
            "is can be exported."
        )
    return changes


def _sizes(
    where: Path, told: Mapping[str, Any], of: Weights, at: str, weight: str, last: str
) -> tuple[int, int, int, int, int, int]:
    """Vocabulary, kinds of tokens, width, inner width, layers, heads; `weight` is what weights are called."""
    words, width = of[f"{at}embeddings.word_embeddings.{weight}"].shape
    kinds = of[f"{at}embeddings.token_type_embeddings.{weight}"].shape[0]
    inner = of[f"{at}{_LAYERS}0.mlp.{last}.{weight}"].shape[1]
    said = {"embed_dim": (told.get("embed_dim", 768), width), "hidden_size": (width % _HEAD, 0)}
    check_sizes(where, "text_config.", said)
    return words, kinds, width, inner, layers_of(of, f"{at}{_LAYERS}"), width // _HEAD


def _is_size(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and 0 < value < 10_000


_BERT: Final = "jinaai/jina-bert-flash-implementation"
_KINDS: Final[Mapping[str, Kind]] = {
    _BERT: Kind("[CLS]", "[SEP]", "[PAD]", _check_bert, _read_bert, lambda _: None),
    "jinaai/jina-embeddings-v3": Kind(
        "<s>", "</s>", "<pad>", _check_roberta, _read_roberta, lambda text: str(text["default_lora_task"])
    ),
}
