"""What gflow says when a question cannot be answered.

One idea: a user's mistake is one readable message, never a traceback.  Every error here carries
text of the form "`key` must …, but …; try …".  A flow that stops early is not an error: it is a
value, `gflow.flow.trajectory.Outcome`.
"""


class GflowError(Exception):
    """A mistake that the user can mend; its text says how."""


class ScenarioError(GflowError):
    """A scenario file that cannot be understood; all its mistakes are listed at once."""

    def __init__(self, mistakes: tuple[str, ...]):
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class DataError(GflowError):
    """Arrays or files of data that are not what was asked for."""


class PrecisionError(GflowError):
    """A tolerance or precision at which the answer would be silently wrong."""


class RecordError(GflowError):
    """A run folder that is missing, foreign, cut short, altered, or from a newer version."""


class GflowWarning(UserWarning):
    """Something a careful reader of a result should know."""
