"""Names made shorter for the columns of a printed summary, as R's ``abbreviate`` does it, which lavaan uses.

From the right, and never the first character: lower-case vowels, then other lower-case letters (of both the last
character first), then any character, until the name is short enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_VOWELS = frozenset("aeiou")


def abbreviate(name: str, length: int) -> str:
    """Return the name in at most ``length`` characters."""
    kinds: tuple[Callable[[str], bool], ...] = (_VOWELS.__contains__, str.islower, lambda _: True)
    for goes in kinds:
        for last_only in (True, False):
            for i in range(len(name) - 1, 0, -1):
                if len(name) <= length:
                    return name
                if i < len(name) and goes(name[i]) and (not last_only or i == len(name) - 1):
                    name = name[:i] + name[i + 1 :]
    return name


def abbreviate_apart(names: Sequence[str], length: int) -> list[str]:
    """Return the names shortened, those that would be alike by fewer characters."""
    short = {name: abbreviate(name, length) for name in names}
    while len(set(short.values())) < len(short) and length < max(map(len, short)):
        length += 1
        found = list(short.values())
        alike = [name for name, own in short.items() if found.count(own) > 1]
        short |= {name: abbreviate(name, length) for name in alike}
    return [short[name] for name in names]
