"""A checksum of a function: of the program that jax makes of it, so of all that it computes.

Neither its name nor how it is written counts, and no address in memory.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def fingerprint(function: Callable, *arguments: Any) -> str:
    """Eight hexadecimal digits that identify what a function computes of such arguments.

    **Raises:** whatever the function raises, or jax when it traces it.
    """
    with jax.enable_x64(True):
        program = jax.make_jaxpr(lambda *args: jax.tree.leaves(function(*args)))(*arguments)
    text = re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr))
    constants = b"".join(np.asarray(constant).tobytes() for constant in program.consts)
    return hashlib.sha256(text.encode() + constants).hexdigest()[:8]


def first_line(error: Exception) -> str:
    """What an error of a caller's code says, in one line."""
    return (str(error).splitlines() or [""])[0]
