"""Nothing good is said of what is not a number, by any public function that takes arrays.

Where an answer depends on a number, it is nan or 0 if that number is nan, or it is refused.  What
an answer depends on is seen by changing the number a little.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arguments import ELSEWHERE, EXAMPLES

import gflow
from gflow.errors import DataError


def public_functions():
    """Names and functions of the rooms that measure, attack and know laws, which take arrays."""
    home = Path(gflow.__file__).parent
    for room in ("measure", "robustness", "laws"):
        for path in sorted((home / room).glob("[!_]*.py")):
            module = import_module(f"gflow.{room}.{path.stem}")
            for name, value in vars(module).items():
                home_of = getattr(value, "__module__", None)
                if name.startswith("_") or home_of != module.__name__ or inspect.isclass(value):
                    continue
                words = str(inspect.signature(value)) if callable(value) else ""
                if any(
                    w in words for w in ("ndarray", "Array", "Network", "Population", "Centers")
                ):
                    yield f"{room}.{path.stem}.{name}", value


FUNCTIONS = dict(public_functions())


def test_every_public_function_that_takes_arrays_is_tried():
    assert set(FUNCTIONS) - set(EXAMPLES) - ELSEWHERE == set()


@dataclass
class Place:
    """One number within the arguments of a function."""

    path: str
    value: float
    put: Callable[[float], dict]


def places(arguments):
    """Numbers of all arrays and real arguments, two of each."""
    for name, value in arguments.items():
        if name == "p":
            continue
        for path, number, put in inside(value):
            yield Place(
                f"{name}{path}", number, lambda v, put=put, name=name: arguments | {name: put(v)}
            )


def inside(value):
    """Paths to numbers in a value, the numbers, and how others are put there."""
    if isinstance(value, float):
        yield "", value, lambda v: v
    elif isinstance(value, np.ndarray | jax.Array) and value.dtype.kind == "f" and value.size:
        for at in {0, value.size // 2}:
            where = np.unravel_index(at, value.shape)

            def put(v, value=value, where=where):
                changed = np.array(value)
                changed[where] = v
                return changed if isinstance(value, np.ndarray) else jnp.asarray(changed)

            yield str(list(map(int, where))), float(value[where]), put
    elif names := field_names(value):
        change = value._replace if isinstance(value, tuple) else partial(replace, value)
        for name in names:
            if name in ("p", "loss", "kind", "origin"):
                continue
            for path, number, put in inside(getattr(value, name)):

                def set_field(v, put=put, name=name, change=change):
                    return change(**{name: put(v)})

                yield f".{name}{path}", number, set_field


def field_names(value):
    """Names of the fields of a dataclass or of a named tuple; none of anything else."""
    if isinstance(value, tuple):
        return getattr(value, "_fields", ())
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(field.name for field in fields(value))
    return ()


def numbers(result):
    """All numbers of a result, one array for each of its parts."""
    if result is None or isinstance(result, str):
        return []
    if isinstance(result, float | bool | np.ndarray | np.generic | jax.Array):
        return [np.asarray(result, float)]
    if isinstance(result, int):
        return []
    if is_dataclass(result):
        return [a for f in fields(result) for a in numbers(getattr(result, f.name))]
    values = result.values() if isinstance(result, dict) else result
    return [a for value in values for a in numbers(value)]


def answer(function, place, value):
    """The numbers that a function gives; None if it refuses."""
    try:
        with np.errstate(all="ignore"):
            return numbers(function(**place.put(value)))
    except (DataError, ValueError):
        return None


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_answer_that_depends_on_a_number_is_none_where_that_is_nan(name):
    for arguments in EXAMPLES[name]:
        some = list(places(arguments))
        assert some
        for place in some:
            bad = answer(FUNCTIONS[name], place, np.nan)
            if bad is None:
                continue
            base = answer(FUNCTIONS[name], place, place.value)
            sign = abs(place.value) == 1
            other = answer(
                FUNCTIONS[name], place, -place.value if sign else 0.97 * place.value + 1e-3
            )
            for i, (a, b) in enumerate(zip(bad, base, strict=True)):
                depends = np.ones(b.shape, bool) if other is None else ~((b == other[i]) | (b != b))
                said = depends & ~np.isnan(a) & (a != 0)
                assert not said.any(), (place.path, i, a[said], b[said])
