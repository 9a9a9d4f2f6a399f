"""What a browser may say: a time range, how many points fit, and the variables' values; never a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

LAST_MS = 253_402_300_799_999  # the end of the year 9999

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Chosen = Annotated[str, StringConstraints(max_length=1_000)]
Moment = Annotated[int, Field(ge=0, le=LAST_MS)]


class DashboardRequest(BaseModel):
    """A time range in milliseconds since 1970, and what is chosen of each variable (`$__all` for All)."""

    model_config = ConfigDict(extra="forbid")

    from_ms: Moment = Field(alias="from", description="Start of the time range, in milliseconds since 1970.")
    to_ms: Moment = Field(alias="to", description="End of the time range, in milliseconds since 1970.")
    points: int = Field(500, ge=1, le=4_000, description="How many points of a series can be shown.")
    variables: dict[Name, Annotated[list[Chosen], Field(max_length=500)]] = Field(
        default_factory=dict, max_length=50, description="Chosen values by variable."
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> DashboardRequest:
        if self.to_ms <= self.from_ms:
            raise ValueError("the end of the time range must come after its start")
        return self

    @property
    def window(self) -> Window:
        return Window(self.from_ms, self.to_ms, self.points)


@dataclass(frozen=True, slots=True)
class Window:
    """A time range, and how many points a series may have in it."""

    from_ms: int
    to_ms: int
    points: int = 500

    @property
    def length_ms(self) -> int:
        return self.to_ms - self.from_ms


Choices = Mapping[str, list[str]]
