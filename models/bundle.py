"""A model bundle: the directory that holds everything one vector space is made of.

```
config.json               names, sizes, template, variants, thresholds, licence
preprocessor_config.json  how a photo becomes pixels
tokenizer.json            how a text becomes tokens (Hugging Face tokenizers)
onnx/*.onnx               image, text and fusion encoder of each variant; weights too many for one lie beside it
README.md                 the model card
```
A bundle may come from a stranger. Loading one checks all of it before anything is run, and every refusal says what
to do about it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from tokenizers import Tokenizer

from catalogue.errors import BundleInvalid
from catalogue.files import sha256_file, sha256_known, write_atomic
from catalogue.versioned import first_reason
from models.onnx_files import data_files
from models.preprocessing import PREPROCESSING_VERSION, PreprocessorConfig, check_template

SCHEMA_VERSION: Final = 1
ENCODERS: Final = ("image_encoder", "text_encoder", "fusion_encoder")
MAX_DRIFT: Final = 0.01
MAX_RECALL_LOST: Final = 0.005

Device: TypeAlias = Literal["cpu", "cuda"]
ModePair: TypeAlias = Literal["i-i", "i-t", "i-m", "t-i", "t-t", "t-m", "m-i", "m-t", "m-m"]


def _inside(value: str) -> str:
    """A path relative to the bundle that cannot leave it, written the same way on every system."""
    path = PurePosixPath(value)
    if not value or "\\" in value or ":" in value or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{value!r} must be a relative path inside the bundle, such as onnx/image_encoder.onnx")
    if path.suffix != ".onnx":  # by its ending ONNX Runtime takes a file for one of another format
        raise ValueError(f"{value!r} must end in .onnx")
    return value


BundlePath = Annotated[str, AfterValidator(_inside)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Drift(_Strict):
    """How far a variant's vectors are from the reference variant's."""

    cosine_p999: float = Field(ge=0, description="99.9th percentile of 1 - cos")
    recall_at_10_lost: float = Field(ge=-1, le=1, description="of 1, when its queries search reference vectors")

    @property
    def tolerable(self) -> bool:
        """Whether vectors of both variants may be searched together."""
        return self.cosine_p999 <= MAX_DRIFT and self.recall_at_10_lost <= MAX_RECALL_LOST


class Variant(_Strict):
    """One set of the three encoders, for one device in one precision."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")
    device: Device
    precision: str = Field(min_length=1, max_length=32)
    reference: bool = False
    image_encoder: BundlePath
    text_encoder: BundlePath
    fusion_encoder: BundlePath
    drift: Drift | None = None

    @model_validator(mode="after")
    def _drift_is_known(self) -> Self:
        if not self.reference and self.drift is None:
            raise ValueError(f"variant {self.name} is not the reference, so its drift must be recorded")
        return self


class Threshold(_Strict):
    """A cosine from which a pair counts, and what that was calibrated on."""

    score: float = Field(ge=-1, le=1)
    precision: float = Field(ge=0, le=1, description="of the pairs at or above the score")
    interval: tuple[float, float] = Field(description="95 % interval of the precision")
    pairs: int = Field(ge=0, description="how many pairs were at or above the score")


class Thresholds(_Strict):
    """The thresholds of one mode pair; None where the calibration data could not support one."""

    same_style: Threshold | None = None
    similar: Threshold | None = None


class BundleConfig(_Strict):
    """config.json."""

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    family: Literal["cross", "dual"]
    embedding_dim: int = Field(ge=1, le=4096)
    image_size: int = Field(ge=16, le=1024)
    max_text_tokens: int = Field(ge=4, le=512)
    product_text: Annotated[str, AfterValidator(check_template)]
    variants: tuple[Variant, ...] = Field(min_length=1)
    thresholds: dict[ModePair, Thresholds] = Field(default_factory=dict)
    licence: str = Field(min_length=1)

    @model_validator(mode="after")
    def _one_reference(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError("variant names must be unique")
        if sum(variant.reference for variant in self.variants) != 1:
            raise ValueError("exactly one variant must be the reference")
        return self


def write_thresholds(path: Path, thresholds: Mapping[ModePair, Thresholds]) -> None:
    """Write thresholds into a bundle, atomically; those of other mode pairs stay, and so does its fingerprint.

    Raises BundleInvalid where its config.json cannot be read, OSError where it cannot be written.
    """
    config = _read(path / "config.json", BundleConfig)
    config = config.model_copy(update={"thresholds": {**config.thresholds, **thresholds}})
    write_atomic(path / "config.json", (json.dumps(config.model_dump(mode="json"), indent=2) + "\n").encode())


_Config = TypeVar("_Config", BundleConfig, PreprocessorConfig)


@dataclass(frozen=True)
class Bundle:
    """A checked bundle on disk."""

    path: Path
    config: BundleConfig
    preprocessor: PreprocessorConfig
    data: Mapping[str, tuple[str, ...]]
    """Each ONNX file of any variant, and the files beside it that hold weights of its; all by their place in here."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read and check a bundle directory.

        Raises BundleInvalid with the file at fault and what to do.
        """
        root = Path(path)
        if not root.is_dir():
            raise BundleInvalid(f"There is no model bundle at {root}: it is not a directory. Check the path.")
        config = _read(root / "config.json", BundleConfig)
        preprocessor = _read(root / "preprocessor_config.json", PreprocessorConfig)
        _check_sizes(root, config, preprocessor)
        return cls(root, config, preprocessor, _checked_files(root, config))

    @property
    def reference(self) -> Variant:
        """The variant whose vectors define the space."""
        return next(variant for variant in self.config.variants if variant.reference)

    def variant_for(self, device: Device) -> Variant:
        """The first variant listed for `device`, or else the reference.

        Raises BundleInvalid where that variant drifted too far from the reference.
        """
        chosen = next((variant for variant in self.config.variants if variant.device == device), self.reference)
        if chosen.drift is not None and not chosen.reference and not chosen.drift.tolerable:
            raise BundleInvalid(
                f"Variant {chosen.name} of {self.path} drifted too far from the reference "
                f"(p99.9 of 1-cos {chosen.drift.cosine_p999:g}, allowed {MAX_DRIFT}; recall@10 lost "
                f"{chosen.drift.recall_at_10_lost:g}, allowed {MAX_RECALL_LOST}). Export it in a higher precision."
            )
        return chosen

    def file(self, relative: str) -> Path:
        """The place of a file of this bundle."""
        return self.path / relative

    def weights(self, variant: Variant) -> tuple[str, ...]:
        """The places of all files that hold weights of a variant."""
        places = {getattr(variant, encoder) for encoder in ENCODERS}
        return tuple(sorted(places.union(*(self.data[place] for place in places))))

    @cached_property
    def fingerprint(self) -> str:
        """The name of the vector space, 64 hexadecimal digits; a change of anything that moves a vector changes it.

        The model card, licence, thresholds and the other variants are outside it.
        """
        hashes = {place: sha256_known(self.file(place)) for place in self.weights(self.reference)}
        files = {encoder: getattr(self.reference, encoder) for encoder in ENCODERS}
        parts: dict[str, Any] = {
            "onnx": {encoder: hashes[place] for encoder, place in files.items()},
            "tokenizer": sha256_file(self.path / "tokenizer.json"),
            "preprocessing": {"version": PREPROCESSING_VERSION, **self.preprocessor.identity()},
            "max_text_tokens": self.config.max_text_tokens,
            "product_text": self.config.product_text,
        }
        if any(self.data[place] for place in files.values()):
            parts["onnx_data"] = {
                encoder: [hashes[data] for data in self.data[place]] for encoder, place in files.items()
            }
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def load_tokenizer(self) -> Tokenizer:
        """The tokenizer, set to cut at max_text_tokens and never to pad."""
        try:
            tokenizer = Tokenizer.from_file(str(self.path / "tokenizer.json"))
            tokenizer.no_padding()
            tokenizer.enable_truncation(self.config.max_text_tokens)
        except Exception as error:  # the Rust side raises plain Exception
            raise BundleInvalid(f"{self.path / 'tokenizer.json'} cannot be read: {error}. Fetch it again.") from error
        return tokenizer


def _check_sizes(root: Path, config: BundleConfig, preprocessor: PreprocessorConfig) -> None:
    if preprocessor.crop != config.image_size:
        raise BundleInvalid(
            f"{root}: preprocessor_config.json crops to {preprocessor.crop} pixels but config.json has "
            f"image_size {config.image_size}. Make them agree."
        )


def _checked_files(root: Path, config: BundleConfig) -> dict[str, tuple[str, ...]]:
    """See `Bundle.data`; raises BundleInvalid where a file is not there, leads out of the bundle or is not allowed."""
    places = {getattr(variant, encoder) for variant in config.variants for encoder in ENCODERS}
    for place in sorted({"tokenizer.json", *places}):
        _check_inside(root, place)
    found = {}
    for place in sorted(places):
        found[place] = tuple(str(PurePosixPath(place).with_name(name)) for name in data_files(root / place))
        for data in found[place]:
            _check_inside(root, data)
    return found


def _check_inside(root: Path, place: str) -> None:
    file = root / place
    if not file.is_file():
        raise BundleInvalid(f"{file} is missing. Fetch the complete bundle again.")
    if not file.resolve().is_relative_to(root.resolve()):
        raise BundleInvalid(f"{file} is a link that leads out of the bundle. Put the file itself there.")


def _read(path: Path, kind: type[_Config]) -> _Config:
    content = _read_json(path)
    version = content.get("schema_version")
    if kind is BundleConfig and isinstance(version, int) and version > SCHEMA_VERSION:
        raise BundleInvalid(
            f"{path} has schema_version {version}; this samestyle reads up to {SCHEMA_VERSION}. Upgrade samestyle."
        )
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BundleInvalid(f"{path}: {first_reason(error)}. Correct it or export the bundle again.") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BundleInvalid(f"{path} is missing. Fetch the complete bundle again.")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleInvalid(f"{path} is not valid JSON. Fetch the bundle again.") from error
    if not isinstance(content, dict):
        raise BundleInvalid(f"{path} must hold a JSON object. Fetch the bundle again.")
    return content
