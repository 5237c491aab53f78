"""Text of the library: beginnings of docstrings, and words that stand for no term of the field (CONTRIBUTING.md, Words)."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
BEGINNINGS = re.compile(r"(What|Whether|How|Who|Where|Those|That of|So many|Which|Whose|As much|The same)\b")
PERSONS = r"somebody|someone|nobody|whoever|everybody|anybody|one who|those who|he who"
PHRASES = (
    r"what is wanted|what is done|who acted|wants? nothing|blind directions?|states? of mind|the hand slips|"
    r"goes by way of|in the place of|straightest|speaks? against|gives? away|worth a look"
)
WORDS = re.compile(rf"\b({PERSONS}|{PHRASES})\b", re.IGNORECASE)
MODULES = sorted(path for folder in ("goalinf", "models") for path in (REPOSITORY / folder).rglob("*.py"))
PAGES = sorted(
    path
    for folder in ("docs", "studies", "models")
    for suffix in ("*.rst", "*.md")
    for path in (REPOSITORY / folder).rglob(suffix)
    if not {"_build", "api", "auto_gallery"} & set(path.relative_to(REPOSITORY).parts)
)


def name_of(path):
    return str(path.relative_to(REPOSITORY))


def docstrings(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_docstrings_say_what_a_thing_is_or_does(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [(line, text.split("\n")[0]) for line, text in docstrings(tree) if BEGINNINGS.match(text)] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_strings_use_the_words_of_the_field(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    found = [(node.lineno, match[0]) for node in strings for match in WORDS.finditer(" ".join(node.value.split()))]
    assert found == []


@pytest.mark.parametrize("path", [*PAGES, REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"], ids=name_of)
def test_pages_use_the_words_of_the_field(path):
    text = " ".join(path.read_text(encoding="utf-8").split())
    assert [match[0] for match in WORDS.finditer(text)] == []
