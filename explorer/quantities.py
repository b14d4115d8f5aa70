"""Numbers for reading: three figures and a prefix."""

from __future__ import annotations

from typing import Final

_PREFIXES: Final = ((10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def si(number: int, unit: str = "") -> str:
    """A number to three figures, with the prefix of its size; below a thousand as it is.

    >>> si(11_689_512), si(1_814_073_344), si(512), si(999_950), si(46_758_048, "B")
    ('11.7 M', '1.81 G', '512', '1.00 M', '46.8 MB')
    """
    for size, prefix in _PREFIXES:
        scaled = number / size
        if scaled >= 0.9995:
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{scaled:,.{digits}f} {prefix}{unit}"
    return f"{number} {unit}".strip()
