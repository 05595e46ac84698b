"""`manifest.json`: what a snapshot is, and every file of it; snapshots by their names."""

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from catalogue.errors import InvalidInput, SnapshotInvalid
from catalogue.variants import SameFrom
from catalogue.versioned import check_version, first_reason
from index.plan import Choice, IndexType, Tuning, check_parameters, choice_behind
from index.seal import is_intact

SCHEMA_VERSION: Final = 3
"""1 and 2 were of before the first release; neither they nor newer ones are read."""
_MAPPED: Final = ("vectors/", "shards/", "products.arrow")

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
SnapshotName = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
FieldName = Literal["fusion", "image", "text"]


class FileEntry(BaseModel):
    """One file of a snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """`manifest.json`: written last, so a directory without one is not a snapshot."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(ge=SCHEMA_VERSION)
    name: SnapshotName
    created_at: AwareDatetime
    model: str
    fingerprint: str
    variant: str
    dim: int = Field(gt=0)
    metric: Literal["inner_product"] = "inner_product"
    fields: tuple[FieldName, ...]
    products: int = Field(ge=0)
    shards: int = Field(ge=1, le=1_000)
    index_type: IndexType = "flat"
    index_parameters: dict[str, int] = Field(default_factory=dict, description="what the shards were built with")
    tuning: dict[FieldName, Tuning] = Field(default_factory=dict, description="how hard each field is searched")
    recall_at_10: float = Field(description="against exact search, on held-out queries; of several fields the least")
    same_style: float | None = Field(default=None, description="the score that style groups were made with, if any")
    same_gtin: float | None = Field(default=None, description="the same for listings with one GTIN")
    same_modes: dict[str, float] = Field(
        default_factory=dict, description="the same for pairs of which one has no photo or no text, such as t-m"
    )
    journal: str | None = Field(default=None, description="which journal the position is of")
    journal_position: int = 0
    files: dict[str, FileEntry]

    def position_in(self, journal: str | None) -> int:
        """From where on a journal, by its id, is replayed over the snapshot: one cut with another lacks all of it."""
        return self.journal_position if self.journal == journal else 0

    @property
    def same_from(self) -> SameFrom | None:
        """What style groups were made with; None where there are none."""
        if self.same_style is None:
            return None
        with_gtin = self.same_style if self.same_gtin is None else self.same_gtin
        return SameFrom(self.same_style, with_gtin, self.same_modes)

    @property
    def choice(self) -> Choice:
        """What kind of index was asked for, as far as one can tell."""
        tuning = self.tuning.get("fusion")
        return choice_behind(self.products, self.dim, self.shards, self.index_type, self.index_parameters, tuning)


def shard_file(field: str, shard: int) -> str:
    """The name of a shard's file inside the snapshot."""
    return f"shards/{field}-{shard:03d}.faiss"


def snapshot_path(root: Path, name: str) -> Path:
    """Where the snapshot `name` below `root` is or would be; raises InvalidInput for what cannot be a name."""
    if not re.fullmatch(_NAME, name):
        raise InvalidInput(
            f"{name!r} cannot name a snapshot: use up to 64 letters, digits, dots, dashes and underscores."
        )
    return root / name


def read_manifest(path: Path) -> Manifest:
    """Read and check `manifest.json`; raises SnapshotInvalid."""
    try:
        text = (path / "manifest.json").read_bytes()
        check_version(text, SCHEMA_VERSION, partial(invalid, path))
        if not is_intact(text):
            raise invalid(path, "manifest.json is corrupt, or of before schema 3: it is not what its seal says")
        manifest = Manifest.model_validate_json(text)
    except OSError as error:
        if not path.exists():
            raise invalid(path, "there is none of this name; see `samestyle snapshot list`") from None
        raise invalid(path, f"has no readable manifest.json ({error.strerror})") from None
    except ValidationError as error:
        raise invalid(path, f"manifest.json: {first_reason(error)}") from None
    if manifest.name != path.name:
        raise invalid(path, f"says it is {manifest.name}; a snapshot must not be renamed")
    if "fusion" not in manifest.fields:
        raise invalid(path, "manifest.json: has no field fusion")
    if manifest.index_type != "flat":
        try:
            check_parameters(manifest.index_type, manifest.index_parameters)
        except InvalidInput as error:
            raise invalid(path, f"manifest.json: {error}") from None
        if untuned := set(manifest.fields) - manifest.tuning.keys():
            raise invalid(path, f"manifest.json: has no tuning of {', '.join(sorted(untuned))}")
    return manifest


def mapped_files(path: Path, manifest: Manifest) -> list[Path]:
    """Those that searches read a page here and a page there."""
    return [path / name for name in manifest.files if name.startswith(_MAPPED)]


def check_files(path: Path, manifest: Manifest) -> None:
    """Every file of the manifest is there with its size; raises SnapshotInvalid."""
    needed = {"products.parquet", "products.arrow", "canary.npz"}
    for field in manifest.fields:
        needed.add(f"vectors/{field}.npy")
        if manifest.index_type != "flat":
            needed |= {shard_file(field, shard) for shard in range(manifest.shards)}
    if missing := needed - manifest.files.keys():
        raise invalid(path, f"manifest.json does not list {', '.join(sorted(missing))}")
    for name, entry in manifest.files.items():
        file = path / name
        try:
            inside = file.resolve().is_relative_to(path.resolve())
            size = file.stat().st_size if file.is_file() else -1
        except (OSError, ValueError, RuntimeError) as error:  # a name no file can have, a link to itself
            raise invalid(path, f"names the file {name[:100]!r}, which cannot be looked at: {error}") from None
        if not inside:
            raise invalid(path, f"names the file {name}, outside its directory")
        if size != entry.bytes:
            raise invalid(path, f"{name} is missing" if size < 0 else f"{name} has {size} bytes, not {entry.bytes}")


def list_snapshots(root: Path) -> tuple[list[Manifest], list[SnapshotInvalid]]:
    """The manifests below `root`, the newest first, and why others cannot be read."""
    manifests: list[Manifest] = []
    refused: list[SnapshotInvalid] = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            manifests.append(read_manifest(path))
        except SnapshotInvalid as error:
            refused.append(error)
    return sorted(manifests, key=lambda manifest: manifest.created_at, reverse=True), refused


def invalid(path: Path, reason: str) -> SnapshotInvalid:
    """The error about a snapshot, which it names."""
    return SnapshotInvalid(f"snapshot {path.name}: {reason}")
