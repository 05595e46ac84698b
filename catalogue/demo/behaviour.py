"""Simulated shoppers on the demo shop: a behaviour log whose truth is known, for pair mining and experiments.

    python -m catalogue.demo.behaviour --out behaviour-simulated.parquet

Nobody real is in it, and it says so wherever it goes: user ids begin with `simulated-`, and the file's metadata has
`simulated: true`. How the shoppers behave:

- **What they want.** A session wants one style, drawn by Zipf's law from the styles; one time in seven it goes on to
  another. Some users come far more often than others.
- **What they ask.** A session opens with words (the leaf category with declared attributes, or a title cut short) or
  on a product page. As long as it wants the same, a later request is "spot alike" on the product it clicked last, or
  words where it clicked none.
- **What they are shown.** Twelve listings by the relation to what is wanted (same style, same leaf category, same top
  category, other), the listing's own popularity, and noise: an honest but mediocre ranking.
- **What they click.** The position-based model (Richardson et al., WWW 2007; Craswell et al., WSDM 2008):
  P(click) = P(looks at rank r) x P(attracted), r ** -0.8 times an appeal that depends on the relation and on the
  listing (its popularity; cheaper than the others of its style is better), and a few clicks on anything at all.
- **What they buy.** Clicks become carts, carts purchases, each with a probability that depends on the relation.
- **Crawlers.** One session in a hundred clicks half of everything.

Clicked together is therefore not the same style: that is what the constraints of pair mining are for.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from catalogue.demo import CATALOGUE, is_held_out
from catalogue.demo.render.suppliers import RATES
from catalogue.errors import CatalogueInvalid
from catalogue.files import sync_directory
from catalogue.product import Product
from catalogue.readers import usable_rows

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ACTIONS: Final = ("impression", "click", "cart", "purchase")
SCHEMA: Final = pa.schema(
    {
        "event_id": pa.string(),
        "time": pa.timestamp("ms", tz="UTC"),
        "user_id": pa.string(),
        "session_id": pa.string(),
        "request_id": pa.string(),
        "arm": pa.string(),
        "query": pa.string(),  # words, or null
        "trigger_id": pa.string(),  # the product "spot alike" was used on, or null
        "product_id": pa.string(),
        "position": pa.int16(),  # in the answer, from 1
        "action": pa.string(),
    },
    metadata={"simulated": "true", "source": "samestyle demo shop, catalogue.demo.behaviour"},
)
"""One row an event. An impression, and the click, cart and purchase it led to, share request and product."""

SHOWN: Final = 12
BATCH: Final = 4_000  # sessions simulated at once: bounds memory at some tens of megabytes
STEPS: Final = 6  # requests a session, at most
START: Final = datetime(2026, 1, 5, tzinfo=UTC)
DAYS: Final = 28

# By relation of a listing to what is wanted: other, same top category, same leaf category, same style.
OTHER, SAME_TOP, SAME_LEAF, SAME_STYLE = range(4)
RELEVANCE: Final = np.array([0.0, 0.5, 1.5, 2.3])
APPEAL: Final = np.array([0.01, 0.02, 0.08, 0.30])
TO_CART: Final = np.array([0.01, 0.03, 0.06, 0.22])
TO_PURCHASE: Final = np.array([0.2, 0.3, 0.4, 0.5])


@dataclass(frozen=True)
class Behaviour:
    """The shoppers' habits; everything is a probability unless it says otherwise."""

    seed: int = 1
    sessions: int = 20_000
    users: int = 5_000
    zipf: float = 0.9  # exponent of the popularity of styles
    ranking_noise: float = 0.8  # standard deviation, in units of RELEVANCE
    words_first: float = 0.6
    goes_on: float = 0.55
    changes_mind: float = 1 / 7
    position_bias: float = 0.8  # exponent
    careless: float = 0.004
    crawlers: float = 0.01
    arms: Mapping[str, float] = field(default_factory=lambda: {"live": 1.0})
    """Experiment arm -> factor on the appeal of what is shown, a known uplift; users are split evenly and stay."""


class Shop:
    """The listings as arrays, and what their popularity is."""

    def __init__(self, products: Sequence[Product], behaviour: Behaviour) -> None:
        """Raises CatalogueInvalid where a product has no style, or there are fewer listings than an answer shows."""
        if any(product.style_id is None for product in products) or len(products) <= SHOWN:
            raise CatalogueInvalid(f"Simulated shoppers need more than {SHOWN} listings, each with a style_id.")
        rng = np.random.default_rng([behaviour.seed, 0])
        self.products = products
        self.ids = np.array([product.product_id for product in products], dtype=object)
        _, self.style_of = np.unique([str(product.style_id) for product in products], return_inverse=True)
        tops = [product.category_levels[:1] for product in products]
        first = np.unique(self.style_of, return_index=True)[1]  # one listing a style stands for its categories
        self.relation = np.array(
            [[self._relation(products[int(i)], tops[int(i)], j) for j in range(len(products))] for i in first]
        )
        ranks = rng.permutation(len(first)) + 1
        self.style_share = ranks**-behaviour.zipf / np.sum(ranks**-behaviour.zipf)
        self.popularity = rng.normal(0, 0.3, len(products))  # log of a factor
        self.charm = np.exp(self.popularity - 0.5 * self._relative_price())
        self.words = [self._words_for(index) for index in range(len(first))]

    def _relation(self, wanted: Product, top: tuple[str, ...], index: int) -> int:
        other = self.products[index]
        if other.style_id == wanted.style_id:
            return SAME_STYLE
        if other.category == wanted.category:
            return SAME_LEAF
        return SAME_TOP if other.category_levels[:1] == top else OTHER

    def _relative_price(self) -> Floats:
        """Log price against the mean of the style, in one currency; 0 where it is unknown."""
        rates = [RATES.get(product.currency or "", np.nan) for product in self.products]
        logs = np.log(np.array([product.price or np.nan for product in self.products]) / rates)
        for style in range(self.style_of.max() + 1):
            members = (self.style_of == style) & np.isfinite(logs)
            logs[members] -= logs[members].mean() if members.any() else 0.0
        levelled: Floats = np.clip(np.nan_to_num(logs), -1, 1)
        return levelled

    def _words_for(self, style: int) -> list[str]:
        """What somebody who wants this style would type."""
        listings = [self.products[int(i)] for i in np.flatnonzero(self.style_of == style)]
        leaf = (listings[0].category_levels or ("",))[-1].lower()
        values = {value.lower() for listing in listings for value in list(listing.attributes.values())[:2]}
        queries = {f"{leaf} {value}".strip() for value in values} | {leaf}
        titles = {" ".join(listing.title.lower().split()[:5]).strip(",.|-\N{EN DASH} ") for listing in listings}
        return sorted((queries | titles) - {""}) or [str(listings[0].style_id)]


def simulate(products: Sequence[Product], behaviour: Behaviour) -> Iterator[pa.RecordBatch]:
    """Batches of `SCHEMA`, each sorted by time, reaching into the next by the length of a session.

    The same arguments give the same log.

    Raises CatalogueInvalid for a catalogue without styles or with too few listings.
    """
    shop = Shop(products, behaviour)
    for number, first in enumerate(range(0, behaviour.sessions, BATCH)):
        rng = np.random.default_rng([behaviour.seed, 1, number])
        count = min(BATCH, behaviour.sessions - first)
        yield _Sessions(shop, behaviour, rng, first, count).run()


class _Sessions:
    """Some sessions, all of them one request further at each step."""

    def __init__(self, shop: Shop, behaviour: Behaviour, rng: np.random.Generator, first: int, count: int) -> None:
        self.shop, self.behaviour, self.rng = shop, behaviour, rng
        self.number = first + np.arange(count)
        self.user = np.floor(behaviour.users * rng.random(count) ** 2.5).astype(np.int64)  # a few come often
        self.arm = self.user % len(behaviour.arms)
        self.crawler = rng.random(count) < behaviour.crawlers
        self.want = rng.choice(len(shop.style_share), count, p=shop.style_share)
        window = DAYS * 86_400_000 / behaviour.sessions
        self.clock = int(START.timestamp() * 1000) + ((first + np.sort(rng.random(count)) * count) * window).astype(
            np.int64
        )

    def run(self) -> pa.RecordBatch:
        """Every session from its first request to its last."""
        count = len(self.number)
        trigger = np.where(self.rng.random(count) < self.behaviour.words_first, -1, self._any_listing(self.want))
        at_it = np.arange(count)
        tables = []
        for step in range(STEPS):
            events, clicked = self._request(at_it, trigger[at_it], step)
            tables.append(events)
            stays = self.rng.random(len(at_it)) < self.behaviour.goes_on
            trigger[at_it] = clicked
            at_it = at_it[stays]
            moved = at_it[self.rng.random(len(at_it)) < self.behaviour.changes_mind]
            self.want[moved] = self.rng.choice(len(self.shop.style_share), len(moved), p=self.shop.style_share)
            trigger[moved] = -1
            self.clock[at_it] += self.rng.integers(20_000, 120_000, len(at_it))
        table = pa.concat_tables(tables).sort_by([("time", "ascending"), ("event_id", "ascending")])
        return table.combine_chunks().to_batches()[0]

    def _any_listing(self, styles: Ints) -> Ints:
        """A listing of each wanted style, the popular ones more often."""
        score = np.where(self.shop.relation[styles] == SAME_STYLE, self.shop.popularity, -np.inf)
        chosen: Ints = np.argmax(score + self.rng.gumbel(size=score.shape), axis=1)
        return chosen

    def _request(self, who: Ints, trigger: Ints, step: int) -> tuple[pa.Table, Ints]:
        """One answer for each of `who`: its events, and a clicked listing a session (-1: none)."""
        shown = self._answer(who, trigger)
        relation = np.take_along_axis(self.shop.relation[self.want[who]], shown, axis=1)
        done = [np.ones(shown.shape, dtype=bool), self._clicks(who, shown, relation)]
        for chance in (TO_CART, TO_PURCHASE):
            done.append(done[-1] & ~self.crawler[who, None] & (self.rng.random(shown.shape) < chance[relation]))
        last = SHOWN - 1 - np.argmax(done[1][:, ::-1], axis=1)
        clicked = np.where(done[1].any(axis=1), shown[np.arange(len(who)), last], -1)
        words = [
            self.rng.choice(self.shop.words[want]) if t < 0 else None
            for want, t in zip(self.want[who], trigger, strict=True)
        ]
        tables = [self._events(action, hit, who, shown, trigger, words, step) for action, hit in enumerate(done)]
        return pa.concat_tables(tables), clicked

    def _answer(self, who: Ints, trigger: Ints) -> Ints:
        """The listings shown, best first; the trigger is never among them."""
        score = RELEVANCE[self.shop.relation[self.want[who]]] + 0.5 * self.shop.popularity
        score += self.rng.normal(0, self.behaviour.ranking_noise, score.shape)
        asked = np.flatnonzero(trigger >= 0)
        score[asked, trigger[asked]] = -np.inf
        best: Ints = np.argsort(-score, axis=1)[:, :SHOWN]
        return best

    def _clicks(self, who: Ints, shown: Ints, relation: Ints) -> npt.NDArray[np.bool_]:
        factor = np.array(list(self.behaviour.arms.values()))[self.arm[who], None]
        attracted = np.clip(APPEAL[relation] * self.shop.charm[shown] * factor, 0, 1)
        seen = np.arange(1, SHOWN + 1) ** -self.behaviour.position_bias
        chance = np.maximum(seen * attracted, self.behaviour.careless)
        chance = np.where(self.crawler[who, None], 0.5, chance)
        clicks: npt.NDArray[np.bool_] = self.rng.random(shown.shape) < chance
        return clicks

    def _events(
        self,
        action: int,
        hit: npt.NDArray[np.bool_],
        who: Ints,
        shown: Ints,
        trigger: Ints,
        words: list[Any],
        step: int,
    ) -> pa.Table:
        """The events of one action as rows of SCHEMA."""
        row, column = np.nonzero(hit)
        session = who[row]
        number = self.number[session]
        request = (number * STEPS + step).astype(object)
        product = shown[row, column]
        # An answer shows at once; what follows takes seconds, further down longer.
        delay = action * (2_000 + 700 * column + self.rng.integers(0, 900, len(row)))
        names = list(self.behaviour.arms)
        return pa.table(
            {
                "event_id": [
                    f"{self.behaviour.seed}-r{r}-{c}-{ACTIONS[action]}"
                    for r, c in zip(request, column + 1, strict=True)
                ],
                "time": pa.array(self.clock[session] + delay).cast(pa.timestamp("ms", tz="UTC")),
                "user_id": [f"simulated-{user}" for user in self.user[session]],
                "session_id": [f"{self.behaviour.seed}-s{value}" for value in number],
                "request_id": [f"{self.behaviour.seed}-r{value}" for value in request],
                "arm": [names[arm] for arm in self.arm[session]],
                "query": [words[i] for i in row],
                "trigger_id": [self.shop.ids[t] if t >= 0 else None for t in trigger[row]],
                "product_id": self.shop.ids[product],
                "position": (column + 1).astype(np.int16),
                "action": [ACTIONS[action]] * len(row),
            },
            schema=SCHEMA,
        )


def write(path: Path, batches: Iterator[pa.RecordBatch]) -> int:
    """Write a log as Parquet, batch by batch, and rename it into place; return the number of events."""
    temporary = path.with_name(f".{path.name}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    events = 0
    try:
        with pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                events += batch.num_rows
        sync_directory(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)
    return events


def read_shop(split: str, catalogue: Path = CATALOGUE) -> list[Product]:
    """The demo's listings: `tuning` (what may be trained on), `held-out`, or `all`."""
    products = [row.product for row in usable_rows(catalogue)]
    wanted = {"tuning": (False,), "held-out": (True,), "all": (False, True)}[split]
    return [product for product in products if is_held_out(str(product.style_id)) in wanted]


def main() -> None:
    """Parse the arguments and write the log."""
    parser = argparse.ArgumentParser(
        prog="python -m catalogue.demo.behaviour", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--sessions", type=int, default=Behaviour.sessions)
    parser.add_argument("--users", type=int, default=Behaviour.users)
    parser.add_argument("--seed", type=int, default=Behaviour.seed)
    parser.add_argument(
        "--split",
        choices=("tuning", "held-out", "all"),
        default="tuning",
        help="whose styles: default what may be trained on",
    )
    args = parser.parse_args()
    behaviour = Behaviour(seed=args.seed, sessions=args.sessions, users=args.users)
    events = write(args.out, simulate(read_shop(args.split), behaviour))
    print(f"{args.out}: {events:,} simulated events of {args.sessions:,} sessions")  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
