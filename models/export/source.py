"""A model somebody else trained, as its files describe it: CLIP and SigLIP, by `transformers` or OpenCLIP; Jina-CLIP.

Only safetensors are read, and no code that comes along is ever run. What cannot be used is refused with the reason
(`BundleInvalid`) before anything is computed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import logging

from catalogue.errors import BundleInvalid
from catalogue.files import sha256_file
from models.export.source_files import (
    FAMILIES,
    JINA_CLIP,
    check_inside,
    check_weights,
    first_line,
    is_open_clip,
    licence_of,
    read_json,
)
from models.export.source_images import pictures_of
from models.preprocessing import PreprocessorConfig

_FEWEST_WORDS: Final = 0.9
"""Of the model's vocabulary that a tokenizer must know: another model's has other numbers for the same words."""
_WHY_NOT: Final = {
    "siglip2": "SigLIP 2 NaFlex takes photos of any proportions in a list of patches, and a bundle takes squares. "
    "Take a SigLIP 2 of fixed resolution, such as google/siglip2-base-patch16-224",
}


@dataclass(frozen=True)
class Source:
    """A model ready to be exported; `model` is in float32 and has get_image_features and get_text_features."""

    path: Path
    weights: list[Path]
    """The files they are from."""
    family: str
    model: nn.Module
    tokenizer: Tokenizer
    preprocessor: PreprocessorConfig
    max_tokens: int
    dim: int
    fill_to: int | None
    """The length texts are filled up to where the text tower looks at its end."""
    filling: int
    licence: str | None
    adapter: str | None = None
    """The one that was merged into the weights of a text tower that has some."""

    @property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of the files with the weights that were read."""
        return {file.name: sha256_file(file) for file in self.weights}

    def token_ids(self, text: str) -> list[int]:
        """What the model's text tower reads of a text."""
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.max_tokens)
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids


def read_source(path: Path) -> Source:
    """The model in a directory; raises BundleInvalid with the reason why it cannot be used."""
    if not path.is_dir():
        raise BundleInvalid(f"There is no model at {path}: it is not a directory. Check the path.")
    check_inside(path)
    check_architecture(path)
    if _is_open_clip(path):
        from models.export.open_clip import read_open_clip  # noqa: PLC0415  # it builds on what is here

        return checked(read_open_clip(path))
    config = read_json(path / "config.json")
    if config.get("model_type") == JINA_CLIP:
        from models.export.jina_clip import read_jina_clip  # noqa: PLC0415  # it builds on what is here

        return checked(read_jina_clip(path, config))
    return checked(_read_transformers(path, config))


def check_architecture(path: Path) -> None:
    """Raise BundleInvalid where config.json in a directory says that the model cannot be used, whatever its weights."""
    if _is_open_clip(path):
        return  # what its towers are is told by their weights, too
    config = read_json(path / "config.json")
    if config.get("model_type") == JINA_CLIP:
        from models.export.jina_clip import check_config  # noqa: PLC0415  # it builds on what is here

        check_config(path / "config.json", config)
    elif config.get("model_type") not in FAMILIES:
        raise BundleInvalid(f"{path}: {_refusal(config)}.")


def _is_open_clip(path: Path) -> bool:
    config = read_json(path / "config.json") if (path / "config.json").is_file() else {}
    return is_open_clip([file.name for file in path.iterdir()], config)


def _read_transformers(path: Path, config: dict[str, Any]) -> Source:
    kind = config["model_type"]
    weights = check_weights(path)
    with _quietly(path, "config.json and weights"):
        model, told = AutoModel.from_pretrained(
            path,
            config=AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False),
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    missing = sorted(told["missing_keys"]) + sorted(str(item) for item in told["mismatched_keys"])
    if missing:
        raise BundleInvalid(f"{path}: the weights lack {', '.join(missing[:3])} and so do not fit config.json.")
    left = sorted(name for name in told["unexpected_keys"] if not name.endswith("position_ids"))
    if left:
        raise BundleInvalid(f"{path}: config.json has no place for the weights {', '.join(left[:3])}.")
    text, is_siglip = model.config.text_config, kind == "siglip"
    tokenizer, filling = _tokenizer(path, fills=is_siglip)
    return Source(
        path=path,
        weights=weights,
        family=str(kind),
        model=model.eval(),
        tokenizer=tokenizer,
        preprocessor=pictures_of(path, model.config.vision_config.image_size),
        max_tokens=text.max_position_embeddings,
        dim=text.projection_size if is_siglip else model.config.projection_dim,
        fill_to=text.max_position_embeddings if is_siglip else None,
        filling=filling if is_siglip else 0,
        licence=licence_of(path),
    )


def checked(source: Source) -> Source:
    """The source, if its tokenizer can be the model's; raises BundleInvalid."""
    text, where = source.model.config.text_config, source.path / "tokenizer.json"
    known = source.tokenizer.get_vocab_size()
    if not _FEWEST_WORDS * text.vocab_size <= known <= text.vocab_size:
        raise BundleInvalid(
            f"{where} knows {known:,} tokens and the model {text.vocab_size:,}: it is not this model's tokenizer."
        )
    ids = source.token_ids("a red mug")
    if not ids or max(ids) >= text.vocab_size:
        raise BundleInvalid(f"{where} gives tokens that the model does not have: it is not this model's tokenizer.")
    if source.family == JINA_CLIP:
        return source  # whose text tower looks at all tokens alike
    if source.fill_to is None:
        end = max(ids) if text.eos_token_id == 2 else text.eos_token_id  # 2: the model looks at the highest number
        if ids[-1] != end or ids.count(end) != 1:
            raise BundleInvalid(
                f"{where} does not end a text with the token that the model looks for ({end}): it is not this model's "
                "tokenizer."
            )
    elif source.filling >= text.vocab_size:
        raise BundleInvalid(f"{where} fills texts up with a token that the model does not have.")
    return source


def _tokenizer(path: Path, *, fills: bool) -> tuple[Tokenizer, int]:
    """The tokenizer as `transformers` sets it up, or as its file says, and the token that fills texts up.

    Where it `fills` them up for the network, it must do so at their end.
    """
    if not any((path / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise BundleInvalid(f"{path} has no tokenizer.json. Save the model's tokenizer as one.")
    try:
        with _quietly(path, "tokenizer"):
            found = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
            tokenizer, filling = Tokenizer.from_str(found.backend_tokenizer.to_str()), found.pad_token_id or 0
    except (BundleInvalid, AttributeError):
        if not (path / "tokenizer.json").is_file():
            raise
        return plain_tokenizer(path, fills=fills)
    _check_side(path, found.padding_side, fills=fills)
    return tokenizer, filling


def plain_tokenizer(path: Path, *, fills: bool) -> tuple[Tokenizer, int]:
    """tokenizer.json as it is, and the token that tokenizer_config.json fills texts up with, 0 where it names none.

    Where it `fills` them up for the network, it must do so at their end.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
    except Exception as error:  # the Rust side raises plain Exception
        raise BundleInvalid(f"{path / 'tokenizer.json'} cannot be read: {error}. Fetch it again.") from error
    told = read_json(path / "tokenizer_config.json") if (path / "tokenizer_config.json").is_file() else {}
    _check_side(path, told.get("padding_side", "right"), fills=fills)
    named: Any = told.get("pad_token")
    word = named.get("content") if isinstance(named, dict) else named
    return tokenizer, (tokenizer.token_to_id(word) if isinstance(word, str) else None) or 0


def _check_side(path: Path, side: object, *, fills: bool) -> None:
    if fills and side != "right":
        raise BundleInvalid(f"{path}: texts are filled up in front, and a bundle fills them up at their end.")


def _refusal(config: dict[str, Any]) -> str:
    kind = str(config.get("model_type"))
    if kind in _WHY_NOT:
        return _WHY_NOT[kind]
    if "auto_map" in config:
        return f"{kind!r} needs the code that comes with it, which is never run"
    can = ", ".join((*FAMILIES, JINA_CLIP))
    return f"{kind!r} is not an architecture that can be exported. Those that can: {can}, and OpenCLIP"


@contextmanager
def _quietly(path: Path, what: str) -> Iterator[None]:
    """What `transformers` raises is the source's fault here."""
    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except BundleInvalid:
        raise
    except Exception as error:  # a stranger's files: anything can come of them
        raise BundleInvalid(f"{path}: {what} cannot be used: {first_line(error)}") from error
    finally:
        logging.set_verbosity(level)
