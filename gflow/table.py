"""What scenario tables are made of: strict keys, extensible lists of words, and rules.

A table is defined beside the thing it describes (a kind of data, a kind of network), so this module
lies below all of them.
"""

from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Table(BaseModel):
    """Keys and their values; types are strict, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Mistake(NamedTuple):
    """Something wrong with a scenario."""

    key: str
    """Dotted key; its line in the file is reported."""
    text: str
    """One sentence: what must hold, what holds instead, and how to fix it."""


Check = Callable[..., str | None]


class Rule(NamedTuple):
    """A constraint between keys that are each valid on their own."""

    tables: tuple[type[Table], ...]
    """The tables that `check` takes, in this order."""
    keys: tuple[str, ...]
    """Dotted keys that `check` reads, the one at fault first."""
    check: Check
    """What the key at fault "must …, but …; try …"; None where the rule is kept."""


M = TypeVar("M")


GIVEN = "given"
"""The word of a stored question for what a caller of `gflow.simulate` gave: no file may hold it."""


class Words:
    """An extensible list of the words a key may hold: `Annotated[str, Words("a b")]`."""

    def __init__(self, words: str, *, or_given: bool = False):
        self.words = words.split()
        self.or_given = or_given
        """Whether a stored question may hold `GIVEN` in place of a word."""

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def add(self, word: str) -> None:
        """Allow one more word; one that is already allowed changes nothing."""
        if word not in self.words:
            self.words.append(word)

    def register(self, members: dict[str, M], name: str, member: M) -> None:
        """Add a member to what these words name, and its name to the words.

        **Raises:** `ValueError` if another member has this name.
        """
        if name in members:
            raise ValueError(
                f"`name` must be new, but there is already one called {name!r}; choose another."
            )
        members[name] = member
        self.add(name)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._member, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"enum": list(self.words), "type": "string"}

    def _member(self, word: str) -> str:
        if word not in self.words and not (self.or_given and word == GIVEN):
            raise ValueError
        return word


T = TypeVar("T", bound=Table)


class Registry(Generic[T]):
    """The tables that one section of a scenario file may be, distinguished by their `kind`."""

    def __init__(self, *tables: type[T]):
        self._tables: dict[str, type[T]] = {}
        for table in tables:
            self.add(table)

    def add(self, table: type[T]) -> type[T]:
        """Register a table under the default of its key `kind`; also usable as a decorator."""
        self._tables[table.model_fields["kind"].default] = table
        return table

    def get(self, kind: object) -> type[T] | None:
        """The table of a kind; None for an unknown kind."""
        return self._tables.get(kind) if isinstance(kind, str) else None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of all kinds, the default first."""
        return tuple(self._tables)

    @property
    def tables(self) -> tuple[type[T], ...]:
        """All tables, the default first."""
        return tuple(self._tables.values())


def _without_repeats(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise ValueError
    return values


DISTINCT = AfterValidator(_without_repeats)
"""Marks a list whose entries must be distinct."""

LAX = Field(strict=False, json_schema_extra={"uniqueItems": True})
"""Marks a tuple, which a file writes as a list."""


RULES: list[Rule] = []
"""Every rule, in the order in which they were registered."""


def rule(key: str, *others: str) -> Callable[[Check], Check]:
    """Register a function of tables as a rule of scenario files.

    The rule applies to files that have one table of each type in the signature. The function
    returns what the key must be, what it is and the cure, or None where the rule is kept.

    **Arguments:**

    - `key`: the dotted key that is at fault where the rule is broken.
    - `others`: the other keys it reads; the rule is skipped where one of all these is invalid.
    """

    def mark(check: Check) -> Check:
        tables = {name: t for name, t in get_type_hints(check).items() if name != "return"}
        RULES.append(Rule(tuple(tables.values()), (key, *others), check))
        return check

    return mark
