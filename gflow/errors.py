"""The errors of gflow: a user's mistake is one readable message, never a traceback.

Messages have the form "`key` must …, but …; try …".  A flow that stops early is not an error: it
is a value, `gflow.flow.trajectory.Outcome`.
"""


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


class GflowWarning(UserWarning):
    """Something a careful reader of a result should know."""
