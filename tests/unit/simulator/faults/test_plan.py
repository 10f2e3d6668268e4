from __future__ import annotations

from typing import Any

import pytest

from watcher.simulator.calls import Call, CallKind
from watcher.simulator.faults.plan import Fault, FaultPlan

VIEW = Call(kind=CallKind.VIEW, path="", service="shop")
LIST = Call(kind=CallKind.LIST, path="", service="shop")
SERVICES = Call(kind=CallKind.SERVICES, path="")


def never() -> float:
    raise AssertionError("no number is drawn for a fault without a rate")


def kind_for(plan: FaultPlan, call: Call = VIEW, seconds: float = 0.0) -> str | None:
    fault = plan.choose(call, seconds, never)
    return fault.kind if fault else None


def plan_of(*faults: Fault, now: float = 0.0) -> FaultPlan:
    plan = FaultPlan()
    for fault in faults:
        plan.add(fault, now)
    return plan


def test_without_faults_no_fault_applies() -> None:
    assert kind_for(FaultPlan()) is None


def test_a_fault_without_limits_applies_to_every_call() -> None:
    plan = plan_of(Fault(kind="500"))
    assert [kind_for(plan, call, 1e6) for call in (VIEW, LIST, SERVICES)] == ["500"] * 3


def test_a_fault_may_be_limited_to_a_service() -> None:
    plan = plan_of(Fault(kind="500", service="shop"))
    assert kind_for(plan, VIEW) == "500"
    assert kind_for(plan, Call(kind=CallKind.VIEW, path="", service="news")) is None
    assert kind_for(plan, SERVICES) is None


def test_a_fault_may_be_limited_to_a_kind_of_call() -> None:
    plan = plan_of(Fault(kind="500", call=CallKind.LIST))
    assert (kind_for(plan, LIST), kind_for(plan, VIEW)) == ("500", None)


def test_a_fault_may_be_limited_to_a_number_of_requests_that_it_concerns() -> None:
    plan = plan_of(Fault(kind="500", times=2, call=CallKind.VIEW))

    kinds = [kind_for(plan, call) for call in (LIST, VIEW, LIST, VIEW, VIEW)]
    assert kinds == [None, "500", None, "500", None]


def test_a_fault_may_be_limited_in_time() -> None:
    plan = plan_of(Fault(kind="500", at_seconds=10, for_seconds=5))

    kinds = [kind_for(plan, seconds=seconds) for seconds in (9.9, 10, 14.9, 15)]
    assert kinds == [None, "500", "500", None]


def test_a_fault_without_a_start_begins_at_once() -> None:
    plan = plan_of(Fault(kind="500", for_seconds=5), now=20)
    assert [kind_for(plan, seconds=seconds) for seconds in (20, 25)] == ["500", None]


def test_a_fault_with_a_rate_applies_to_numbers_below_it() -> None:
    plan = plan_of(Fault(kind="500", rate=0.25))
    drawn = [plan.choose(VIEW, 0, lambda number=number: number) is not None for number in (0.0, 0.24, 0.25, 0.9)]  # type: ignore[misc]
    assert drawn == [True, True, False, False]


def test_a_fault_with_a_rate_of_zero_never_applies() -> None:
    assert plan_of(Fault(kind="500", rate=0)).choose(VIEW, 0, lambda: 0.0) is None


def test_the_first_matching_fault_applies_and_the_next_one_after_its_end() -> None:
    plan = plan_of(Fault(kind="500", times=1), Fault(kind="503"))
    assert [kind_for(plan) for _ in range(3)] == ["500", "503", "503"]


def test_a_removed_fault_no_longer_applies() -> None:
    plan = FaultPlan()
    first, second = plan.add(Fault(kind="500"), 0), plan.add(Fault(kind="503"), 0)
    assert plan.remove(first)
    assert not plan.remove(first)
    assert kind_for(plan) == "503"
    assert [planned.id for planned in plan.planned] == [second]


def test_cleared_faults_no_longer_apply_and_their_numbers_are_not_reused() -> None:
    plan = FaultPlan()
    first = plan.add(Fault(kind="500"), 0)
    plan.clear()
    assert kind_for(plan) is None
    assert plan.add(Fault(kind="500"), 0) != first


def test_the_affected_calls_of_a_fault_are_counted() -> None:
    plan = plan_of(Fault(kind="500", times=2))
    for _ in range(5):
        kind_for(plan)
    planned = plan.planned[0]
    assert (planned.struck, planned.has_ended(0)) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 1.1}, "rate is 1.1; give a share from 0 to 1"),
        ({"rate": -0.1}, "give a share from 0 to 1"),
        ({"rate": float("nan")}, "give a share from 0 to 1"),
        ({"times": 0}, "times is 0; give 1 or more"),
        ({"size": 0}, "size is 0; give 1 or more"),
        ({"status": 101}, "status is 101; give one from 200 to 599"),
        ({"status": 204, "text": "body"}, "has no body; leave text out"),
        ({"retry_after": "5\r\nx: y"}, "without control characters"),
        ({"retry_after": ""}, "retry_after is ''"),
        ({"content_type": " json"}, "content_type is ' json'"),
        ({"retry_after": "\ub2e4\uc74c"}, "give Latin-1"),
    ],
)
def test_an_invalid_fault_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(kind="canned", **options)


@pytest.mark.parametrize("text", ["5", "-1", "1e9", "soon", "Mon, 23 Nov 2026 02:20:11 GMT", "~!\xff"])
def test_retry_after_may_be_any_valid_header_value(text: str) -> None:
    assert Fault(kind="429-rate", retry_after=text).retry_after == text
