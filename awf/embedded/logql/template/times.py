"""Go's time layouts (`2006-01-02T15:04:05Z07:00`): writing and reading a moment."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from awf.embedded.logql.template.values import ZERO_TIME_NS, Time, offset

_MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
                  "October", "November", "December")  # fmt: skip
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PART: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|-07:00|-0700|-07|Z07:00|Z0700|Z07|__2|_2(?!006)|002"
    r"|01|02|03|04|05|06|15|1|2|3|4|5|PM|pm|[.,](?:0+|9+)(?!\d)"
)
ZERO_TIME: Final = Time(ZERO_TIME_NS)
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (local fields, whose offset is kept beside)


def zone(name: str) -> tzinfo:
    """Return a time zone; one that is not known is UTC, and so is the local one."""
    if name in {"", "UTC", "Local"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def at(ns: int, where: tzinfo) -> Time:
    """Return a moment as it is shown in a zone."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=ns // 1_000_000_000)
    local = moment.astimezone(where)
    return Time(ns, int((local.utcoffset() or timedelta()).total_seconds()), local.tzname() or "UTC")


def write(layout: str, time: Time) -> str:
    """Write a moment in Go's layout."""
    fields = time.fields
    hour = fields.hour % 12 or 12
    simple: dict[str, Callable[[], str]] = {
        "January": lambda: _MONTHS[fields.month - 1], "Jan": lambda: _MONTHS[fields.month - 1][:3],
        "Monday": lambda: _DAYS[fields.weekday()], "Mon": lambda: _DAYS[fields.weekday()][:3],
        "2006": lambda: f"{fields.year:04d}", "06": lambda: f"{fields.year % 100:02d}",
        "01": lambda: f"{fields.month:02d}", "1": lambda: str(fields.month),
        "02": lambda: f"{fields.day:02d}", "2": lambda: str(fields.day), "_2": lambda: f"{fields.day:2d}",
        "002": lambda: f"{fields.timetuple().tm_yday:03d}", "__2": lambda: f"{fields.timetuple().tm_yday:3d}",
        "15": lambda: f"{fields.hour:02d}", "03": lambda: f"{hour:02d}", "3": lambda: str(hour),
        "04": lambda: f"{fields.minute:02d}", "4": lambda: str(fields.minute),
        "05": lambda: f"{fields.second:02d}", "5": lambda: str(fields.second),
        "PM": lambda: "PM" if fields.hour >= 12 else "AM", "pm": lambda: "pm" if fields.hour >= 12 else "am",
        "MST": lambda: time.zone,
    }  # fmt: skip

    def part(found: re.Match[str]) -> str:
        text = found[0]
        if text in simple:
            return simple[text]()
        if text[0] in ".,":
            digits = f"{time.fraction_ns:09d}"[: len(text) - 1]
            kept = digits.rstrip("0") if text[1] == "9" else digits
            return text[0] + kept if kept else ""
        if text[0] == "Z" and not time.offset_s:
            return "Z"
        full = offset(time.offset_s, ":" if ":" in text else "")
        return full[:3] if text.endswith("07") else full

    return _PART.sub(part, layout)


_READ: Final = {
    "January": f"(?P<month_name>{'|'.join(_MONTHS)})", "Jan": f"(?P<month_abbr>{'|'.join(m[:3] for m in _MONTHS)})",
    "Monday": f"(?:{'|'.join(_DAYS)})", "Mon": f"(?:{'|'.join(day[:3] for day in _DAYS)})",
    "2006": r"(?P<year>\d{4})", "06": r"(?P<short_year>\d\d)", "01": r"(?P<month>\d\d)", "1": r"(?P<month>\d\d?)",
    "02": r"(?P<day>\d\d)", "2": r"(?P<day>\d\d?)", "_2": r" ?(?P<day>\d\d?)", "002": r"(?P<year_day>\d{3})",
    "__2": r" {0,2}(?P<year_day>\d{1,3})", "15": r"(?P<hour>\d\d?)", "03": r"(?P<half_hour>\d\d)",
    "3": r"(?P<half_hour>\d\d?)", "04": r"(?P<minute>\d\d)", "4": r"(?P<minute>\d\d?)",
    "05": r"(?P<second>\d\d)(?P<unasked>[.,]\d{1,9})?", "5": r"(?P<second>\d\d?)(?P<unasked>[.,]\d{1,9})?",
    "PM": r"(?P<half>AM|PM)", "pm": r"(?P<half>am|pm)", "MST": r"(?P<zone>[A-Z]{3,5}|[+-]\d\d)",
    "-07:00": r"(?P<offset>[+-]\d\d:\d\d)", "-0700": r"(?P<offset>[+-]\d{4})", "-07": r"(?P<offset>[+-]\d\d)",
    "Z07:00": r"(?P<offset>Z|[+-]\d\d:\d\d)", "Z0700": r"(?P<offset>Z|[+-]\d{4})",
    "Z07": r"(?P<offset>Z|[+-]\d\d)",
}  # fmt: skip


def read(layout: str, text: str, where: tzinfo) -> Time:
    """Read a moment in Go's layout; what does not fit is the zero time, as where Loki drops the error."""
    pattern, end = "", 0
    for found in _PART.finditer(layout):
        part = found[0]
        width = len(part) - 1
        fraction = rf"(?P<fraction>[.,]\d{{{width}}})" if part[1:2] == "0" else r"(?P<fraction>[.,]\d{1,9})?"
        pattern += re.escape(layout[end : found.start()]) + (fraction if part[0] in ".," else _READ[part])
        end = found.end()
    try:
        fitting = re.fullmatch(pattern + re.escape(layout[end:]), text)
        return ZERO_TIME if fitting is None else _time(fitting.groupdict(), where)
    except (re.error, ValueError, OverflowError):  # a part twice, or the 31st of February
        return ZERO_TIME


def _time(parts: dict[str, str | None], where: tzinfo) -> Time:
    year = _year(parts)
    month = next(
        (index + 1 for index, name in enumerate(_MONTHS)
         if parts.get("month_name") == name or parts.get("month_abbr") == name[:3]),
        int(parts.get("month") or 1),
    )  # fmt: skip
    local = datetime(year, month, int(parts.get("day") or 1), _hour(parts),  # noqa: DTZ001
                     int(parts.get("minute") or 0), int(parts.get("second") or 0))  # fmt: skip
    if parts.get("year_day"):
        local = local.replace(month=1, day=1) + timedelta(days=int(parts["year_day"] or 1) - 1)
    digits = ((parts.get("fraction") or parts.get("unasked") or "")[1:]).ljust(9, "0")
    seconds = (local - _EPOCH).days * 86_400 + (local - _EPOCH).seconds
    if parts.get("offset"):
        shift = _offset_s(parts["offset"] or "Z")
        return Time((seconds - shift) * 1_000_000_000 + int(digits), shift, "UTC" if not shift else "")
    aware = local.replace(tzinfo=where)
    shift = int((aware.utcoffset() or timedelta()).total_seconds())
    return Time((seconds - shift) * 1_000_000_000 + int(digits), shift, aware.tzname() or "UTC")


def _year(parts: dict[str, str | None]) -> int:
    short = parts.get("short_year")
    if short:
        return int(short) + (1900 if int(short) >= 69 else 2000)
    return int(parts.get("year") or 1)  # Go's year 0 is before what can be shown here


def _hour(parts: dict[str, str | None]) -> int:
    hour = int(parts.get("hour") or parts.get("half_hour") or 0)
    half = (parts.get("half") or "").lower()
    return hour % 12 + 12 if half == "pm" else hour % 12 if half == "am" else hour


def _offset_s(text: str) -> int:
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if text[0] == "-" else seconds
