"""Output that a terminal or file cannot encode, spelled in ASCII.

A standard output in ASCII or cp1252 has no ε; "epsilon" is better than no answer.
"""

import codecs
import io
import sys
import unicodedata

_SPELLED = {
    "‖": "||", "√": "sqrt", "∞": "inf", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "→": "->",
    "·": "*", "×": "x", "−": "-", "–": "-", "…": "...", "°": " degrees", "±": "+/-", "∫": "int ",
    "Σ": "Sum", "∈": "in", "∇": "grad ", "∘": "o", "²": "^2", "³": "^3", "ᵀ": "^T",
}  # fmt: skip


def spell_what_cannot_be_encoded() -> None:
    """Let standard output and standard error take any text."""
    codecs.register_error("gflow", _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="gflow")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(letter: str) -> str:
    """One letter in ASCII: as a word, without its accent, or a question mark."""
    if letter in _SPELLED:
        return _SPELLED[letter]
    name = unicodedata.name(letter, "")
    if name.startswith("GREEK "):
        case, _, word = name.removeprefix("GREEK ").partition(" LETTER ")
        return word.split(" ")[0].title() if case == "CAPITAL" else word.split(" ")[0].lower()
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return bare or "?"
