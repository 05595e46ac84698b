"""A bundle in the making, beside where it will be: variants are measured one by one, and it is made of their files."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from models.bundle import BundleConfig, Variant
from models.encoders import Encoders
from models.export.half import load_rounding
from models.export.writer import install, write_files
from models.preprocessing import PreprocessorConfig

_WHOLE = ".whole"
"""No variant can have this name."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What all variants share; `work` is a directory to make them in, on the disk of the bundle that they become."""

    work: Path
    config: BundleConfig
    preprocessor: PreprocessorConfig
    tokenizer: bytes
    threads: int | None = None

    def load(self, variant: Variant, files: Mapping[str, onnx.ModelProto | Path]) -> Encoders:
        """The encoders of a variant, computing as they are served; its files take the place of those there were."""
        path = self.work / variant.name
        alone = variant.model_copy(update={"reference": True, "device": "cpu", "drift": None})
        config = self.config.model_copy(update={"variants": (alone,)})
        shutil.rmtree(path, ignore_errors=True)
        write_files(path, config, self.preprocessor, self.tokenizer, files, "")
        if variant.device == "cuda":
            return load_rounding(path, self.threads)
        return Encoders.load(path, threads=self.threads)

    def finish(self, out: Path, config: BundleConfig, card: str) -> None:
        """Put the bundle with the variants of `config`, all of which were loaded, to `out`."""
        whole = self.work / _WHOLE
        write_files(whole, config, self.preprocessor, self.tokenizer, {}, card)
        for own in (self.work / variant.name for variant in config.variants):
            for file in [file for file in own.rglob("*") if file.is_file()]:
                place = whole / file.relative_to(own)
                if not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    file.rename(place)  # not copied: they may be gigabytes
        Encoders.load(whole, threads=self.threads)  # what cannot be served is never put in place
        install(whole, out)
