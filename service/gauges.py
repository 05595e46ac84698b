"""The gauges that are brought up to date when somebody asks for the metrics."""

from collections.abc import Sequence

from index.aliases import LIVE
from index.delta import MAX_ROWS
from service import metrics
from service.serving import Generation, Serving
from service.swapping import Swaps


def observe(serving: Serving, swaps: Swaps, complaints: Sequence[str], *, is_draining: bool = False) -> None:
    """Bring the gauges up to date."""
    generation = serving.served.get(LIVE)
    metrics.READY.set(generation is not None and not is_draining)
    metrics.REFUSED.set(len(swaps.refusals))
    metrics.DEGRADED.set(bool(complaints))
    for stage, count in serving.waiting().items():
        metrics.WAITING.labels(stage).set(count)
    if generation is not None:
        _observe_live(serving, generation)


def _observe_live(serving: Serving, generation: Generation) -> None:
    retrieval = generation.retrieval
    view, manifest = retrieval.view, retrieval.live.snapshot.manifest
    metrics.PRODUCTS.set(len(view))
    metrics.INDEX_BYTES.set(sum(file.bytes for file in manifest.files.values()))
    metrics.SHARDS.set(manifest.shards)
    metrics.RECALL.set(manifest.recall_at_10)
    metrics.CHANGES.set(view.changes)
    metrics.CHANGES_MOST.set(MAX_ROWS)
    metrics.SNAPSHOT_DUE.set(view.is_due)
    metrics.JOURNAL_POSITION.set(view.position)
    metrics.JOURNAL_LAG.set(max(0, serving.feed.head - view.position))
    metrics.SNAPSHOT_CREATED.set(manifest.created_at.timestamp())
    metrics.SNAPSHOT.info(
        {
            "name": manifest.name,
            "model": manifest.model,
            "fingerprint": manifest.fingerprint[:12],
            "index": manifest.index_type,
        }
    )
    model = retrieval.embedder
    device = serving.settings.device
    metrics.MODEL.info(
        {"name": model.name, "fingerprint": model.fingerprint[:12], "variant": model.variant, "device": device}
    )
    for modality, ratio in retrieval.drift.ratios().items():
        metrics.QUERY_DRIFT.labels(modality).set(ratio)
