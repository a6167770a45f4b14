"""Write docs/api.md: every public name with its full signature and its one-line purpose, read from the code itself."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import alliancekit as ak

TARGET = Path(__file__).with_name("api.md")
HEAD = """# Every public name

Made from the code by `python docs/make_api.py`; a test keeps it current. Arguments after `*` are given by name.
`ak` stands for `import alliancekit as ak`. `Data` stands for a `Study` or a pandas data frame: what goes in comes back.
"""
DATA_WORDS = ("Data",)  # type variables that stand for "the same type as the first argument"


@dataclass(frozen=True)
class Member:
    """One public function, method or attribute: its name, signature, purpose and the class that it gives back."""

    name: str
    signature: str
    purpose: str
    gives: str | None


@dataclass(frozen=True)
class ClassEntry:
    """One public class with its members."""

    name: str
    purpose: str
    signature: str | None
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Interface:
    """Everything public: functions and classes by layer, and the errors."""

    functions: dict[str, list[Member]]
    classes: dict[str, ClassEntry]
    errors: tuple[Member, ...]


def purpose(thing: object) -> str:
    """Return the first line of a docstring."""
    first = (inspect.getdoc(thing) or "").strip().split("\n\n")[0].replace("\n", " ")
    return re.sub(r":\w+:`~?alliancekit\.(\w+)`", r"`ak.\1`", first)


def words(annotation: object) -> list[str]:
    """Return the plain names inside an annotation."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return re.findall(r"[A-Za-z_][A-Za-z_0-9.]*", text)


def classes_of(annotation: object, module: str) -> list[type]:
    """Return the classes of alliancekit that an annotation names, looked up in the module that wrote it."""
    space = vars(importlib.import_module(module))
    found = [space.get(word) for word in words(annotation)]
    return [c for c in found if isinstance(c, type) and c.__module__.startswith("alliancekit.")]


def signature_text(function: Any, *, bound: bool) -> str:
    """Return ``(a: int, *, b: str = "x") -> C`` as written; the first parameter of a method is left out."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1 if bound else 0 :]
    return _clean(str(signature.replace(parameters=parameters)))


def _arguments(cls: type) -> str:
    return signature_text(cls, bound=False).removesuffix(" -> None")


def _clean(text: str) -> str:
    text = re.sub(r"<(?:function|class) '?([A-Za-z_.]+)[^>]*>", r"\1", text)
    text = re.sub(r"'([A-Za-z_][^'\"()]*)'(?=[,)=\s]|$)", _unquote, text)
    return re.sub(r"\bself\.", "", text)


def _unquote(found: re.Match[str]) -> str:
    """Annotations are kept as text and printed with quotes; defaults (after ``=``) keep theirs."""
    before = found.string[: found.start()].rstrip()
    return found.group(0) if before.endswith("=") else found.group(1)


def gives(annotation: object, module: str) -> str | None:
    """Return the name of the class that comes back, "same" for the type handed in, None for a class of others."""
    if annotation in DATA_WORDS or getattr(annotation, "__name__", None) in DATA_WORDS:
        return "same"
    found = classes_of(annotation, module)
    return found[0].__name__ if len(found) == 1 else None


def members(cls: type) -> Iterator[tuple[Member, object, str]]:
    """Yield each public attribute and method of a class with its annotation and the module that wrote it."""
    if is_dataclass(cls):
        for part in fields(cls):
            if not part.name.startswith("_"):
                shown = part.type if isinstance(part.type, str) else getattr(part.type, "__name__", str(part.type))
                yield Member(part.name, f": {shown}", "", gives(part.type, cls.__module__)), part.type, cls.__module__
    for name, value in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property | cached_property):
            getter = value.fget if isinstance(value, property) else value.func
            annotation = inspect.signature(getter).return_annotation
            shown = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
            yield (
                Member(name, f": {shown}", purpose(value), gives(annotation, cls.__module__)),
                annotation,
                cls.__module__,
            )
            continue
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function):
            annotation = inspect.signature(function).return_annotation
            text = signature_text(function, bound=not isinstance(value, staticmethod))
            yield (
                Member(name, text, purpose(function), gives(annotation, function.__module__)),
                annotation,
                function.__module__,
            )


def is_result(cls: type) -> bool:
    """Return whether a class held by an attribute is public: a result, or a type of core or of reports."""
    return hasattr(cls, "tidy") or cls.__module__.startswith(("alliancekit.core.", "alliancekit.report.parts"))


def collect() -> Interface:
    """Read everything public from the code."""
    functions: dict[str, list[Member]] = {}
    waiting: list[type] = []
    errors: list[Member] = []
    for name, module in ak._EXPORTS.items():
        value = getattr(ak, name)
        layer = module.split(".")[1]
        if inspect.isclass(value) and issubclass(value, Exception):
            parent = value.__mro__[1].__name__
            errors.append(Member(name, f"({parent})", purpose(value), None))
        elif inspect.isclass(value):
            waiting.append(value)
        elif inspect.isfunction(value):
            annotation = inspect.signature(value).return_annotation
            entry = Member(name, signature_text(value, bound=False), purpose(value), gives(annotation, module))
            functions.setdefault(layer, []).append(entry)
            waiting.extend(classes_of(annotation, module))
        else:
            raise TypeError(f"ak.{name} is neither a function nor a class")
    found: dict[str, ClassEntry] = {}
    while waiting:
        cls = waiting.pop(0)
        if cls.__name__ in found:
            continue
        rows = list(members(cls))
        constructor = f"{_arguments(cls)} -> {cls.__name__}" if cls.__name__ in ak._EXPORTS else None
        found[cls.__name__] = ClassEntry(cls.__name__, purpose(cls), constructor, tuple(row[0] for row in rows))
        for entry, annotation, module in rows:
            reached = classes_of(annotation, module)
            waiting.extend(c for c in reached if entry.signature.startswith("(") or is_result(c))
    return Interface(functions, dict(sorted(found.items())), tuple(errors))


def render(interface: Interface) -> str:
    """Return the text of docs/api.md."""
    lines = [HEAD, "## Functions\n"]
    for layer, entries in interface.functions.items():
        lines.append(f"### {layer}\n")
        for entry in entries:
            lines += [f"```python\nak.{entry.name}{_wrap(entry)}\n```\n", f"{entry.purpose}\n"]
    lines.append("## Classes\n")
    for cls in interface.classes.values():
        lines.append(f"### {cls.name}\n\n{cls.purpose}\n")
        if cls.signature is not None:
            lines.append(f"```python\nak.{cls.name}{_wrap(Member(cls.name, cls.signature, '', None))}\n```\n")
        for member in cls.members:
            tail = f": {member.purpose}" if member.purpose else ""
            lines.append(f"- `.{member.name}{member.signature}`{tail}")
        lines.append("")
    lines.append("## Errors and warnings\n")
    lines += [f"- `ak.{e.name}{e.signature}`: {e.purpose}" for e in interface.errors]
    return "\n".join(lines).rstrip() + "\n"


def _wrap(entry: Member) -> str:
    """Break a long signature, one parameter per line."""
    if len(entry.name) + len(entry.signature) < 100:
        return entry.signature
    inside, _, after = entry.signature[1:].rpartition(")")
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(inside):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append(inside[start:i].strip())
            start = i + 1
    parts.append(inside[start:].strip())
    return "(\n" + "".join(f"    {part},\n" for part in parts) + f"){after}"


if __name__ == "__main__":
    TARGET.write_text(render(collect()), encoding="utf-8")
    sys.stdout.write(f"{TARGET.name} written\n")
