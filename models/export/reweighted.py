"""A `dual` bundle again, with other weights of photo and text: another space, so another bundle."""

import shutil
from pathlib import Path

from catalogue.files import write_atomic
from models.bundle import Bundle
from models.encoders import Encoders
from models.export.contract import export_fusion
from models.export.dual import DualFusion
from models.export.onnx_weights import save
from models.export.writer import beside, check_free, install
from models.tuning import Tuned


def write_reweighted(bundle: Path, out: Path, tuned: Tuned) -> Bundle:
    """Write `bundle` with the tuned weight to `out`, which must not be there, and return it.

    `tuned` is what `models.tuning.tune` found for it, so it is known to add up photo and text. Thresholds that have to
    do with both together are left out: they hold for the old vectors. Raises Conflict or BundleInvalid.
    """
    check_free(out)
    before = Bundle.load(bundle)
    fusion = export_fusion(DualFusion(tuned.after), before.config.embedding_dim)
    stem = before.config.name[:52]
    config = before.config.model_copy(
        update={
            "name": f"{stem}-photo{round(100 * tuned.after):02d}",
            "thresholds": {pair: both for pair, both in before.config.thresholds.items() if "m" not in pair},
        }
    )
    with beside(out) as folder:
        fresh = folder / "bundle"
        shutil.copytree(bundle, fresh)
        for place in {variant.fusion_encoder for variant in config.variants}:
            save(fusion, fresh / place)
        write_atomic(fresh / "config.json", (config.model_dump_json(indent=2) + "\n").encode())
        card = (fresh / "README.md").read_text() if (fresh / "README.md").is_file() else ""
        (fresh / "README.md").write_text(f"{card.rstrip()}\n\n{_note(before, tuned)}")
        Encoders.load(fresh)
        install(fresh, out)
    return Bundle.load(out)


def _note(before: Bundle, tuned: Tuned) -> str:
    low, high = tuned.gain.mrr_interval
    return f"""## Weights tuned
Bundle {before.config.name} ({before.fingerprint[:12]}) with the photo weighing {tuned.after:g} instead of
{tuned.before:g} of 1, chosen on {tuned.queries:,} queries. On {tuned.gain.queries:,} others the MRR of m-m changed by
{tuned.gain.mrr:+.4f} ({low:+.4f} to {high:+.4f}). Figures and thresholds above that have to do with photo and text
together are those of the old weights.
"""
