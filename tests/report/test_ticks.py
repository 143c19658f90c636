"""Logarithmic axes have at least two labels, and never two that touch."""

import pytest
from drawing import colliding
from matplotlib.figure import Figure

from gflow.report import style, ticks


@pytest.mark.parametrize("inches", [1.1, 2.5, 6.0])
@pytest.mark.parametrize("decades", [0.1, 0.3, 0.6, 0.9, 1.2, 1.7, 2.5, 6, 40])
@pytest.mark.parametrize("begin", [1.0, 0.27, 3e-9])
@style.styled()
def test_ticks_do_not_collide_and_are_two_at_least(inches, decades, begin):
    figure = Figure(figsize=(inches, 1.5), layout="constrained")
    ax = figure.subplots()
    ax.set(xscale="log", xlim=(begin, begin * 10**decades))

    ticks.dress(figure)

    style.lay_out(figure)
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    places = [t for t in ax.get_xticks() if low <= t <= high]
    texts = [ax.xaxis.get_major_formatter()(t) for t in places]
    # Two long numbers do not fit an inch.
    assert len(places) >= (1 if inches < 2 else 2)
    assert len(set(texts)) == len(texts)
    assert colliding(figure) == []


def test_matplotlibs_own_ticks_collide():
    # What the test above would miss if it saw no text.
    figure = Figure(figsize=(2.5, 1.5))
    figure.subplots().set(xscale="log", xlim=(0.27, 4.8))

    assert colliding(figure)


def test_labels_are_the_numbers_they_stand_at():
    figure = Figure()
    ax = figure.subplots()
    ax.set(xscale="log", xlim=(0.2, 3), yscale="log", ylim=(2e-7, 3e-6))
    ticks.dress(figure)
    figure.draw_without_rendering()

    write_x, write_y = (axis.get_major_formatter() for axis in (ax.xaxis, ax.yaxis))
    assert [write_x(x) for x in (0.3, 1.0, 3.0)] == ["$0.3$", "$1$", "$3$"]
    assert write_y(3e-7) == r"$3\times10^{-7}$" and write_y(1e-6) == "$10^{-6}$"
