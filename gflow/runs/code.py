"""A hash of gflow's own code, by which stored results are known to be of today."""

import functools
import hashlib
from pathlib import Path

import gflow


@functools.cache
def code_hash(*packages: str) -> str:
    """Hash of the code of some packages of gflow: who measured, or who judged."""
    home, code = Path(gflow.__file__).parent, hashlib.sha256()
    for name in packages:
        for path in sorted((home / name).glob("*.py")):
            code.update(path.read_bytes())
    return code.hexdigest()[:16]
