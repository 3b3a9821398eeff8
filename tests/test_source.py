"""The hash of code follows what a module reaches, whatever its comments and docstrings say, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rag_eval.source import BESIDE, Package, bare, code_sha
from rag_eval.targets import PACKAGES

TOP = Path(__file__).parents[1]
ROOT = TOP / "rag_eval"
FILES = sorted(path for package in PACKAGES for path in (TOP / package).rglob("*.py"))


class _Undocumented(ast.NodeTransformer):
    """Puts `...` in the place of every docstring."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            node.body[0] = ast.Expr(ast.Constant(...))
        return node


def test_the_text_that_is_hashed_is_the_code_of_every_module_and_no_docstring() -> None:
    """Docstrings stand in three double quotes here; in others they would count as code."""
    wrong = [
        path.relative_to(TOP).as_posix()
        for path in FILES
        if ast.dump(ast.parse(bare(path.read_text(encoding="utf-8"))))
        != ast.dump(_Undocumented().visit(ast.parse(path.read_text(encoding="utf-8"))))
    ]
    assert len(FILES) > 300
    assert wrong == []


def test_every_import_of_every_module_is_followed() -> None:
    package = Package(ROOT)
    names = {path.relative_to(TOP).with_suffix("").as_posix().replace("/", "."): path for path in FILES if path.name != "__init__.py"}
    for name, path in names.items():
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        assert [node.module for node in froms if node.level] == []  # relative imports are not read
        found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        found |= {full for node in froms for alias in node.names for full in (str(node.module), f"{node.module}.{alias.name}")}
        assert package.imported(name) == found & names.keys(), name


CODE = '''"""Says this."""

from __future__ import annotations

SIGN = "# no comment"


def one(a: int) -> str:  # a comment
    """Says that.

    Args:
        a: nothing.
    """

    # another
    return f"{a} # {'#'}" + """
    # text

    """


class Two:
    # of two
    """Says more."""

    three = {"a:": 1}
'''


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Says this.", "Says nothing: this."),
        ("Says that.\n", "Says\n"),
        ("        a: nothing.\n", "        a: # nothing.\n"),
        ("  # a comment", ""),
        ("\n    # another\n", ""),
        ("    # of two\n", "    # of 2\n\n"),
        ("\nSIGN", "\n\n\nSIGN"),
    ],
)
def test_comments_docstrings_and_blank_lines_make_no_other_code(before: str, after: str) -> None:
    assert CODE.count(before) == 1
    assert bare(CODE.replace(before, after)) == bare(CODE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# no comment", "# a comment"),
        ("# {'#'}", "# {'+'}"),
        ("    # text\n\n", "    # text\n"),
        ("    # text", "    # words"),
        ('"a:"', '"b:"'),
        ("a: int", "a: str"),
        ("    three = ", "    four = "),
    ],
)
def test_what_is_text_or_code_makes_other_code(before: str, after: str) -> None:
    assert CODE.count(before) == 1
    assert bare(CODE.replace(before, after)) != bare(CODE)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A package in which `a` reaches b, c, d, e and a module of another package beside it, not f."""
    root = tmp_path / "rag_eval"
    (root / "stage" / "words").mkdir(parents=True)
    (tmp_path / "synthworld").mkdir()
    (tmp_path / "synthworld" / "names.py").write_text("from rag_eval import d")
    modules = {
        "a": "from rag_eval import b\nfrom rag_eval.report import table",
        "b": "def f():\n    from rag_eval.stage.c import (\n        x,\n        y,\n    )\n",
        "stage/c": "import rag_eval.d\nimport torch",
        "d": "from rag_eval.stage import e",
        "stage/e": "from rag_eval import a\nfrom synthworld.names import x",
        "f": "g = 1",
        "report": "from rag_eval import f",
    }
    for name, text in modules.items():
        (root / f"{name}.py").write_text(text)
    (root / "stage" / "words" / "german.yaml").write_text("x: 1")
    return root


def test_imports_are_followed_through_functions_packages_and_circles_and_what_shows_is_not(small: Path) -> None:
    of_rag_eval = {f"rag_eval.{name}" for name in ("a", "b", "stage.c", "d", "stage.e")}
    assert Package(small).reached("rag_eval.a") == {*of_rag_eval, "synthworld.names"}
    assert Package(small).reached("rag_eval.report") == {"rag_eval.report", "rag_eval.f"}
    assert Package(small).reached("tests.test_source", "__main__", "rag_eval.none") == set()


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("a.py", True),
        ("stage/e.py", True),
        ("stage/words/german.yaml", True),
        ("../synthworld/names.py", True),
        ("f.py", False),
        ("report.py", False),
    ],
)
def test_the_hash_follows_what_is_reached(small: Path, file: str, changes: bool) -> None:
    before = Package(small).sha("rag_eval.a")
    with (small / file).open("a") as written:
        written.write("\nh: 2\n" if file.endswith("yaml") else "\nh = 2\n")
    assert (Package(small).sha("rag_eval.a") != before) is changes


def test_a_module_of_another_name_is_other_code(small: Path) -> None:
    before = Package(small).sha("rag_eval.a")
    (small / "stage" / "c.py").rename(small / "stage" / "z.py")
    (small / "b.py").write_text((small / "b.py").read_text().replace("stage.c", "stage.z"))
    assert Package(small).sha("rag_eval.a") != before


def test_what_stands_beside_a_result_exists() -> None:
    for name in BESIDE:
        path = ROOT.joinpath(*name.split(".")[1:])
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_the_code_of_the_package_itself_is_known() -> None:
    assert len(code_sha("rag_eval.prompt")) == 16
    assert code_sha("rag_eval.prompt") == Package(ROOT).sha("rag_eval.prompt") != code_sha("rag_eval.system")
