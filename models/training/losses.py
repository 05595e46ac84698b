"""The contrastive unit: each loss by itself, and their weighted sum.

Row r of a batch is a pair of products, `first` and `second`, of one style; two rows are of different styles. In a
"self" row both are one product, seen twice. A side is given by photo, by text and by both, [rows, 3, width] of unit
vectors, and `has` says which of these it has, bool [rows, 3].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.config import LossConfig

_MODE: Final = {"i": 0, "t": 1, "m": 2}
_NEVER: Final = -1e4


@dataclass(frozen=True, slots=True)
class Sides:
    """The vectors of a batch: its pairs, and who has what."""

    first: Tensor
    second: Tensor
    first_has: Tensor
    second_has: Tensor
    is_self: Tensor
    """bool [rows]."""
    composed: Tensor
    """[rows, width]: the first product's photo with words that tell the second from it."""
    composed_rows: Tensor
    """[k]: the rows that have such words."""
    views: Tensor
    """[v, 3, width]: changed views of some products, which have what these have."""
    view_of: Tensor
    """[v]: of which; 0 is the first row's first side, `rows` its second."""
    asked: Tensor
    """[q, width]: a shopper's few words."""
    fits: Tensor
    """bool [q, 2 * rows]: which products they fit, those of whose words they are made among them."""
    invented: Tensor
    """[2, n, width]: few words, and the texts of the invented products they are made for."""
    invented_fits: Tensor
    """bool [n, n]: which of them they fit."""

    @property
    def all(self) -> tuple[Tensor, Tensor]:
        """All products, [2 * rows, 3, width], first sides first, and what they have."""
        return torch.cat([self.first, self.second]), torch.cat([self.first_has, self.second_has])


def info_nce(queries: Tensor, gallery: Tensor, query_has: Tensor, gallery_has: Tensor, scale: Tensor) -> Tensor:
    """Each product of [2 * rows, width] must find its partner, half the batch away, among all others."""
    count = len(queries)
    partner = (torch.arange(count, device=queries.device) + count // 2) % count
    logits = (scale * queries @ gallery.T).masked_fill(~gallery_has[None, :], _NEVER)
    logits = logits.masked_fill(torch.eye(count, dtype=torch.bool, device=logits.device), _NEVER)
    judged = query_has & gallery_has[partner]
    return _mean(functional.cross_entropy(logits, partner, reduction="none"), judged)


def matching_hinge(sides: Sides, margin: float) -> Tensor:
    """The paper's product-to-product matching: the first by both, text and photo against the second by both."""
    target, present = sides.second[:, _MODE["m"]], sides.second_has[:, _MODE["m"]] & ~sides.is_self
    losses = [
        _hinge(sides.first[:, mode], target, sides.first_has[:, mode] & present, sides.second_has[:, 2], margin)
        for mode in _MODE.values()
    ]
    return torch.stack(losses).mean()


def self_distinctiveness(sides: Sides, margin: float) -> Tensor:
    """A product and a changed view of it must match against all others."""
    ours, views, row, judged = _viewed(sides)
    return _short(ours, (ours * views).sum(dim=1), sides.second[:, 2], row, judged, sides.second_has[:, 2], margin)


def locality_consistency(sides: Sides, neighbours: int, margin: float) -> Tensor:
    """A product and a changed view of it must be as near as each other to its nearest others."""
    ours, views, row, judged = _viewed(sides)
    others = sides.second[:, 2]
    own = row[:, None] == torch.arange(len(others), device=row.device)[None, :]
    near = (ours @ others.T).masked_fill(own, _NEVER).topk(min(neighbours, len(others) - 1), dim=1).indices
    from_ours = (ours[:, None] * others[near]).sum(dim=2)
    from_view = (views[:, None] * others[near]).sum(dim=2)
    return _mean(functional.relu((from_ours - from_view).abs() - margin).mean(dim=1), judged)


def composed_nce(sides: Sides, scale: Tensor) -> Tensor:
    """A photo and the words for what should differ must find the second product, and not the first."""
    if not len(sides.composed_rows):
        return sides.first.new_zeros(())
    everything, has = sides.all
    wanted = sides.composed_rows + len(sides.first)
    losses = []
    for mode in (_MODE["m"], _MODE["i"]):
        logits = (scale * sides.composed[sides.composed_rows] @ everything[:, mode].T).masked_fill(
            ~has[None, :, mode], _NEVER
        )
        losses.append(functional.cross_entropy(logits, wanted))
    return 0.75 * losses[0] + 0.25 * losses[1]


def words_nce(sides: Sides, scale: Tensor) -> Tensor:
    """A few words must find each product they fit before all they do not, by photo, by text and above all by both."""
    everything, has = sides.all
    photo, text, both = (
        _fitting_nce(sides.asked, everything[:, mode], sides.fits, has[:, mode], scale) for mode in _MODE.values()
    )
    return 0.25 * photo + 0.25 * text + 0.5 * both


def invented_nce(sides: Sides, scale: Tensor) -> Tensor:
    """Likewise among invented products, by text."""
    asked, told = sides.invented
    has = torch.ones(len(told), dtype=torch.bool, device=told.device)
    return _fitting_nce(asked, told, sides.invented_fits, has, scale)


class ContrastiveUnit(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """The weighted sum of all losses that are on, and each by its name."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        self.log_scale = nn.Parameter(torch.tensor(1 / config.temperature).log())

    def forward(self, sides: Sides) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The loss and its parts."""
        config, parts = self.config, {}
        scale = self.log_scale.clamp(max=4.6).exp()
        if config.info_nce:
            everything, has = sides.all
            total = sum(config.pairs.values())
            parts["info_nce"] = sum(
                (weight / total) * info_nce(everything[:, q], everything[:, g], has[:, q], has[:, g], scale)
                for pair, weight in config.pairs.items()
                for q, g in [(_MODE[pair[0]], _MODE[pair[2]])]
                if weight
            )
        if config.hinge:
            parts["hinge"] = matching_hinge(sides, config.margin)
        if config.self_distinct:
            parts["self_distinct"] = self_distinctiveness(sides, config.margin)
        if config.locality:
            parts["locality"] = locality_consistency(sides, config.neighbours, config.locality_margin)
        if config.composed:
            parts["composed"] = composed_nce(sides, scale)
        if config.words:
            parts["words"] = words_nce(sides, scale)
        if config.invented:
            parts["invented"] = invented_nce(sides, scale)
        loss = sides.first.new_zeros(())
        for name, part in parts.items():
            loss = loss + getattr(config, name) * part
        return loss, parts


def _fitting_nce(asked: Tensor, told: Tensor, fits: Tensor, has: Tensor, scale: Tensor) -> Tensor:
    """InfoNCE of each product that fits among those that do not, the mean over these (SupCon, sum outside the log)."""
    logits = scale * asked @ told.T
    against = logits.masked_fill(fits | ~has[None, :], _NEVER).logsumexp(dim=1, keepdim=True)
    right = fits & has[None, :]
    each = (functional.softplus(against - logits) * right).sum(dim=1) / right.sum(dim=1).clamp(min=1)
    return _mean(each, right.any(dim=1))


def _viewed(sides: Sides) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Products and views of them by both, [n, width], their rows [n], and which of them count, bool [n].

    Rows whose sides are one product seen twice do, and products with a view of their own.
    """
    everything, has = sides.all
    rows = torch.arange(len(sides.first), device=sides.view_of.device)
    return (
        torch.cat([sides.first[:, 2], everything[sides.view_of, 2]]),
        torch.cat([sides.second[:, 2], sides.views[:, 2]]),
        torch.cat([rows, sides.view_of % len(rows)]),
        torch.cat([sides.is_self & sides.first_has[:, 2], has[sides.view_of, 2]]),
    )


def _hinge(queries: Tensor, gallery: Tensor, judged: Tensor, gallery_has: Tensor, margin: float) -> Tensor:
    """Row r of the queries against row r of the gallery."""
    rows = torch.arange(len(queries), device=queries.device)
    return _short(queries, (queries * gallery).sum(dim=1), gallery, rows, judged, gallery_has, margin)


def _short(
    queries: Tensor,
    positive: Tensor,
    gallery: Tensor,
    row: Tensor,
    judged: Tensor,
    gallery_has: Tensor,
    margin: float,
) -> Tensor:
    """How far each is from being `margin` above all of the gallery but its own `row`.

    The mean over the negatives that come within `margin` of the positive.
    """
    similar = queries @ gallery.T
    negative = gallery_has[None, :] & (row[:, None] != torch.arange(len(gallery), device=row.device)[None, :])
    short = functional.relu(margin - positive[:, None] + similar) * negative
    return _mean(short.sum(dim=1) / (short.detach() > 0).sum(dim=1).clamp(min=1), judged)


def _mean(values: Tensor, judged: Tensor) -> Tensor:
    return (values * judged).sum() / judged.sum().clamp(min=1)
