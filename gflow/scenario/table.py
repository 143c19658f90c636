"""What every table of a scenario file is: strict, frozen, closed to other keys."""

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Table(BaseModel):
    """Keys and their values; strict, and closed to other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _without_repeats(values: tuple) -> tuple:
    if len(set(values)) < len(values):
        raise ValueError
    return values


DISTINCT = AfterValidator(_without_repeats)
"""Marks a list none of whose entries may stand twice."""

LAX = Field(strict=False, json_schema_extra={"uniqueItems": True})
"""Marks a list of a file, which becomes a tuple."""
