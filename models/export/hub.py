"""A model's files from the Hugging Face hub: one commit, only what is needed, every byte checked.

Nothing but JSON, text, safetensors and, of a Jina-CLIP, its ONNX files is fetched: no code, and no pickled weights.
"""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from catalogue.errors import BundleInvalid, ConfigurationError, InvalidInput
from catalogue.files import sha256_file
from models.export.source_files import (
    INDEX,
    JINA_CLIP,
    OPEN_CLIP,
    OPEN_CLIP_WEIGHTS,
    OWN_FILES,
    PICKLED,
    WEIGHTS,
    first_line,
    is_open_clip,
    read_json,
)

Progress = Callable[[str, int], None]
"""Called with the name and bytes of a file about to be fetched."""

_NAME: Final = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?$")
_COMMIT: Final = re.compile(r"^[0-9a-f]{40}$")
_SMALL: Final = (
    "config.json", OPEN_CLIP, "preprocessor_config.json", "processor_config.json", "tokenizer.json",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "README.md",
)  # fmt: skip
_MAX_BYTES: Final = 20_000_000_000
_MAX_SMALL: Final = 64_000_000


def split_name(name: str) -> tuple[str, str]:
    """Repository and revision of REPO@REVISION; raises InvalidInput."""
    repository, at, revision = name.partition("@")
    if not _NAME.match(repository) or not re.match(r"^[\w./-]{1,100}$", revision or "main"):
        raise InvalidInput(f"{name[:200]!r} is not REPO@REVISION, such as owner/model@ and 40 hexadecimal digits.")
    return repository, revision if at else ""


def fetch(
    name: str,
    folder: Path,
    *,
    endpoint: str | None = None,
    progress: Progress = lambda *_: None,
    check: Callable[[Path], None] = lambda _: None,
) -> str:
    """Fetch REPO@REVISION into `folder`, which is empty, and return the commit.

    `check` is called with the folder when all but the weights is there; what it raises ends the fetching.

    Raises InvalidInput for a revision that is not a whole commit (telling which one it is now), BundleInvalid for a
    repository that cannot be used or a file that did not come whole, ConfigurationError without huggingface_hub.
    """
    repository, revision = split_name(name)
    try:
        import huggingface_hub as hub  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError("Fetching needs huggingface_hub. Install samestyle[hub].") from error
    try:
        info = hub.HfApi(endpoint=endpoint).model_info(repository, revision=revision or None, files_metadata=True)
    except Exception as error:  # HTTP errors of several libraries, without a common base
        raise BundleInvalid(f"The hub has nothing to give of {name}: {first_line(error)}") from error
    if not _COMMIT.match(revision):
        raise InvalidInput(f"{name} may be another model tomorrow. Pin it: {repository}@{info.sha} is what it is now.")
    if info.sha != revision:
        raise BundleInvalid(f"The hub answers for {name} with commit {info.sha}. Do not use it.")
    there = {file.rfilename: file for file in info.siblings or []}

    def get(file: Any) -> Path:
        return _get(hub, repository, revision, file, folder, endpoint, progress)

    small, weights = _wanted(there, name, get)
    for file in small:
        get(file)
    check(folder)
    for file in weights:
        get(file)
    return revision


def _wanted(there: dict[str, Any], name: str, get: Callable[[Any], Path]) -> tuple[list[Any], list[Any]]:
    """The small files to fetch and the weights, by looking into some; raises BundleInvalid for what cannot be used."""
    small = [there[one] for one in _SMALL if one in there]
    if not any(file.rfilename in ("config.json", OPEN_CLIP) for file in small):
        raise BundleInvalid(f"{name} has no config.json: it is no model that can be exported.")
    config = read_json(get(there["config.json"])) if "config.json" in there else {}
    open_clip = is_open_clip(there, config)
    if open_clip and OPEN_CLIP_WEIGHTS in there:
        names = [OPEN_CLIP_WEIGHTS]
    elif WEIGHTS in there:
        names = [WEIGHTS]
        if config.get("model_type") == JINA_CLIP:
            names += [one for one in OWN_FILES if one in there]
    elif INDEX in there and not open_clip:
        parts = read_json(get(there[INDEX])).get("weight_map")
        names = sorted({str(part) for part in parts.values()}) if isinstance(parts, dict) else []
        if not names:
            raise BundleInvalid(f"{name}: {INDEX} does not name the weights.")
    else:
        pickled = [one for one in there if one.endswith(PICKLED)]
        why = f"only {', '.join(pickled[:3])}, which is never read: loading it runs code" if pickled else "none at all"
        whole = " in one file" if INDEX in there else ""
        raise BundleInvalid(f"{name} has no weights as safetensors{whole}, {why}.")
    if missing := [one for one in names if one not in there or one not in (Path(one).name, *OWN_FILES)]:
        raise BundleInvalid(f"{name} names weights that it does not have: {missing[0]}.")
    weights = [there[one] for one in names]
    total = sum(file.size or 0 for file in small + weights)
    if total > _MAX_BYTES or any((file.size or 0) > _MAX_SMALL for file in small):
        raise BundleInvalid(f"{name} has {total:,} bytes to fetch; {_MAX_BYTES:,} are allowed.")
    return small, weights


def _get(
    hub: Any, repository: str, revision: str, file: Any, folder: Path, endpoint: str | None, progress: Progress
) -> Path:
    progress(file.rfilename, file.size or 0)
    try:
        path = Path(
            hub.hf_hub_download(repository, file.rfilename, revision=revision, local_dir=folder, endpoint=endpoint)
        )
    except Exception as error:  # HTTP errors of several libraries, without a common base
        raise BundleInvalid(
            f"{file.rfilename} of {repository} did not come whole: {first_line(error)} Try again."
        ) from error
    _check(path, file)
    return path


def _check(path: Path, file: Any) -> None:
    """Raise BundleInvalid unless the bytes are those that the commit names: by SHA-256, or as Git counts them."""
    size = path.stat().st_size
    if file.lfs is not None:
        right = size == file.lfs.size and sha256_file(path) == file.lfs.sha256
    else:
        content = path.read_bytes()
        counted = hashlib.sha1(b"blob %d\0" % size + content, usedforsecurity=False).hexdigest()
        right = counted == file.blob_id
    if not right:
        raise BundleInvalid(f"{file.rfilename} came with {size:,} bytes that are not those of its commit. Try again.")
