"""Write docs/api.md: every public name with its full signature and its one-line purpose, read from the code itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, cached_property
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
    first = re.sub(r":\w+:`~?alliancekit\.(\w+)`", r"`ak.\1`", first)
    return re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", first)


def words(annotation: object) -> list[str]:
    """Return the plain names inside an annotation."""
    return re.findall(r"[A-Za-z_][A-Za-z_0-9.]*", shown(annotation))


@cache
def namespace(module: str) -> dict[str, object]:
    """Return the names of a module, those among them that are imported for the type checker alone."""
    space = dict(vars(importlib.import_module(module)))
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for line in node.body:
                if isinstance(line, ast.ImportFrom) and line.module and line.module.startswith("alliancekit."):
                    source = importlib.import_module(line.module)
                    known = [a for a in line.names if hasattr(source, a.name)]
                    space |= {a.asname or a.name: getattr(source, a.name) for a in known}
    return space


def classes_of(annotation: object, module: str) -> list[type]:
    """Return the classes of alliancekit that an annotation names, looked up in the module that wrote it."""
    space = namespace(module)
    found = [space.get(word) for word in words(annotation)]
    return [c for c in found if isinstance(c, type) and c.__module__.startswith("alliancekit.")]


def shown(annotation: object) -> str:
    """Return an annotation as it is written in the source."""
    return annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))


def signature_text(function: Any, *, bound: bool) -> str:
    """Return ``(a: int, *, b: str = "x") -> C`` as written; the first parameter of a method is left out."""
    signature = inspect.signature(function)
    parts, starred = [], False
    for parameter in list(signature.parameters.values())[1 if bound else 0 :]:
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        starred = starred or stars == "*"
        text = stars + parameter.name
        if parameter.annotation is not parameter.empty:
            text += f": {shown(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            text += f" = {_default(parameter.default)}"
        parts.append(text)
    back = signature.return_annotation
    return f"({', '.join(parts)})" + ("" if back is signature.empty else f" -> {shown(back)}")


def _default(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return str(getattr(value, "__name__", repr(value))).replace("'", '"')


def _arguments(cls: type) -> str:
    return signature_text(cls, bound=False).removesuffix(" -> None")


def alias_text(module: str, word: str) -> str | None:
    """Return what a short name for a type stands for, as its module writes it; None where it is no such name."""
    if not module.startswith("alliancekit."):
        return None
    for node in ast.parse(inspect.getsource(importlib.import_module(module))).body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [word]:
            return ast.unparse(node.value)
        if isinstance(node, ast.ImportFrom) and word in [alias.asname or alias.name for alias in node.names]:
            return alias_text(str(node.module), word)
    return None


def aliases() -> dict[str, str]:
    """Return the short names for types in the signatures of public functions."""
    found = {}
    for name, module in ak._EXPORTS.items():
        value = getattr(ak, name)
        if inspect.isfunction(value):
            used = {word for annotation in value.__annotations__.values() for word in words(annotation)}
            texts = {word: alias_text(module, word) for word in used - set(DATA_WORDS)}
            found |= {word: text for word, text in texts.items() if text is not None}
    return dict(sorted(found.items()))


def gives(annotation: object, module: str) -> str | None:
    """Return the name of the class that comes back, "same" for the type handed in, None for a class of others."""
    if annotation == "Self":
        return "same"
    if annotation in DATA_WORDS or getattr(annotation, "__name__", None) in DATA_WORDS:
        return "same"
    found = classes_of(annotation, module)
    return found[0].__name__ if len(found) == 1 else None


def own_and_inherited(cls: type) -> dict[str, tuple[Any, str]]:
    """Return the public names that a class and its bases in alliancekit define, with the module of each."""
    lineage = [c for c in reversed(cls.__mro__) if c.__module__.startswith("alliancekit.")]
    pairs = {name: (value, c.__module__) for c in lineage for name, value in vars(c).items()}
    return {name: pair for name, pair in pairs.items() if not name.startswith("_")}


def members(cls: type) -> Iterator[tuple[Member, object, str]]:
    """Yield each public attribute and method of a class with its annotation and the module that wrote it."""
    if is_dataclass(cls):
        for part in fields(cls):
            if not part.name.startswith("_"):
                yield (
                    Member(part.name, f": {shown(part.type)}", "", gives(part.type, cls.__module__)),
                    part.type,
                    cls.__module__,
                )
    for name, (value, module) in own_and_inherited(cls).items():
        if isinstance(value, property | cached_property):
            getter = value.fget if isinstance(value, property) else value.func
            annotation = inspect.signature(getter).return_annotation
            yield (
                Member(name, f": {shown(annotation)}", purpose(value), gives(annotation, module)),
                annotation,
                module,
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
        waiting.extend(c for c in cls.__subclasses__() if c.__module__ == cls.__module__)
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
    lines += ["### Short names for types\n", *(f"- `{word} = {text}`" for word, text in aliases().items()), ""]
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
