"""The identity of the package's own code: what other code made, a run or something cached, is not taken for the same.

It is the code of some modules and of all modules of this distribution that these import, directly or through others, also inside
functions. Comments, blank lines and what docstrings say do not count. It is told by the text rather than by the syntax tree,
which takes ten times as long to make; a test compares both for every module of the package.

Where it counts too much, something is computed again that need not be: a module that is imported counts in whole, whatever is
used of it; so does a line that is only wrapped otherwise. Modules that stand beside a result (`BESIDE`) are not followed.
`__init__.py` files are empty and do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from rag_eval.targets import PACKAGES

PACKAGE = "rag_eval"  # in whose folder the identity is looked for; the other packages lie beside it
# They show and mirror results, or make of a configuration what is itself part of a run's identity.
BESIDE = (*(f"{PACKAGE}.{name}" for name in ("report", "cli", "config", "track", "record.load", "record.selection")),)
_DATA = {".yaml"}  # suffixes of files that modules read
_NO_DATA = {"assets", "conf"}  # folders whose files are known by themselves: models by their content, choices by their values

_LINES = r"(?:[ \t]*(?:\#[^\n]*)?\n)"  # the end of a line, and lines without code
_LONG = r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
_DOC = rf"(?P<indent>[ \t]*)[rR]?{_LONG}(?=[ \t]*(?:\#|\n))"
_OF_MODULE = re.compile(rf"{_LINES}*{_DOC}", re.DOTALL)
_TOKEN = re.compile(
    rf":{_LINES}+{_DOC}"
    r"|(?P<comment>\#[^\n]*)"
    rf"|(?P<blank>\n{_LINES}+)"
    rf"|{_LONG}|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"' r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'",
    re.DOTALL,
)  # fmt: skip
_OURS = rf"(?:{'|'.join(PACKAGES)})[\w.]*"
_IMPORT = re.compile(rf"^[ \t]*(?:from ({_OURS}) import (\([^)]*\)|[^\n]*)|import ({_OURS}))", re.MULTILINE)


def code_sha(*modules: str) -> str:
    """Hash of the code of some modules and of everything that they reach within the package.

    Args:
        *modules: dotted names; those of other distributions are ignored.

    Returns:
        16 hexadecimal digits.
    """
    return _package(Path(__file__).parent).sha(*modules)


def bare(text: str) -> str:
    """The source of a module without comments and blank lines, `...` for every docstring."""
    head = _OF_MODULE.match(text)
    kept, end = (["..."], head.end()) if head else ([], 0)
    for token in _TOKEN.finditer(text, end):
        if token.lastgroup:  # else it is a string
            kept += [text[end : token.start()].rstrip(" \t"), _in_its_place(token)]
            end = token.end()
    return "".join([*kept, text[end:]])


class Package:
    """The modules of a package in a folder and of those beside it, each as it is when it is first read."""

    def __init__(self, root: Path) -> None:
        """Read no module yet.

        Args:
            root: the folder of rag_eval.
        """
        self._root = root
        self._texts: dict[str, str] = {}
        self._imported: dict[str, set[str]] = {}
        self._shas: dict[frozenset[str], str] = {}

    def sha(self, *modules: str) -> str:
        """See `code_sha`."""
        asked = frozenset(modules)
        if asked not in self._shas:
            self._shas[asked] = self._sha(sorted(self.reached(*modules)))
        return self._shas[asked]

    def reached(self, *modules: str) -> set[str]:
        """The modules and all that they import, directly or through others; those of `BESIDE` only if they are given."""
        found: set[str] = set()
        left = [name for name in modules if self._file(name).is_file()]
        while left:
            name = left.pop()
            if name not in found:
                found.add(name)
                left += [one for one in self.imported(name) if not _is_beside(one)]
        return found

    def imported(self, name: str) -> set[str]:
        """The modules of these packages that one imports, wherever in it."""
        if name not in self._imported:
            named: set[str] = set()
            for module, names, alone in _IMPORT.findall(self._text(name)):
                named |= {alone or module, *(f"{module}.{one}" for one in re.findall(r"\w+", names))}
            self._imported[name] = {one for one in named if self._file(one).is_file()}
        return self._imported[name]

    def _sha(self, reached: Sequence[str]) -> str:
        total = sha256()
        for name in reached:
            total.update(f"{name}\0{self._text(name)}\0".encode())
        for path in sorted(file for folder in {self._file(name).parent for name in reached} for file in _data_in(folder)):
            total.update(f"{path.relative_to(self._root.parent).as_posix()}\0".encode() + path.read_bytes())
        return total.hexdigest()[:16]

    def _text(self, name: str) -> str:
        if name not in self._texts:
            self._texts[name] = bare(self._file(name).read_text(encoding="utf-8"))
        return self._texts[name]

    def _file(self, name: str) -> Path:
        package, *inside = name.split(".")
        if package not in PACKAGES or not inside:
            return self._root / "nothing"
        folder = self._root if package == PACKAGE else self._root.parent / package
        return folder.joinpath(*inside).with_suffix(".py")


@cache
def _package(root: Path) -> Package:
    return Package(root)


def _in_its_place(token: re.Match[str]) -> str:
    if token.lastgroup == "indent":
        return f":\n{token['indent']}..."
    return "\n" if token.lastgroup == "blank" else ""


def _is_beside(module: str) -> bool:
    return any(module == one or module.startswith(f"{one}.") for one in BESIDE)


def _data_in(folder: Path) -> Iterator[Path]:
    """Files that the modules of a folder read: those in it, and those in folders inside it that hold no module."""
    for path in folder.iterdir():
        if path.suffix in _DATA:
            yield path
        elif path.is_dir() and path.name not in _NO_DATA and not any(path.glob("*.py")):
            yield from (one for one in path.rglob("*") if one.suffix in _DATA)
