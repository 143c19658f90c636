"""Symbols of the papers for the keys of a scenario, and numbers as a paper writes them.

A label such as "power=3,init_scale=1e-07" names a run in folders and tables; in a figure it reads
p = 3, ε = 10⁻⁷.
"""

import math
from typing import NamedTuple

from gflow.scenario.axis import label_word
from gflow.scenario.tables import LETTERS

_TEX = {"eps": r"\varepsilon", "alpha": r"\alpha", "K1": "K_1"}

_SYMBOLS = {label_word(key): _TEX.get(letter, letter) for letter, key in LETTERS.items()} | {
    "step_size": r"\eta",
    "momentum": r"\beta",
    "hidden_layers": "L",
}
"""Symbols by the word for a key in a label."""

_NAMES = {
    "power": "power",
    "init_scale": "initialization scale",
    "noise": "noise",
    "width": "neurons",
    "samples": "samples",
    "subclasses": "subclasses",
    "step_size": "step size",
    "momentum": "momentum",
    "hidden_layers": "hidden layers",
}
"""What stands before a symbol on an axis, where it says more than the word."""

_METHODS = {"flow": "gradient flow", "sgd": "SGD", "adam": "Adam"}

_OF_STEPS = ("step_size", "batch", "momentum")
"""Keys that a gradient flow does not have."""


_PLAIN = (1e-2, 1e5)
"""Range of the numbers that are written without a power of ten."""


class Part(NamedTuple):
    """One varied key of a label, and its value."""

    word: str
    """Empty in a label that is free text."""
    value: str

    @property
    def number(self) -> float | None:
        """The value as a number; None for a word."""
        try:
            return float(self.value)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        """The part as a title writes it, such as "$p = 3$"."""
        if not self.word:
            return self.value
        if self.word == "method" and self.value in _METHODS:
            return _METHODS[self.value]
        number = tex_number(self.value)
        if self.word in _SYMBOLS:
            return f"${_SYMBOLS[self.word]} = {number}$"
        return f"{spaced(self.word)} = {number if number == self.value else f'${number}$'}"


def parts_of(label: str) -> tuple[Part, ...]:
    """The varied keys of a label in their order, without those that mean nothing for a flow."""
    texts = [text.strip() for text in label.split(",") if text.strip()]
    parts = [Part(*text.split("=", 1)) if "=" in text else Part("", text) for text in texts]
    if Part("method", "flow") in parts:
        parts = [part for part in parts if part.word not in _OF_STEPS]
    return tuple(parts)


def in_symbols(title: str) -> str:
    """The title of a series of runs, such as "power = 3", in symbols."""
    parts = (text.partition(" = ") for text in title.split(", "))
    return ", ".join(Part(word, value).text if value else word for word, _, value in parts)


def symbol(word: str) -> str:
    """The symbol of a key, by its word in labels or its dotted name; else the word."""
    word = word.rpartition(".")[2]
    return f"${_SYMBOLS[word]}$" if word in _SYMBOLS else spaced(word)


def quantity(word: str) -> str:
    """A key as an axis names it, such as "initialization scale $\\varepsilon$"."""
    word = word.rpartition(".")[2]
    return f"{_NAMES[word]} {symbol(word)}" if word in _NAMES else symbol(word)


def tex_number(text: str) -> str:
    """A number as it is set in a formula, tiny and huge ones as powers of ten."""
    try:
        value = float(text)
    except ValueError:
        return text
    if value == 0 or _PLAIN[0] <= abs(value) < _PLAIN[1] or not math.isfinite(value):
        return f"{value:g}"
    mantissa, exponent = f"{value:.12e}".split("e")
    mantissa, power = f"{float(mantissa):g}", f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{mantissa}\times {power}"


def spaced(word: str) -> str:
    """A word of a label as a figure writes it."""
    return word.replace("_", " ")
