"""Each reason to call the watcher unwell has its word and says what it is about."""

from __future__ import annotations

from watcher.core.health.readiness import Ailment, Vitals, ailments


def words(vitals: Vitals | None, late: dict[str, float] | None = None, *, first: bool = True) -> list[Ailment]:
    return [reason.ailment for reason in ailments(vitals, late or {}, first_round_done=first)]


def test_without_a_reason_it_is_well() -> None:
    assert words(Vitals()) == []


def test_an_outage_that_was_told_is_no_reason() -> None:
    assert words(Vitals(incidents={"connect": 3})) == []


def test_each_reason_has_its_word() -> None:
    assert words(None) == [Ailment.STORE]
    assert words(Vitals(), {"looking": 50.0}) == [Ailment.LOOP]
    assert words(Vitals(), first=False) == [Ailment.FIRST_ROUND]
    assert words(Vitals(untold=("account:main",))) == [Ailment.UNTOLD]
    full = ailments(Vitals(), {}, first_round_done=True, store_trouble="disk-full")
    assert [reason.ailment for reason in full] == [Ailment.STORE_TROUBLE]
    assert words(Vitals(untold_dead={"ml-ops": 2})) == [Ailment.DEAD]


def test_all_reasons_are_given_at_once() -> None:
    unwell = Vitals(untold=("account:main",), untold_dead={"ml-ops": 2})
    assert words(unwell, {"looking": 50.0}, first=False) == [
        Ailment.LOOP,
        Ailment.FIRST_ROUND,
        Ailment.UNTOLD,
        Ailment.DEAD,
    ]


def test_a_reason_names_a_few_and_counts_the_others() -> None:
    (reason,) = ailments(Vitals(untold=tuple("abcde")), {}, first_round_done=True)
    assert reason.detail == "nobody was told yet of: a, b, c and 2 more"
    (dead,) = ailments(Vitals(untold_dead={"ml-ops": 2}), {}, first_round_done=True)
    assert dead.detail == "given up, and nobody was told: 2 to ml-ops"
