from dataclasses import replace

import numpy as np
import pytest

from repjax.statistics.phases import NO_PAST, Phase, courses
from tests.made_up import make_cell, make_results

STEPS = np.array([0, 10, 20, 50, 100, 200, 500, 1000])
# As A5: excluded loss turns at 50, test loss is above that at step 0 until 200.
GROKS = {
    "train_accuracy": [0, 0.5, 1, 1, 1, 1, 1, 1],
    "test_accuracy": [0, 0, 0, 0, 0, 0.1, 0.5, 1],
    "test_loss": [4.0, 5, 9, 20, 12, 6, 1, 1e-5],
    "excluded_loss": [4.0, 3, 1, 0.5, 0.8, 2, 5, 9],
}


def course_of(**changes):
    """The course of one run with these curves."""
    results = make_results(make_cell(seeds=(1,)))
    curves = {k: np.array([v], float) for k, v in (GROKS | changes).items()}
    results = replace(results, steps=STEPS[: curves["test_loss"].size], metrics=curves)
    (course,) = courses(results)
    return course


def test_a_run_that_groks():
    course = course_of()
    assert (course.memorised, course.generalised) == (20, 1000)
    assert course.memorisation == Phase(0, 50)
    assert course.circuit_formation == Phase(50, 200)
    assert course.cleanup == Phase(200, 1000)


@pytest.mark.parametrize("kept", [[0, 3, 5, 7], [0, 2, 4, 7], [0, 3, 7]])
def test_few_evaluations_move_the_ends_to_their_neighbours(kept):
    results = make_results(make_cell(seeds=(1,)))
    curves = {k: np.array([v], float)[:, kept] for k, v in GROKS.items()}
    (course,) = courses(replace(results, steps=STEPS[kept], metrics=curves))
    assert course.memorisation.end in STEPS[[2, 3, 4]]
    assert course.cleanup.end == 1000
    if course.circuit_formation:
        assert course.circuit_formation.start == course.memorisation.end
        assert course.circuit_formation.end == course.cleanup.start


def test_evaluations_that_were_not_made_are_passed_over():
    curves = {k: np.array(v, float) for k, v in GROKS.items()}
    expected = course_of(**curves)
    for values in curves.values():
        values[[1, 4]] = np.nan
    assert course_of(**curves) == expected


def test_a_loss_that_was_not_finite_is_passed_over():
    excluded = [4.0, np.nan, 1, 0.5, 0.8, np.inf, 5, 9]
    assert course_of(excluded_loss=excluded).memorisation == Phase(0, 50)


def test_a_run_that_never_memorises_has_no_phase():
    course = course_of(train_accuracy=[0.1] * 8, test_accuracy=[0] * 8)
    assert course.has_past
    assert course.memorised is course.generalised is None
    assert course.memorisation is course.circuit_formation is course.cleanup is None


def test_a_run_that_only_memorises():
    """Its excluded loss stays where it came to, and its test loss high."""
    course = course_of(
        test_accuracy=[0] * 8,
        test_loss=[4.0, 5, 9, 20, 21, 21, 21, 21],
        excluded_loss=[4.0, 3, 1, 0.5, 0.5, 0.51, 0.52, 0.52],
    )
    assert course.memorisation == Phase(0, 50)
    assert course.circuit_formation is course.cleanup is course.generalised is None


def test_a_circuit_may_form_in_a_run_that_does_not_generalise():
    course = course_of(test_accuracy=[0] * 8, test_loss=[4.0, 5, 9, 20, 12, 9, 8, 7])
    assert course.circuit_formation == Phase(50, 1000)
    assert course.cleanup is None


def test_excluded_loss_turns_before_test_loss_drops():
    """However low it is at the end, when all is written in other irreps."""
    course = course_of(excluded_loss=[4.0, 3, 1, 0.5, 0.8, 2, 0.1, 1e-3])
    assert course == course_of()


def test_a_run_that_generalises_at_once_has_milestones_only():
    course = course_of(
        test_loss=[4.0, 3, 2, 1, 0.1, 0.01, 1e-3, 1e-4],
        test_accuracy=[0, 0.5, 1, 1, 1, 1, 1, 1],
    )
    assert (course.memorised, course.generalised) == (20, 20)
    assert course.memorisation is course.circuit_formation is course.cleanup is None


WHOLE = replace(make_cell(seeds=(1,)), train_fraction=1.0)


def on_the_whole_table(**changes):
    """The course of one run that has no test pairs."""
    nothing = {"test_accuracy": [np.nan] * 8, "test_loss": [np.nan] * 8}
    more = {"train_loss": [4.0, 2, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7]}
    given = GROKS | nothing | more | changes
    curves = {k: np.array([v], float) for k, v in given.items()}
    results = replace(make_results(WHOLE), steps=STEPS, metrics=curves)
    (course,) = courses(results)
    return course


def test_on_the_whole_table_a_run_generalises_when_it_memorises():
    course = on_the_whole_table()
    assert course.has_past
    assert course.memorised == course.generalised == 20
    assert course.memorisation is course.circuit_formation is course.cleanup is None
    slow = on_the_whole_table(train_accuracy=[0.1] * 8)
    assert slow.has_past and slow.memorised is slow.generalised is None


def test_an_imported_network_of_the_whole_table_has_no_past():
    last = {name: [np.nan] * 7 + [1.0] for name in ("train_accuracy", "train_loss")}
    assert on_the_whole_table(**last) == NO_PAST


def test_an_imported_network_has_no_past():
    curves = {k: np.array(v, float) for k, v in GROKS.items()}
    for values in curves.values():
        values[:-1] = np.nan
    assert course_of(**curves) == NO_PAST


def test_each_run_has_its_own_course():
    results = make_results(make_cell(seeds=(1, 2)))
    other = GROKS | {"train_accuracy": [0] * 8}
    curves = {k: np.array([other[k], GROKS[k]], float) for k in GROKS}
    first, second = courses(replace(results, steps=STEPS, metrics=curves))
    assert first.memorised is None and second.memorised == 20
