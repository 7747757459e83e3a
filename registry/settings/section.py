"""What all sections of the settings share: their form, and values that the environment can only give as text."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _seconds(value: object) -> object:
    """Take a number of seconds that is a text too, for the environment has nothing else."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value) else value


def listed(value: object) -> object:
    """Take a list that is a text with commas too, for the environment has nothing else."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


MIB = 2**20
ZERO, MINUTE, HOUR = timedelta(0), timedelta(minutes=1), timedelta(hours=1)
Duration = Annotated[timedelta, BeforeValidator(_seconds), Field(ge=ZERO)]
"""Seconds, such as 30, or ISO 8601, such as PT24H."""


class Section(BaseModel):
    """A section of the settings: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
