"""The errors of gflow: a user's mistake is one readable message, never a traceback.

Messages have the form "`key` must …, but …; try …".  A flow that stops early is not an error: it
is a value, `gflow.flow.trajectory.Outcome`.
"""

import os
from collections.abc import Iterator


class GflowError(Exception):
    """A mistake that the user can fix; the message says how."""


class ScenarioError(GflowError):
    """A scenario file with mistakes; all of them are listed at once."""

    def __init__(self, mistakes: tuple[str, ...]):
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class DataError(GflowError):
    """Arrays or data files that cannot be used."""


class PrecisionError(GflowError):
    """A tolerance or precision at which the answer would be silently wrong."""


class RecordError(GflowError):
    """A run folder that is missing, truncated, altered, not gflow's, or from a newer version."""


class MachineError(GflowError):
    """A machine, a library or a setting of jax with which nothing can be computed."""


class GflowWarning(UserWarning):
    """Something a careful reader of a result should know."""


def as_own(error: Exception) -> GflowError | None:
    """An error of the machine, or of how it is set, as one of gflow's; None for any other."""
    if isinstance(error, GflowError):
        return error
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return MachineError(
            "There was not enough memory; use fewer samples, neurons, or --workers."
        )
    if isinstance(error, ImportError) and not (error.name or "").startswith("gflow"):
        return MachineError(
            f"{error.name or 'a library'}: must be installed as gflow needs it, but cannot be "
            f"imported ({error}); try pip install --upgrade gflow."
        )
    settings = " ".join(_settings_of_jax())
    why = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
    if _is_of_jax(error) and (settings or "backend" in str(error)):
        return MachineError(
            f"{settings or 'jax'}: must leave jax able to compute, but it says {why}; "
            f"{'unset it' if settings else 'set JAX_PLATFORMS=cpu'}, and report it if that does "
            "not help."
        )
    return None


_HARMLESS = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")


def _settings_of_jax() -> Iterator[str]:
    """Settings of jax in the environment, besides those that gflow makes itself."""
    for name, value in sorted(os.environ.items()):
        if name.startswith("JAX_") and name not in _HARMLESS:
            yield f"{name}={value}"


def _is_of_jax(error: BaseException) -> bool:
    """Whether jax raised an error; it removes its own frames from some of them."""
    trace, frames = error.__traceback__, []
    while trace is not None:
        frames.append(str(trace.tb_frame.f_globals.get("__name__", "")))
        trace = trace.tb_next
    of_its_own = isinstance(error, FloatingPointError)  # jax_debug_nans
    return of_its_own or any(name.startswith("jax") for name in (type(error).__module__, *frames))
