"""What the documentation says is so."""

import ast
import doctest
import importlib
import re
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.template import engines

from ecomrec_django.conf import DEFAULTS
from ecomrec_django.urls import urlpatterns

from .test_architecture import FLOORS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ecomrec_django"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
ARCHITECTURE = ROOT / "docs/architecture.md"
# Where a path that a page names may begin.
ROOTS = (ROOT, PACKAGE, PACKAGE / "learning")
# Files of a host project.
EXAMPLES = {"shop/recommendations.py", "asgi.py"}
# Words of a private language; the glossary has those of the field.
PRIVATE_WORDS = re.compile(r"foretell|foretold|reckon|dearer|bury|by heart|\bgoods\b", re.IGNORECASE)


def every_page(test):
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)(test)


def code(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


@every_page
def test_every_example_is_correct(page):
    failed, _ = doctest.testfile(str(page), module_relative=False)
    assert not failed


@every_page
def test_every_setting_named_exists(page):
    assert set(re.findall(r'ECOMREC\["(\w+)"\]', page.read_text())) <= set(DEFAULTS)


def test_every_setting_is_in_the_table_of_settings():
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs/install.md").read_text(), re.MULTILINE))
    assert listed == set(DEFAULTS)


def test_every_endpoint_is_in_the_table_of_endpoints():
    table = (ROOT / "docs/api.md").read_text().split("## Authentication")[0]
    for url in urlpatterns:
        assert f"{re.sub(r'<(?:[a-z]+:)?', '<', str(url.pattern))}`" in table


def test_every_system_check_is_in_the_table_of_checks():
    _, table = (ROOT / "docs/troubleshooting.md").read_text().split("## System checks")
    listed = re.findall(r"`(ecomrec\.[EWI]\d{3})`", table)
    sources = [path.read_text() for path in (PACKAGE / "checks").glob("*.py")]
    assert listed == sorted(listed, key=lambda name: name[-3:])
    assert set(listed) == {name for source in sources for name in re.findall(r'"(ecomrec\.[EWI]\d{3})"', source)}


@every_page
def test_every_command_named_exists_and_takes_these_options(page):
    known = get_commands()
    for name, rest in re.findall(
        r"\b(ecomrec_(?:sync|import|train|evaluate|publish|rollback|recommend|measure|pictures|sequences|forget|purge|drain|roles|uninstall|doctor|quickstart)\w*)"
        r"([^`\n]*)",
        page.read_text(),
    ):
        assert name in known
        options = load_command_class(known[name], name).create_parser("manage.py", name)._option_string_actions
        assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", rest)) <= set(options)


def links(page: Path) -> list[tuple[str, str]]:
    """File ("" for the page itself) and heading ("" for none) of the links that do not leave the repository."""
    return re.findall(r"\]\(([^)#:\s]*)#?([^):\s]*)\)", page.read_text())


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


@every_page
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page):
    for file, heading in links(page):
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not heading or heading in headings(target), f"{file}#{heading}"


def test_every_page_is_linked_from_the_index_of_its_folder():
    for index in (ROOT / "docs/index.md", ROOT / "docs/decisions/README.md"):
        linked = {(index.parent / file).resolve() for file, _ in links(index)}
        assert set(index.parent.glob("*.md")) - {index} <= linked


def locations(path: str, room: str = "") -> list[Path]:
    return [folder / path for folder in (*ROOTS, PACKAGE / room) if (folder / path).exists()]


def test_every_room_and_file_of_the_architecture_exists():
    rooms = set()
    for line in ARCHITECTURE.read_text().splitlines():
        # In a row of a table, files are those of the room in its first column.
        room = first[1] if (first := re.match(r"\| `([\w./]+/)` \|", line)) else ""
        for path in re.findall(r"`([\w./-]+(?:\.py|/))`", line):
            assert locations(path, room), path
            rooms.add(path.split("/")[0].removesuffix(".py"))
    assert {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if is_room(path)} <= rooms


def is_room(path: Path) -> bool:
    return path.name not in {"__init__.py", "apps.py", "migrations"} and (
        path.suffix == ".py" or (path / "__init__.py").exists()
    )


def test_the_floors_of_the_architecture_are_those_that_are_kept():
    rows = re.findall(r"^\| (\d) \| (.+) \|$", ARCHITECTURE.read_text(), re.MULTILINE)
    floors = [set(re.findall(r"`(\w+)`", rooms)) for _, rooms in reversed(rows)]
    assert floors == FLOORS


def test_the_architecture_image_shows_every_room_on_its_floor():
    rows = defaultdict(list)
    picture = (ROOT / "docs/images/architecture.svg").read_text()
    for height, text in re.findall(r'y="(\d+)" [^>]*>(\w+)</text>', picture):
        rows[height].append(text)
    # A floor's row begins with its number.
    floors = {int(first): set(rooms) for first, *rooms in rows.values() if first.isdigit()}
    assert [floors[number] for number in sorted(floors)] == FLOORS


@every_page
def test_every_file_of_the_code_that_a_page_names_exists(page):
    for path in set(re.findall(r"`([\w/-]+\.py)`", page.read_text())) - EXAMPLES:
        assert page == ARCHITECTURE or locations(path), path


@every_page
def test_private_words_do_not_come_back(page):
    assert not PRIVATE_WORDS.findall(page.read_text())


def test_the_code_speaks_the_terms_of_the_field():
    folders = [(ROOT / name).rglob("*") for name in ("ecomrec_django", "benchmarks", "tests")]
    files = {path for folder in folders for path in folder if path.suffix in {".py", ".html", ".sql", ".po", ".js"}}
    spoken = {str(path.relative_to(ROOT)): PRIVATE_WORDS.findall(path.read_text()) for path in files - {Path(__file__)}}
    assert not {path: words for path, words in spoken.items() if words}


@pytest.mark.parametrize("page", sorted((ROOT / "docs/decisions").glob("0*.md")), ids=lambda page: page.name)
def test_a_decision_has_context_decision_and_consequences(page):
    number, title = re.match(r"# (\d{4}): (.+)", page.read_text()).groups()
    assert page.name.startswith(f"{number}-")
    assert f"[{number}]({page.name}) | {title} |" in (page.parent / "README.md").read_text()
    assert headings(page) >= {"context", "decision", "consequences"}


@every_page
def test_every_template_compiles(page):
    for source in code(page, "django"):
        engines["django"].from_string(source)


@every_page
def test_every_python_example_is_python(page):
    for source in code(page, "python"):
        ast.parse(source)


def stripped(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


@pytest.mark.parametrize(
    ("page", "language"), [("headless", "js"), ("headless", "jsx"), ("recipes", "django"), ("recipes", "js")]
)
def test_every_recipe_is_part_of_a_tested_front_end(page, language):
    folder = ROOT / "tests/hosts/headless"
    files = [path for path in folder.rglob("*") if path.suffix in {".js", ".jsx", ".html", ".py"}]
    sources = [stripped(path.read_text()) for path in files if "node_modules" not in path.parts]
    recipes = code(ROOT / f"docs/{page}.md", language)
    assert recipes
    for recipe in recipes:
        assert any(stripped(recipe) in source for source in sources), recipe


@every_page
def test_every_name_that_an_example_imports_exists(page):
    for source in code(page, "python"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ecomrec_django"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}"), alias.name
