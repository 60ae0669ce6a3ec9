"""Parse the numbers, dates, times and identifiers of a text into comparable values. Pure.

"1,280", "1280" and "1 280" are one number; so are "eleven" and "11", "45 %" and 百分之四十五. "2 December",
"Second of December" and "2025-12-02" can be one day; "9:20 pm" and "21:20" are one time. Words are parsed in
English and Chinese, digits in any language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache

from memos_cli.moments import MONTHS, WEEKDAYS

_LONGEST = 20
"""Most digits of a number; a longer one is an identifier."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number, date, time or identifier of a text, at ``[start, end)``."""

    start: int
    end: int
    known: frozenset[str]
    """The facts that the value states, as keys.

    ``n:164`` a number, ``n:164|eur`` with its unit, ``n:164|`` without one; ``t:560`` a minute of the day;
    ``d:2025-12-2``, ``d:12-2`` and ``m:12`` a day and its month, ``D:12-2`` and ``M:12`` of no year.
    """
    wanted: tuple[frozenset[str], ...] = ()
    """Sets of keys: the value is supported if one set is known; empty for an identifier."""
    words: frozenset[str] = frozenset()
    """The words for the month and the weekday of a date."""
    is_said: bool = True
    """Whether it states a value: not "one" and "two" without a unit, and not the number of a list item."""


def find_values(text: str) -> list[Value]:
    """Find the values of a text, in order and without overlaps."""
    text = _plain(text)
    taken = bytearray(len(text))
    found: list[Value] = []
    for pattern, read in _readers():
        for match in pattern.finditer(text):
            if any(taken[match.start() : match.end()]):
                continue
            if value := read(match):
                taken[value.start : value.end] = b"\1" * (value.end - value.start)
                found.append(value)
    return sorted(found, key=lambda value: value.start)


_SAME = str.maketrans("\u00a0\u2007\u2009\u202f\u3000：％．，’‘￥", "     :%.,''¥")


def _plain(text: str) -> str:
    """Write a text with ASCII digits and separators, of the same length."""
    if text.isascii():
        return text
    return re.sub(r"(?![0-9])\d", lambda match: str(unicodedata.decimal(match[0])), text.translate(_SAME))


def _value(match: re.Match[str], known: set[str], *wanted: set[str], words: set[str] | None = None) -> Value:
    sets = tuple(frozenset(keys) for keys in wanted)
    return Value(match.start(), match.end(), frozenset(known), sets, frozenset(words or ()))


# --- numerals ------------------------------------------------------------------------------------

_SMALL = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen""".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
NUMBER_OF = {word: n for n, word in enumerate(_SMALL)} | {word: 10 * n for n, word in enumerate(TENS, 2)}
_ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
    fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth""".split()
ORDINAL_OF = {word: n for n, word in enumerate(_ORDINALS, 1)} | {"thirtieth": 30, "thirty-first": 31}
ORDINAL_OF |= {f"twenty-{word}": 20 + n for n, word in enumerate(_ORDINALS[:9], 1)}
_ORDINAL = "|".join(sorted(ORDINAL_OF, key=len, reverse=True)).replace("-", "[- ]")
CHINESE_DIGITS = {digit: n for n, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_CHINESE_POWERS = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_DIGIT, _POWER = f"[{''.join(CHINESE_DIGITS)}]", f"[{''.join(_CHINESE_POWERS)}]"
_CHINESE = rf"(?:{_DIGIT}?{_POWER}+零?)+{_DIGIT}?|{_DIGIT}+"
_SHORT_CHINESE = rf"\d{{1,2}}|{_DIGIT}?十?{_DIGIT}?(?<={_DIGIT}|十)"


def _ordinal_number(word: str) -> int:
    """Read the number of "second" and "2nd"."""
    word = word.casefold().replace(" ", "-")
    return ORDINAL_OF.get(word) or int(re.sub(r"\D", "", word))


def _chinese_numbers(text: str) -> list[int]:
    """Read the numbers that a numeral can mean, in digits or Chinese; empty if it is not a numeral.

    四百二 is 420, or 402 with a slip.
    """
    if len(text) > _LONGEST:
        return []
    if text.isascii():
        return [int(text)]
    if all(letter in CHINESE_DIGITS for letter in text):
        return [int("".join(str(CHINESE_DIGITS[letter]) for letter in text))]
    total, section, digit, power = 0, 0, 0, 1
    for letter in text:
        if letter in CHINESE_DIGITS:
            digit = CHINESE_DIGITS[letter]
            power = power if digit else 1
        elif (power := _CHINESE_POWERS[letter]) < 10**4:
            section, digit = section + (digit or 1) * power, 0
        elif total + section + digit:
            total, section, digit = (total + section + digit) * power, 0, 0
        else:
            return []
    rest = total + section
    return list(dict.fromkeys((rest + digit * max(power // 10, 1), rest + digit)))


# --- dates ---------------------------------------------------------------------------------------

_MONTH_OF = {name[:size]: n for n, name in enumerate(MONTHS, 1) for size in (3, 4, len(name))}
_MONTH = (
    "(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    "|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = rf"(?P<day>\d{{1,2}}(?:st|nd|rd|th)?|{_ORDINAL})"
_YEAR = r"(?P<year>\d{4})"


def _date(match: re.Match[str], year: str | None, month: int, day: int) -> Value | None:
    """Make the value of a day of a year, or of any year."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    known, words = {f"m:{month}", f"d:{month}-{day}", f"n:{day}"}, {MONTHS[month - 1]}
    if not year:
        return _value(match, known | {f"D:{month}-{day}", f"M:{month}"}, {f"d:{month}-{day}"}, words=words)
    try:
        words.add(WEEKDAYS[date(int(year), month, day).weekday()])
    except ValueError:
        return None
    this = {f"d:{int(year)}-{month}-{day}"}
    known |= this | {f"m:{int(year)}-{month}", f"n:{int(year)}"}
    return _value(match, known, this, {f"D:{month}-{day}", f"n:{int(year)}"}, words=words)


def _month(match: re.Match[str], year: str | None, month: int) -> Value | None:
    """Make the value of a month of a year, or of any year."""
    if not 1 <= month <= 12:
        return None
    if not year:
        return _value(match, {f"m:{month}", f"M:{month}"}, {f"m:{month}"})
    this, words = {f"m:{int(year)}-{month}"}, {MONTHS[month - 1]}
    known = this | {f"m:{month}", f"n:{int(year)}"}
    return _value(match, known, this, {f"M:{month}", f"n:{int(year)}"}, words=words)


def _calendar(match: re.Match[str]) -> Value | None:
    """Read a day or a month by the groups ``year``, ``month``, and ``day`` if there is one."""
    year, name, day = match["year"], match["month"], match.groupdict().get("day")
    month = int(name) if name.isdecimal() else _MONTH_OF[name.casefold()]
    if day:
        return _date(match, year, month, _ordinal_number(day))
    # "may 2000" is rather a verb and a number.
    return None if name.islower() else _month(match, year, month)


def _numeric_date(match: re.Match[str]) -> Value | None:
    """Read 12/10/2025, which can be two days: return both."""
    first, second, year = int(match[1]), int(match[2]), match[3]
    found = [each for each in (_date(match, year, second, first), _date(match, year, first, second)) if each]
    known = {key for each in found for key in each.known}
    wanted = [set(keys) for each in found for keys in each.wanted]
    words = {word for each in found for word in each.words}
    return _value(match, known, *wanted, words=words) if found else None


def _chinese_date(match: re.Match[str]) -> Value | None:
    year, month, day = ((_chinese_numbers(each) or [0])[0] if each else None for each in match.groups())
    written = None if year is None else str(year)
    return _month(match, written, month or 0) if day is None else _date(match, written, month or 0, day)


# --- times of day --------------------------------------------------------------------------------


def _time(match: re.Match[str], hour: int, minute: int, half: str) -> Value | None:
    """Make the value of a time of day; an hour up to 12 without "am" or "pm" is of both halves."""
    if hour > 24 or minute > 59:
        return None
    if half:
        hours = {hour % 12 + (12 if half in "pP" else 0)}
    else:
        hours = {hour} if hour > 12 or match[0][0] == "0" else {hour, (hour + 12) % 24}
    keys = {f"t:{each * 60 + minute}" for each in hours}
    return _value(match, keys if minute else keys | {f"n:{hour}"}, *({key} for key in keys))


def _clock(match: re.Match[str]) -> Value | None:
    return _time(match, int(match[1]), int(match[2] or 0), match[3] or "")


def _spoken_time(match: re.Match[str]) -> Value | None:
    """Read "half past six" and "quarter to nine"."""
    hour = NUMBER_OF.get(match[3].casefold(), 0) or int(match[3])
    minute = 30 if match[1].casefold() == "half" else 15
    return _time(match, hour - 1, 60 - minute, "") if match[2] == "to" else _time(match, hour, minute, "")


def _chinese_time(match: re.Match[str]) -> Value | None:
    hours, minutes = _chinese_numbers(match[2]), _chinese_numbers(match[3] or "0")
    if not hours or not minutes:
        return None
    half = {"上": "a", "早": "a", "下": "p", "晚": "p"}.get((match[1] or " ")[0], "")
    value = _time(match, hours[0], 30 if match[4] else minutes[0], "" if hours[0] > 12 else half)
    # 一点 also means "a little".
    is_said = bool(match[1] or match[3] or match[4]) or match[2].isascii()
    return value and replace(value, is_said=is_said)


# --- numbers -------------------------------------------------------------------------------------

_UNITS = {
    "eur": "€ euro euros eur 欧元", "usd": "$ dollar dollars usd 美元", "gbp": "£ gbp 英镑",
    "cny": "¥ yuan rmb cny 元 块", "%": "% percent 个百分点",
    "°": "° degree degrees °c ℃ celsius 度 摄氏度", "°f": "°f ℉ fahrenheit",
    "s": "sec secs second seconds 秒", "min": "min mins minute minutes 分钟",
    "h": "h hr hrs hour hours 小时 个小时", "day": "day days 天", "week": "week weeks 周 星期",
    "month": "month months 个月", "year": "year years",
    "mg": "mg", "g": "g gram grams 克", "kg": "kg kilo kilos kilogram kilograms 公斤 千克",
    "t": "ton tons tonne tonnes 吨", "mm": "mm", "cm": "cm 厘米", "m": "metre metres meter meters 米",
    "km": "km kilometre kilometres kilometer kilometers 公里 千米", "mile": "mile miles 英里",
    "ml": "ml 毫升", "l": "l litre litres liter liters 升",
    "kb": "kb", "mb": "mb", "gb": "gb", "tb": "tb", "mbit": "mbit/s mbps", "gbit": "gbit/s gbps",
}  # fmt: skip
"""The known units, each with its spellings. A number with another word after it has no unit."""
UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_UNIT = "|".join(
    re.escape(word) + ("(?![A-Za-z])" if "a" <= word[-1] <= "z" else "")
    for word in sorted(UNIT_OF, key=len, reverse=True)
)
_FACTORS = {
    "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8,
}  # fmt: skip
_NUMBER = (
    r"(?<![A-Za-z0-9_.,])(?P<money>[€$£¥] ?)?(?P<digits>\d{1,3}(?P<separator>[,.' ])\d{3}"
    r"(?:(?P=separator)\d{3})*(?!\d)(?:[.,]\d+(?!\d))?|\d+(?:[.,]\d+)?)(?![.,:]\d)"
    rf"(?:[ -]?(?P<factor>{'|'.join(_FACTORS)}))?(?:[ -]?(?P<unit>{_UNIT}|per cent))?(?![A-Za-z0-9_])"
)


def _readings(digits: str) -> list[str]:
    """Read the numbers that digits with separators can mean: 1.280 is 1280 or 1.28."""
    parts, separators = re.split(r"[,.' ]", digits), re.findall(r"[,.' ]", digits)
    found = []
    if len(set(separators)) <= 1 and all(len(part) == 3 for part in parts[1:]) and parts[0] != "0":
        found.append(_canonical("".join(parts)))
    if separators and separators[-1] in ".," and separators.count(separators[-1]) == 1:
        found.append(_canonical("".join(parts[:-1]), parts[-1]))
    return found or [_canonical("".join(parts))]


def _canonical(whole: str, fraction: str = "") -> str:
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _quantity(match: re.Match[str], readings: list[str], unit: str, *, is_said: bool = True) -> Value:
    """Make the value of a number with its unit. The same number with another unit is another value."""
    known = {f"n:{each}{end}" for each in readings for end in ("", f"|{unit}")}
    wanted = [{f"n:{each}|{unit}" if unit else f"n:{each}"} for each in readings]
    if unit and unit != "%":  # in a table the unit is in the header
        wanted += [{f"n:{each}|"} for each in readings]
    return replace(_value(match, known, *wanted), is_said=is_said)


def _number(match: re.Match[str]) -> Value:
    digits = match["digits"]
    if len(digits) > _LONGEST:
        return _value(match, set())
    readings = _readings(digits)
    if match["factor"]:
        factor = _FACTORS[match["factor"].casefold()]
        readings = [f"{Decimal(each) * factor:f}" for each in readings]
        readings = [_canonical(*each.split(".")) for each in readings]
    unit = (match["money"] or match["unit"] or "").strip().casefold().replace("per cent", "%")
    value = _quantity(match, readings, UNIT_OF.get(unit, ""))
    apart = {f"n:{_canonical(part)}" for part in digits.split(" ")}
    if len(apart) == 1 or match["factor"]:
        return value
    # "10 200" can be two numbers.
    return replace(value, known=value.known | apart, wanted=(*value.wanted, frozenset(apart)))


def _word_number(match: re.Match[str]) -> Value:
    """Read a number in English words. A small one counts only with a unit: not "one of them"."""
    *words, factor, unit = match.groups()
    number = sum(NUMBER_OF[word.casefold()] for word in words if word)
    number *= _FACTORS[factor.casefold()] if factor else 1
    unit = UNIT_OF.get((unit or "").casefold(), "")
    return _quantity(match, [str(number)], unit, is_said=bool(unit) or number > 10)


def _ordinal(match: re.Match[str]) -> Value:
    number = f"n:{_ordinal_number(match[0])}"
    return replace(_value(match, {number}, {number}), is_said=match[0][0].isdecimal())


def _chinese_quantity(match: re.Match[str]) -> Value | None:
    """Read a number in Chinese characters. A short one without a unit is part of a word: 一一, 千万."""
    readings = [str(number) for number in _chinese_numbers(match[2])]
    unit = "%" if match[1] else UNIT_OF.get(match[3] or "", "")
    digits = sum(letter in CHINESE_DIGITS for letter in match[2])
    is_said = bool(unit) or len(match[2]) > 2 or (0 < digits < len(match[2]))
    return _quantity(match, readings, unit, is_said=is_said) if readings else None


def _digits(match: re.Match[str]) -> Value:
    return _identifier(match) if len(match[0]) > _LONGEST else _quantity(match, [_canonical(match[0])], "")


def _list_marker(match: re.Match[str]) -> Value:
    return _quantity(match, [_canonical(match[1])], "", is_said=False)


# --- identifiers ---------------------------------------------------------------------------------


def _identifier(match: re.Match[str]) -> Value:
    """Return an identifier, which a source must contain exactly. The numbers in it are known."""
    size = max(1, len(match[0].rstrip(".,;:!?)'\"")))
    numbers = [_canonical(digits) for digits in re.findall(r"\d+", match[0])]
    known = {f"n:{number}{end}" for number in numbers if len(number) <= _LONGEST for end in ("", "|")}
    return replace(_value(match, known), end=match.start() + size)


def _label(match: re.Match[str]) -> Value:
    return replace(_value(match, set()), is_said=False)


_HOURS = "|".join(_SMALL[1:13])
_ONES = "|".join(sorted(_SMALL, key=len, reverse=True))
_Reader = Callable[[re.Match[str]], Value | None]
_READERS: tuple[tuple[str, _Reader], ...] = (
    (r"\[\d{1,3}\]", _label),
    (r"\b(?:https?://|www\.)[^\s<>\"]+", _identifier),
    (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+", _identifier),
    (r"(?<![\w.])(?:~|\.{1,2})?/[\w.-]+(?:/[\w.-]*)+", _identifier),
    (r"(?<![\d-])(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?!\d)", _calendar),
    (r"(?<![\d-])(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)(?![\d-])", _calendar),
    (
        rf"(?:(\d{{4}}|{_DIGIT}{{4}}) ?年 ?)?({_SHORT_CHINESE}) ?月(?: ?({_SHORT_CHINESE}) ?[日号號])?",
        _chinese_date,
    ),
    (rf"\b{_DAY}\.?\s+(?:of\s+)?{_MONTH}\b(?:\.?,?\s+{_YEAR}\b(?!:))?", _calendar),
    (rf"\b{_MONTH}\b\.?\s+{_DAY}\b(?!:\d)(?:,?\s+{_YEAR}\b(?!:))?", _calendar),
    (rf"\b{_MONTH}\b\.?,?\s+{_YEAR}\b", _calendar),
    (r"(?<![\d.])(\d{1,2})[./](\d{1,2})[./](\d{4})(?!\d)", _numeric_date),
    (r"(?m)^[ \t>]*(\d{1,3})[.)](?=\s|\Z)", _list_marker),
    (r"(?<![\d:.])(\d{1,2}):(\d\d)(?::\d\d)?(?![\d:])(?:\s?([ap])\.?m\b\.?)?", _clock),
    (r"(?<![\d:.,])(\d{1,2})(?:\.(\d\d))?\s?([ap])\.?m\b\.?", _clock),
    (r"\b(\d{1,2})()() o'?clock\b", _clock),
    (rf"\b(half|quarter) (past|to) ({_HOURS}|\d{{1,2}})\b", _spoken_time),
    (rf"(上午|早上|下午|晚上)?({_SHORT_CHINESE})[点點](?:({_SHORT_CHINESE})分?|(半))?", _chinese_time),
    (r"(?<![\w.])\d+(?:[.:/-]\d+){2,}", _identifier),
    (_NUMBER, _number),
    (rf"\b(?:\d{{1,4}}(?:st|nd|rd|th)|{_ORDINAL})\b", _ordinal),
    (
        r"(?<![A-Za-z0-9_])(?:[A-Za-z]+\d|\d+[A-Za-z])[A-Za-z0-9_]*(?:[-._:/][A-Za-z0-9_]+)*",
        _identifier,
    ),
    (r"(?<![\w.])[\w-]{1,64}\.(?-i:[a-z]{2,4})(?![\w.])", _identifier),
    (
        rf"\b(?:({'|'.join(TENS)})(?:[- ]?({_ONES}))?|({_ONES}))\b(?: (hundred|thousand))?"
        rf"(?:[ -]({_UNIT}))?(?![A-Za-z])",
        _word_number,
    ),
    (rf"(百分之)?({_CHINESE})({_UNIT})?", _chinese_quantity),
    (r"\d+", _digits),
)
"""The patterns and readers of values, the most specific first."""


@cache
def _readers() -> list[tuple[re.Pattern[str], _Reader]]:
    """Compile the patterns when the first text is read: that takes 50 ms."""
    return [(re.compile(pattern, re.IGNORECASE), read) for pattern, read in _READERS]
