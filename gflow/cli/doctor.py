"""The verb `doctor`: whether this machine is fit to run gflow, as facts."""

import tempfile
from pathlib import Path

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json
from gflow.cli.results import print_json
from gflow.cost import measure_rate


@guarded
def doctor(as_json: Json = False) -> int:
    """Print versions, cores, matrix-product speed, and whether disk and cache are writable."""
    facts = examine()
    if as_json:
        print_json(facts)
    else:
        for name, fact in facts.items():
            print(f"{name:>16}  {fact}")
    return Exit.OK


def examine() -> dict[str, str]:
    """Versions, device, cores, matrix-product speed, and whether the disk is writable."""
    import jax

    from gflow.runs.provenance import provenance

    facts = provenance()
    versions = facts["versions"]
    assert isinstance(versions, dict)
    return {
        **{name: str(version) for name, version in versions.items()},
        **{name: str(facts[name]) for name in ("python", "device", "cores", "threads")},
        "matrix product": f"{measure_rate() / 1e9:.0f} GFlop/s (float32, numpy)",
        "runs folder": _writable(Path("runs") if Path("runs").is_dir() else Path(".")),
        "temporary files": _writable(Path(tempfile.gettempdir())),
        "jax cache": str(jax.config.values["jax_compilation_cache_dir"] or "off"),
    }


def _writable(folder: Path) -> str:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return f"{folder.resolve()} is writable"
    except OSError as error:
        return f"{folder.resolve()} is NOT writable ({error.strerror})"
