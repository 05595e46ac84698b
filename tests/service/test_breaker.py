"""The breaker before Redis."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from service.breaker import FAILURES, PAUSE_S, Breaker, State


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Clock, list[State]]:
    clock, told = Clock(), list[State]()
    breaker = Breaker(tell=told.append, clock=clock)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.failed()
    return breaker, clock, told


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(clock=Clock())
    for _ in range(3 * FAILURES):
        breaker.failed()
        breaker.succeeded()
    assert breaker.allows()
    breaker, _, told = opened()
    assert not breaker.allows()
    assert told == [State.CLOSED, State.OPEN]


def test_one_may_try_after_each_pause_and_a_success_closes_it() -> None:
    breaker, clock, told = opened()
    for _ in range(3):
        clock.now += PAUSE_S
        assert [breaker.allows() for _ in range(5)] == [True, False, False, False, False]
        breaker.failed()
        assert not breaker.allows()
    clock.now += PAUSE_S
    assert breaker.allows()
    breaker.succeeded()
    assert all(breaker.allows() for _ in range(5))
    assert told[-3:] == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_a_trial_that_never_reports_does_not_keep_it_open() -> None:
    breaker, clock, _ = opened()
    clock.now += PAUSE_S
    assert breaker.allows()
    clock.now += PAUSE_S
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.state is State.CLOSED


@given(st.lists(st.tuples(st.sampled_from(["ask", "fail"]), st.floats(0, 2 * PAUSE_S)), max_size=60))
def test_without_a_success_no_more_than_one_tries_in_a_pause(steps: list[tuple[str, float]]) -> None:
    breaker, clock, _ = opened()
    trials = []
    for step, pause in steps:
        clock.now += pause
        if step == "fail":
            breaker.failed()
        elif breaker.allows():
            trials.append(clock.now)
    assert all(later - earlier >= PAUSE_S * 0.999 for earlier, later in itertools.pairwise(trials))
