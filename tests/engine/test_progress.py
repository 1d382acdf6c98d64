import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from repjax.engine.progress import (
    LiveProgress,
    PlainProgress,
    Progress,
    Together,
    build_progress,
    run_lines,
)
from tests.made_up import make_cell, make_results, with_similarity


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def plain(clock):
    return PlainProgress(Console(file=io.StringIO(), width=80), clock)


def lines(progress):
    return progress._console.file.getvalue().splitlines()


LOSS = np.array([1.0, 2.0, 9.0, 3.0], np.float32)
MEASURED = {
    "train_loss": LOSS,
    "test_loss": np.array([4.0, 5.0, 6.0, np.nan], np.float32),
    "test_accuracy": np.array([1.0, 0.99, 0.5, np.nan], np.float32),
}


def test_a_line_has_all_that_a_person_asks(plain, clock):
    plain.start("S5_mlp", 4, 10_000, 0)
    plain.update(100, LOSS)
    plain.measure(MEASURED)
    clock.now += 10
    plain.update(1_100, LOSS)
    assert lines(plain) == [
        "S5_mlp: 4 runs, 10,000 steps",
        "S5_mlp  1.0%  step 100/10,000  train loss 2.50e+00",
        "S5_mlp  11.0%  step 1,100/10,000  time left 0:01:29  100 steps/s each "
        "(400 in all)  train loss 2.50e+00  test loss 5.50e+00  generalised 2/4  "
        "(tested at step 100)",
    ]


def test_runs_without_test_pairs_are_judged_by_their_training_pairs(plain):
    """Four of them, and beside others in one round."""
    nothing = np.full(4, np.nan, np.float32)
    whole = {
        "train_loss": LOSS,
        "train_accuracy": np.array([1.0, 0.99, 0.5, 1.0], np.float32),
        "test_loss": nothing,
        "test_accuracy": nothing,
    }
    plain.start("S3", 4, 10, 0)
    plain.update(1, LOSS)
    plain.measure(whole)
    plain.__exit__()
    assert lines(plain)[-1].endswith("train loss 2.50e+00  generalised 3/4")

    half = np.array([5.0, np.nan, 7.0, np.nan], np.float32)
    accuracy = np.array([0.1, np.nan, 1.0, np.nan], np.float32)
    plain.start("S3", 4, 10, 0)
    plain.update(1, LOSS)
    plain.measure(whole | {"test_loss": half, "test_accuracy": accuracy})
    plain.__exit__()
    assert lines(plain)[-1].endswith("test loss 6.00e+00  generalised 3/4")


def test_lines_of_runs_without_test_pairs_show_their_train_loss():
    cell = replace(make_cell(seeds=(9, 10)), train_fraction=1.0)
    results = make_results(
        cell, test_accuracy=np.nan, test_loss=np.nan, train_accuracy=[1.0, 0.5]
    )
    assert list(run_lines(results)) == [
        "  seed  9  generalised      train loss 2.50e-01  key irreps: none",
        "  seed 10  not generalised  train loss 2.50e-01  key irreps: none",
    ]


def test_what_was_measured_last_is_shown(plain):
    plain.start("S4_mlp", 4, 1, 0)
    plain.update(1, LOSS)
    plain.measure(MEASURED)
    plain.finish([make_results()])
    assert "step 1/1 " in lines(plain)[1] and "generalised 2/4" in lines(plain)[1]
    assert not any("step 1/1 " in line for line in lines(plain)[2:])


def test_lines_come_every_ten_seconds_and_at_the_end(plain, clock):
    plain.start("S5_mlp", 2, 100, 0)
    for step in range(1, 101):
        clock.now += 0.25
        plain.update(step, LOSS[:2])
    plain.finish([make_results()])
    shown = [re.search(r"step (\d+)", line) for line in lines(plain)]
    assert [step[1] for step in shown if step] == ["1", "41", "81", "100"]
    assert "100.0%  step 100/100  time left 0:00:00" in lines(plain)[4]


@pytest.mark.parametrize(("resumed", "left"), [(0, "0:03:10"), (9_000, "0:01:40")])
def test_rate_counts_only_the_work_since_the_start(plain, clock, resumed, left):
    plain.start("S4_mlp", 1, 20_000, resumed)
    clock.now += 60  # compilation: not a step of work
    plain.update(resumed + 1, LOSS[:1])
    clock.now += 10
    plain.update(resumed + 1_001, LOSS[:1])
    assert f"time left {left}  100 steps/s  train" in lines(plain)[-1]
    clock.now += 30
    plain.finish([make_results(make_cell(seeds=(1,)))])
    assert "S4_mlp: done in 0:01:40  10 steps/s" in lines(plain)[-2]
    assert ("resumed at step 9,000" in lines(plain)[0]) == bool(resumed)


def test_rate_is_that_of_late(plain, clock):
    plain.start("S5_mlp", 1, 100_000, 0)
    plain.measure(MEASURED)
    for step in range(2, 100):  # evaluations come thick at first
        clock.now += 1
        plain.update(step, LOSS)
    for step in range(1_000, 7_000, 1_000):
        clock.now += 10
        plain.update(step, LOSS)
    assert "  100 steps/s" in lines(plain)[-1]


def test_nothing_is_known_at_first(plain, clock):
    plain.start("S5_mlp", 4, 100, 0)
    clock.now += 10
    plain.measure({})
    assert lines(plain)[-1] == "S5_mlp  0.0%  step 0/100"


def test_test_loss_stays_between_evaluations(plain, clock):
    plain.start("S5_mlp", 4, 100, 0)
    plain.update(1, LOSS)
    plain.measure(MEASURED)
    clock.now += 10
    plain.update(2, LOSS / 2)
    assert (
        "train loss 1.25e+00  test loss 5.50e+00  generalised 2/4" in lines(plain)[-1]
    )


def test_a_stopped_cell_shows_where_it_stopped(plain):
    with plain:
        plain.start("S5_mlp", 4, 100, 0)
        plain.update(7, LOSS)
    assert "step 7/100" in lines(plain)[-1]
    assert len(lines(plain)) == 2


def test_finish_names_the_key_irreps_of_each_run(plain):
    results = make_results(make_cell(seeds=(9, 10)), test_accuracy=[1.0, 0.5])
    learned = [[0] * 4, [0, 0, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1]]
    results = with_similarity(results, 0, learned)
    assert list(run_lines(results)) == [
        "  seed  9  generalised      test loss 2.50e-01  key irreps: standard, sign",
        "  seed 10  not generalised  test loss 2.50e-01  key irreps: none",
    ]
    plain.start("S4_mlp", 2, 100, 0)
    plain.finish([results])
    assert lines(plain)[-2:] == list(run_lines(results))


def test_live_display_on_a_terminal_gives_the_cursor_back(clock):
    screen = io.StringIO()
    progress = LiveProgress(Console(file=screen, force_terminal=True, width=80), clock)
    with pytest.raises(RuntimeError), progress:
        progress.start("S5_mlp", 4, 1_000, 0)
        progress.update(100, LOSS)
        clock.now += 2
        progress.update(500, LOSS)
        progress.measure(MEASURED)
        raise RuntimeError
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "50.0%  step 500/1,000  time left 0:00:02" in text
    assert "generalised 2/4" in text
    assert screen.getvalue().count("\x1b[?25l") == 1
    assert screen.getvalue().endswith("\x1b[?25h")


def test_live_display_prints_key_irreps_under_its_last_state(clock):
    screen = io.StringIO()
    progress = LiveProgress(Console(file=screen, force_terminal=True, width=80), clock)
    for _ in range(2):
        progress.start("S4_mlp", 2, 100, 0)
        progress.update(100, LOSS[:2])
        progress.finish([make_results()])
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert text.rindex("step 100/100") < text.rindex("key irreps: none")
    assert text.count("key irreps: none") == 4


@pytest.mark.parametrize("width", [20, 40, 79])
def test_live_display_fits_a_narrow_terminal(clock, width):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, height=24)
    with LiveProgress(console, clock) as progress:
        progress.start("S5_mlp", 4, 1_000, 0)
        progress.update(500, LOSS)
        progress.measure(MEASURED)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    _, *display = re.split(r"[\r\n]+", text)  # the first line wraps by itself
    assert max(map(len, display)) <= width
    assert "step 500/1,000" in " ".join(text.split())
    (bar,) = (line for line in display if "━" in line)
    assert not re.search(r"\d", bar)  # the numbers have a line to themselves


def test_display_is_live_in_a_notebook_that_has_widgets(monkeypatch):
    notebook = Console(file=io.StringIO(), force_jupyter=True)
    monkeypatch.setattr("repjax.engine.progress.find_spec", lambda name: name)
    assert type(build_progress(notebook)) is LiveProgress
    monkeypatch.setattr("repjax.engine.progress.find_spec", lambda name: None)
    assert type(build_progress(notebook)) is PlainProgress


def test_display_follows_what_stdout_is():
    assert type(build_progress(Console(file=io.StringIO()))) is PlainProgress
    # Colours forced upon a pipe make no terminal of it.
    forced = Console(file=io.StringIO(), force_terminal=True)
    assert type(build_progress(forced)) is PlainProgress
    screen = io.StringIO()
    screen.isatty = lambda: True
    on_terminal = Console(file=screen, force_terminal=True, _environ={"TERM": "xterm"})
    assert type(build_progress(on_terminal)) is LiveProgress


def test_several_receivers_get_the_same_reports(clock):
    screens = [io.StringIO(), io.StringIO()]
    plain = [PlainProgress(Console(file=s, width=80), clock) for s in screens]
    with Together(plain) as progress:
        progress.prepare([make_cell()])
        progress.start("S5_mlp", 4, 100, 0)
        progress.update(1, LOSS)
        progress.measure(MEASURED)
        progress.finish([make_results()])
        progress.start("S4_mlp", 4, 100, 0)
        progress.update(7, LOSS)
    one, other = (screen.getvalue() for screen in screens)
    assert one == other
    assert "generalised 2/4" in one and one.count("step 7/100") == 1


def test_no_progress_says_nothing(capsys):
    with Progress() as progress:
        progress.start("S5_mlp", 4, 100, 0)
        progress.update(1, LOSS)
        progress.measure(MEASURED)
        progress.finish([make_results()])
    assert capsys.readouterr() == ("", "")


def test_the_last_state_is_shown_once_and_as_measured(plain, clock):
    """The last steps take longer than the time between lines, and so may measuring."""
    plain.start("S5_mlp", 4, 100, 0)
    plain.update(1, LOSS)
    for step in (50, 100):
        clock.now += 11
        plain.update(step, LOSS)
        clock.now += 11
        plain.measure(MEASURED | {"test_loss": LOSS / step})
    plain.__exit__()
    (last,) = [line for line in lines(plain) if "100.0%" in line]
    assert "test loss 2.50e-02" in last
