"""All that decides what a training run computes: one frozen object, kept with its result."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catalogue.errors import ConfigurationError
from catalogue.versioned import first_reason
from models.bundle import ModePair
from models.preprocessing import TEMPLATE, check_template

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]

_PAIR_WEIGHTS: Final[dict[ModePair, float]] = {
    "i-i": 1.0, "i-t": 0.5, "i-m": 0.5, "t-i": 0.5, "t-t": 1.0, "t-m": 0.5, "m-i": 0.5, "m-t": 0.5, "m-m": 1.0
}  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(_Strict):
    """A catalogue with style ids, and how often its styles are drawn compared with those of other sources."""

    path: Path
    weight: float = Field(default=1.0, gt=0)


class DataConfig(_Strict):
    """What is trained on."""

    catalogues: tuple[Source, ...] = Field(min_length=1)
    pairs: Path | None = None
    """Pairs or triplets of products; see `models.training.pairs`."""
    pair_share: Share = 0.5
    """Of the rows of a batch come from `pairs`, the others from styles with several products."""
    drop_attributes: tuple[str, ...] = ()
    """Attributes no text is made of: ids, and what a query never says."""
    cache_side: int = Field(default=192, ge=16, le=512)
    """Photos are decoded once, to squares of so many pixels."""
    dev_share: Share = 0.05
    """Of the styles (of the pairs, where no style has two products) are never trained on; their figures choose among
    checkpoints."""
    held_out: bool = False
    """The 30 % of styles that `samestyle evaluate --held-out` asks for are neither trained on nor chosen by."""


class NetworkConfig(_Strict):
    """Sizes, and what is frozen."""

    base: Path | None = None
    """A bundle of family `dual` in place of the networks below: its encoders stay as they are, and what they make of
    photos and texts is computed once."""
    base_fingerprint: str | None = None
    """Of `base`; a run fills it in, and goes on with this one alone."""
    photo: Literal["lite0", "tiny"] = "lite0"
    text: Literal["minilm", "tiny"] = "minilm"
    width: int = Field(default=256, ge=8)
    layers: int = Field(default=2, ge=0)
    heads: int = Field(default=4, ge=1)
    grid: int = Field(default=3, ge=1, le=7)
    """The photo becomes grid x grid tokens beside its global one."""
    dropout: Share = 0.1
    max_text_tokens: int = Field(default=64, ge=8, le=512)
    frozen_photo_blocks: int = Field(default=5, ge=0)
    """The lowest blocks, and the stem with them, keep the weights that training starts from."""
    frozen_photo: bool = False
    """The whole photo encoder keeps them: what it makes of each photo is then computed once (`views.kept`)."""
    frozen_text_layers: int = Field(default=3, ge=0)
    """Likewise; the word embeddings keep theirs from 1 on."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")
        return self


class ViewConfig(_Strict):
    """How a product is varied each time it is seen."""

    side: int = Field(default=160, ge=16, le=512)
    crop: Share = 0.6
    """The smallest share of the photo's area that is kept."""
    aspect: float = Field(default=1.2, ge=1)
    flip: Share = 0.5
    jitter: Weight = 0.25
    """Brightness, contrast and saturation change by up to this share."""
    recolour: Share = 0.5
    """How often a product paired with itself gets other colours on one side, as if it were another colourway."""
    grey: Share = 0.05
    background: Share = 0.1
    jpeg: Share = 0.1
    word_dropout: Share = 0.1
    third: Share = 0.0
    """Of the products that are not paired with themselves get a changed view of their own in the batch, for
    `self_distinct` and `locality`. Each costs what one more product does: 1 doubles a step."""
    kept: int = Field(default=2, ge=1)
    """With a frozen photo encoder: how many looks of each photo are encoded, once, and drawn from; with a base also how
    many tellings of each text."""
    opposed: Share = 0.6
    """How often one side says title and the other description; otherwise both say any of their fields."""
    template: str = TEMPLATE

    @model_validator(mode="after")
    def _template_is_good(self) -> Self:
        check_template(self.template)
        return self


class LossConfig(_Strict):
    """The weight of each loss; 0 switches it off."""

    info_nce: Weight = 1.0
    hinge: Weight = 0.5
    self_distinct: Weight = 0.25
    locality: Weight = 0.25
    composed: Weight = 0.05
    """Much more of it costs the other figures more than it gains (docs/model.md)."""
    words: Weight = 0.0
    """Of a shopper's few words, made of titles, attributes and descriptions."""
    invented: Weight = 0.0
    """Of few words for products that there are not, told by words of the whole vocabulary."""
    composed_attributes: tuple[str, ...] = ("colour", "pattern")
    pairs: dict[ModePair, float] = Field(default_factory=lambda: dict(_PAIR_WEIGHTS))
    temperature: float = Field(default=0.07, gt=0)
    """Where the learned temperature starts."""
    margin: Weight = 0.2
    locality_margin: Weight = 0.05
    neighbours: int = Field(default=10, ge=1)


class TrainConfig(_Strict):
    """One run."""

    seed: int = 0
    start_from: Path | None = None
    """A best.pt of another run to begin with, in place of the pretrained networks."""
    data: DataConfig
    network: NetworkConfig = NetworkConfig()
    views: ViewConfig = ViewConfig()
    losses: LossConfig = LossConfig()
    steps: int = Field(default=3000, ge=1)
    rows: int = Field(default=64, ge=2)
    """Styles in a batch; each brings two products, or one product twice."""
    chunk: int = Field(default=32, ge=1)
    """Products encoded together."""
    cache_gradients: bool = False
    """Encode every chunk twice instead of keeping all activations: large batches in little memory."""
    hard: Share = 0.5
    """Of the styles in a batch are near others of it."""
    look_up_every: int = Field(default=50, ge=1)
    """Steps after which it is looked up anew who is near whom."""
    self_share: Share = 0.1
    """Of the styles with several products meet themselves all the same."""
    single_weight: Weight = 0.35
    """How often a style of one product is drawn compared with one of several."""
    lr: float = Field(default=5e-4, gt=0)
    lr_photo: Weight = 1e-4
    lr_text: Weight = 3e-5
    weight_decay: Weight = 0.05
    warmup: int = Field(default=100, ge=0)
    clip: float = Field(default=1.0, gt=0)
    ema: Share = 0.998
    precision: Literal["no", "bf16"] = "no"
    evaluate_every: int = Field(default=250, ge=1)
    save_every: int = Field(default=50, ge=1)


def read_config(path: Path | None, overrides: tuple[str, ...] = ()) -> TrainConfig:
    """A TOML or JSON file (or nothing but defaults), with `section.name=value` on top (JSON, or plain words).

    Raises ConfigurationError with the field at fault.
    """
    content: dict[str, Any] = {}
    try:
        if path is not None:
            text = path.read_text()
            content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be read as TOML or JSON: {error}") from error
    for override in overrides:
        _put(content, override)
    options = ["the options"] if overrides or path is None else []
    return parse_config(content, " and ".join([*([str(path)] if path else []), *options]))


def parse_config(content: object, where: str) -> TrainConfig:
    """Check what a file held; raises ConfigurationError with the field at fault."""
    try:
        return TrainConfig.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {first_reason(error)}") from error


def differences(ours: TrainConfig, theirs: TrainConfig) -> list[str]:
    """What differs, one line a field."""
    left, right = _flat(ours.model_dump(mode="json")), _flat(theirs.model_dump(mode="json"))
    return [
        f"{name}: {left.get(name)!r} here, {right.get(name)!r} there"
        for name in sorted(left.keys() | right.keys())
        if left.get(name) != right.get(name)
    ]


def _put(content: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    if not equals:
        raise ConfigurationError(f"{override!r} is no setting; write it as name=value, such as losses.hinge=0")
    *sections, last = name.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise ConfigurationError(f"{override!r}: {section} is a value, not a section")
    try:
        content[last] = json.loads(value)
    except ValueError:
        content[last] = value


def _flat(content: object, name: str = "") -> dict[str, object]:
    if not isinstance(content, dict):
        return {name: content}
    flat: dict[str, object] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{name}.{key}" if name else key)
    return flat
