"""A hash of gflow's own code, by which stored results are known to be of today.

One idea: whatever a room of the house computes, it computes with the rooms it may import from, so
its code is every file of those rooms: moving a file or changing one anew makes another hash.
"""

import functools
import hashlib
from pathlib import Path

import gflow

ROOMS = (
    "errors", "plugin", "markup", "random", "table", "data", "scenario", "cost", "network", "flow",
    "measure", "robustness", "laws", "judges", "runs", "report", "api", "cli",
)  # fmt: skip
"""The house from top to bottom: a room imports only from itself and from those before it."""


@functools.cache
def code_hash(room: str) -> str:
    """Hash of all code that a room of gflow may run: who measured, or who judged."""
    return hash_of_rooms(Path(gflow.__file__).parent, room)


def hash_of_rooms(home: Path, last: str) -> str:
    """Hash of the paths and bytes of all modules in the rooms up to `last`.

    **Arguments:**

    - `home`: folder of the package.
    - `last`: name of a room.
    """
    code = hashlib.sha256()
    for room in ROOMS[: ROOMS.index(last) + 1]:
        for path in sorted([*home.glob(f"{room}.py"), *(home / room).rglob("*.py")]):
            module = path.read_bytes()
            # With its length, so that no two sets of files read as one sequence of bytes.
            code.update(f"{path.relative_to(home).as_posix()} {len(module)}\n".encode())
            code.update(module)
    return code.hexdigest()[:16]
