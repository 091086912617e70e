"""Formats numbers for people; the page formats them the same way in `assets/words.js`."""

import math

MINUS = "−"


def price(value: float) -> str:
    """A price with as many digits as its magnitude needs; a dash if it is absent.

    >>> price(1234.5), price(0.00001234), price(math.nan)
    ('1,234.50', '0.00001234', '–')
    """
    if math.isnan(value):
        return "–"
    if value == 0:
        return "0.00"
    digits = 2 if abs(value) >= 1 else min(12, 3 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def percent(value: float) -> str:
    """A change in percent, with its sign.

    >>> percent(0.4249), percent(-3), percent(-0.001)
    ('+0.42 %', '−3.00 %', '+0.00 %')
    """
    return f"{value:+z.2f} %".replace("-", MINUS)


def plain(value: float) -> str:
    """Any number; values of a thousand or more have no exponent.

    >>> plain(-2.5), plain(12_345_678.9)
    ('−2.5', '12,345,679')
    """
    return (f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:g}").replace("-", MINUS)
