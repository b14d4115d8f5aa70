"""How pages write numbers."""

from __future__ import annotations


def typeset(value: float, form: str = ".3g") -> str:
    """A number in a format of Python's, with the minus sign of print.

    >>> typeset(-0.0625), typeset(-0.0625, "+.2f"), typeset(-1234, ",")
    ('−0.0625', '−0.06', '−1,234')
    """
    return format(value, form).replace("-", "−")


def percent(probability: float) -> str:
    """A probability for reading.

    What is not nothing is not written as nothing, nor what is not all as all.

    >>> percent(0.81234), percent(0.0001), percent(0.0), percent(0.9999), percent(1.0)
    ('81.2 %', '< 0.1 %', '0.0 %', '> 99.9 %', '100.0 %')
    """
    if 0 < probability < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= probability < 1 else f"{100 * probability:.1f} %"


def readable(value: float) -> str:
    """A number for reading: four digits that count, thousands apart.

    >>> readable(-1234.56), readable(0.11111), readable(0.0000123)
    ('−1,235', '0.1111', '1.23e−05')
    """
    if value == 0:
        return "0"
    size = abs(value)
    return typeset(value, ",.0f" if size >= 1000 else ".4g" if size >= 0.001 else ".3g")
