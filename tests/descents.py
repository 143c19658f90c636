"""Small descents in steps: a problem, a recipe, and the gradient by hand."""

import numpy as np
from systems import system

import gflow
from gflow.flow.descent import descend
from gflow.flow.observer import Observer
from gflow.flow.recipe import Recipe
from gflow.flow.schedule import Schedule
from gflow.network.initial import cartesian
from gflow.scenario.step_sizes import StepSizes

EPS = np.finfo(np.float64).eps


def problem(p=3.0, n=40, D=6, h=5, eps=0.3, seed=0):
    rng = np.random.default_rng(seed)
    mu = np.eye(D)[:4]
    k = rng.integers(4, size=n)
    x = mu[k] + 0.1 / np.sqrt(D) * rng.standard_normal((n, D))
    y = np.where(k < 2, 1.0, -1.0)
    w = rng.standard_normal((h, D)) / np.sqrt(D)
    v = np.where(np.arange(h) % 2, -1.0, 1.0) * np.linalg.norm(w, axis=1)
    return system(cartesian(w, v, eps), x, y, p), x, y, eps * w, eps * v


def recipe(step_size=0.1, method="sgd", batch=0, momentum=0.0, epochs=None, seed=0, **sizes):
    return Recipe(
        method=method, step_size=step_size, batch=batch, momentum=momentum, epochs=epochs,
        seed=seed, time_of_step=step_size / (1 - momentum), sizes=StepSizes(**sizes),
    )  # fmt: skip


def followed(case, times, how, checkpoint=None, **looks):
    probe = lambda t, state: {"w": state.weights.w, "v": state.weights.v}  # noqa: E731
    return descend(
        case.field, case.weights, case.samples, Schedule(np.asarray(times, float)), recipe=how,
        observer=Observer(probe, **looks), checkpoint=checkpoint,
    )  # fmt: skip


def gradient(w, v, x, y, p):
    """∇L of the mean exponential loss by hand: f = Σ v σ(<w,x>)^p / ‖w‖^{p-1}."""
    norm = np.linalg.norm(w, axis=1)
    z = np.maximum(x @ w.T, 0)
    f = z**p @ (v / norm ** (p - 1))
    slope = -y * np.exp(-y * f) / len(y)
    dv = slope @ (z**p / norm ** (p - 1))
    gate = np.where(z > 0, z ** (p - 1), 0)
    inner = (slope[:, None] * p * gate).T @ x / norm[:, None] ** (p - 1)
    radial = (slope @ z**p) * (p - 1) / norm ** (p + 1)
    return v[:, None] * (inner - radial[:, None] * w), dv


SMALL = """
name = "small"
data = {dimension = 20, subclasses = 4, positive_subclasses = 2, noise = 0.1, samples = 80}
network = {width = 20, power = 3, init_scale = 1e-3}
flow = {end_time = 120.0}
record = {linear = 30, geometric = 20}
"""


def small(**keys):
    return gflow.parse_scenario(SMALL + "".join(f"{k} = {v}\n" for k, v in keys.items()))
