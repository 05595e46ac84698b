"""`/v1/events`: what shoppers did with what they were shown."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from catalogue.errors import InvalidInput
from catalogue.product import CURRENCY
from catalogue.strict import NUMBER, Strict
from service import metrics
from service.attribution import Attribution
from service.bodies import each_from_fields, expect, from_json, json_body, parsed
from service.events.spool import MAX_AGE_S, Event
from service.examples import EVENT_EXAMPLE
from service.problems import Problem, problem_of, responses
from service.schemas import QueryId, UserKey
from service.serving import Serving

router = APIRouter(prefix="/v1", tags=["events"])
MAX_EVENTS: Final = 1_000
SKEW_S: Final = 300
"""How far the clock of whoever sends may be ahead, or behind that of the answer an event is of."""
_MAX_ANSWER_AGE_S: Final = 30 * 86_400
EventType = Literal["impression", "click", "cart", "purchase"]


def _is_currency(code: str) -> str:
    if not re.fullmatch(CURRENCY, code):
        raise ValueError("must be a code of ISO 4217, such as EUR")
    return code


Currency = Annotated[str, AfterValidator(_is_currency), Field(json_schema_extra={"pattern": CURRENCY})]


class EventItem(Strict):
    """Something a shopper did with a product of an answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [EVENT_EXAMPLE]})

    event_id: str = Field(
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$", description="one of your own, such as a UUID: sent again, it counts once"
    )
    type: EventType = Field(description="what was done")
    request_id: str = Field(max_length=64, description="of the answer that showed the product")
    product_id: QueryId = Field(description="the product it was done with")
    position: Annotated[int | None, NUMBER] = Field(
        default=None, ge=1, le=100_000, description="where it stood in the answer, from 1"
    )
    query: str | None = Field(default=None, max_length=1_000, description="the words it was found with")
    user_key: UserKey | None = None
    time: AwareDatetime | None = Field(
        default=None,
        description="when, in ISO 8601 with its zone: at most 7 days ago and 5 minutes ahead; null: now",
    )
    value: Annotated[float | None, NUMBER] = Field(
        default=None, ge=0, le=1e12, allow_inf_nan=False, description="what a purchase brought, in its currency"
    )
    currency: Currency | None = Field(default=None, description="of the value, ISO 4217")

    @model_validator(mode="after")
    def _has_a_whole_value(self) -> "EventItem":
        if (self.value is None) != (self.currency is None):
            raise ValueError("give value and currency together, or neither")
        if self.value is not None and self.type != "purchase":
            raise ValueError(f"value and currency are of a purchase, not of a {self.type}")
        return self


class EventsRequest(Strict):
    """Events, each taken or refused by itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [EVENT_EXAMPLE]}]})

    events: list[Any] = Field(min_length=1, max_length=MAX_EVENTS, description=f"at most {MAX_EVENTS:,}")


class EventRefusal(BaseModel):
    """An event that was not taken."""

    index: int = Field(description="which of those sent, from 0")
    error: Problem


class EventsAnswer(BaseModel):
    """What became of the events; those accepted are on the disk."""

    accepted: int = Field(description="how many are new")
    duplicates: int = Field(description="how many were there already, by their id")
    refused: list[EventRefusal] = Field(description="those that cannot be used, and why")


@router.post(
    "/events",
    response_model=EventsAnswer,
    responses=responses(400, 408, 413, 415, 429, 503, 504),
    openapi_extra=json_body(EventsRequest),
)
async def send_events(request: Request) -> EventsAnswer:
    """Say what shoppers did with the products of answers: impressions, clicks, carts, purchases.

    Durable when this answers; sending a batch again does no harm. An event that cannot be used is reported and stops no
    other one. `user_key` is hashed with a secret before it is kept.
    """
    expect(request, "application/json")
    body = await request.body()
    state = request.app.state
    serving: Serving = state.serving
    attribution: Attribution = state.attribution
    taken, answer = await parsed(serving.pools, len(body), lambda: _read(body, attribution))
    if taken:
        await attribution.recorder.add(taken)
    for event in taken:
        metrics.EVENTS.labels(event.type, "accepted" if event.is_new else "duplicate").inc()
    answer.accepted = sum(event.is_new for event in taken)
    answer.duplicates = len(taken) - answer.accepted
    return answer


def _read(body: bytes, attribution: Attribution) -> tuple[list[Event], EventsAnswer]:
    """The events as they are kept, and an answer that says of the others why not."""
    sent = from_json(EventsRequest, body).events
    now_ms = time.time_ns() // 1_000_000
    taken: list[Event] = []
    refused: list[EventRefusal] = []
    for index, item in enumerate(each_from_fields(EventItem, sent)):
        if isinstance(item, RequestValidationError):
            refused.append(EventRefusal(index=index, error=problem_of(item)))
            continue
        try:
            taken.append(_event(item, attribution, now_ms))
        except InvalidInput as error:
            refused.append(EventRefusal(index=index, error=problem_of(error)))
    metrics.EVENTS.labels("any", "refused").inc(len(refused))
    return taken, EventsAnswer(accepted=0, duplicates=0, refused=refused)


def _event(item: EventItem, attribution: Attribution, now_ms: int) -> Event:
    """An event as it is kept; raises InvalidInput for one of no answer of ours, or of another time."""
    answer = attribution.ids.read(item.request_id)
    at_ms = round(item.time.timestamp() * 1000) if item.time is not None else now_ms
    if at_ms > now_ms + SKEW_S * 1000 or at_ms < now_ms - MAX_AGE_S * 1000:
        now = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds")
        raise InvalidInput(f"time is over 5 minutes ahead, or over 7 days ago: it is {now} here. Set the clock.")
    if at_ms < answer.at_ms - SKEW_S * 1000 or answer.at_ms < now_ms - _MAX_ANSWER_AGE_S * 1000:
        raise InvalidInput("The answer of this request_id is later than the event, or over 30 days old.")
    user = attribution.user_id(item.user_key)
    arm = attribution.arm_of(answer.arm, answer.at_ms)
    return Event(
        event_id=item.event_id,
        type=item.type,
        time=at_ms,
        product_id=item.product_id,
        query=item.query,
        user_id=user,
        session_id=answer.request_id if user is None else None,
        request_id=answer.request_id,
        position=item.position,
        experiment=arm.experiment if arm is not None else None,
        arm=arm.name if arm is not None else None,
        received_at=now_ms,
        value=item.value,
        currency=item.currency,
    )
