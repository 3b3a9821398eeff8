"""Parser of dates in the forms that answers have. Month names are English, independent of the machine's locale."""

from __future__ import annotations

import datetime
import re

Date = tuple[int, ...]  # (year,), (year, month) or (year, month, day)

_NAMES = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
_MONTHS = {name: at for at, full in enumerate(_NAMES, start=1) for name in (full, full[:3])} | {"sept": 9}

_YEAR, _MONTH, _WORD = r"(?P<year>[0-9]{4})", r"(?P<month>[0-9]{1,2})", r"(?P<month>[a-z]+)\.?"
_DAY, _NTH = r"(?P<day>[0-9]{1,2})", r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_MARK = r"(?P<mark>[-/.])"
_FORMS = tuple(
    map(
        re.compile,
        (
            rf"{_YEAR}(?:{_MARK}{_MONTH}(?:(?P=mark){_DAY})?)?",  # 1994-03-05, 1994-03, 1994
            rf"{_NTH}(?:\s+of)?\s+{_WORD},?\s+{_YEAR}",  # 5 March 1994, 5th of March, 1994
            rf"{_WORD}(?:\s+{_NTH})?,?\s+{_YEAR}",  # March 5, 1994, March 1994
            rf"{_DAY}{_MARK}{_MONTH}(?P=mark){_YEAR}",  # 05/03/1994, day first
            rf"{_MONTH}{_MARK}{_DAY}(?P=mark){_YEAR}",  # 05/03/1994, month first (US)
        ),
    )
)

_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_FOUND = re.compile(
    r"(?<![\w./-])(?:[0-9]{4}([-/.])[0-9]{1,2}\1[0-9]{1,2}|[0-9]{1,2}([-/.])[0-9]{1,2}\2[0-9]{4}"
    rf"|(?:[0-9]{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?\s+)?(?:{_NAME})\b\.?,?(?:\s+[0-9]{{1,2}}(?:st|nd|rd|th)?,?)?\s+[0-9]{{4}})(?!\w|[./-]\w)",
    re.IGNORECASE,
)


def find_dates(text: str) -> list[tuple[int, int, frozenset[Date]]]:
    """Dates that occur in a text, in order.

    A date needs at least a month name and a year, or a day in digits: a year alone is a number, and 2010-11 may be a season.

    Args:
        text: any text.

    Returns:
        Start, end (exclusive, in characters) and possible readings of each date.
    """
    found = ((match.start(), match.end(), read_dates(match[0])) for match in _FOUND.finditer(text))
    return [one for one in found if one[2]]


def read_dates(text: str) -> frozenset[Date]:
    """All readings of a text that is a date and nothing else.

    A final period is ignored. Impossible dates such as 30 February have no reading.

    Args:
        text: any text.

    Returns:
        Two dates for 05/03/1994, one for an unambiguous date, none if the text is not a date.
    """
    plain = text.strip().removesuffix(".").lower()
    matches = (form.fullmatch(plain) for form in _FORMS)
    return frozenset(date for match in matches if match and (date := _date(match)))


def read_date(text: str) -> Date | None:
    """The date that a text states if it has exactly one reading, else None."""
    dates = read_dates(text)
    return next(iter(dates)) if len(dates) == 1 else None


def _date(match: re.Match[str]) -> Date | None:
    said = match.groupdict()
    year, month, day = said["year"], said["month"], said.get("day")
    number = _MONTHS.get(month, 0) if month and month.isalpha() else int(month or 1)
    try:
        whole = datetime.date(int(year), number, int(day or 1))
    except ValueError:
        return None
    return (whole.year, whole.month, whole.day)[: 1 + (month is not None) + (day is not None)]
