"""Every language says all that the English one says, with the same places to fill in."""

import ast
import re
import struct
from dataclasses import dataclass, field
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.template import Context, Template
from django.utils import translation

import ecomrec_django
from ecomrec_django.strategies.base import Offer, Reason
from ecomrec_django.testing import publish_offers

LOCALE = Path(ecomrec_django.__file__).parent / "locale"
LANGUAGES = sorted(folder.name for folder in LOCALE.iterdir() if folder.is_dir() and folder.name != "en")
PLACE = r"%(?:\(\w+\))?[-+#0]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]"
# What is no language: places to fill in, tags and examples of code in braces, markup, and commands.
KEPT = re.compile(rf"{PLACE}|\{{[^{{}}]*\}}|</?\w[^>]*>|manage\.py \w+(?: --[\w-]+)*")
LINE = re.compile(r'(?:(msgctxt|msgid|msgid_plural|msgstr)(?:\[\d+\])? )?(".*")')


@dataclass
class Message:
    """One entry of a .po file."""

    flags: set[str] = field(default_factory=set)
    msgctxt: list[str] = field(default_factory=list)
    msgid: list[str] = field(default_factory=list)
    msgid_plural: list[str] = field(default_factory=list)
    msgstr: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """As a .mo file names it, less the plural."""
        return "\4".join([*self.msgctxt, *self.msgid])


def messages_of(language: str) -> dict[str, Message]:
    """The catalogue in words, the header under ""; what is commented out (obsolete) is left out."""
    found: dict[str, Message] = {}
    for block in re.split(r"\n\s*\n", (LOCALE / language / "LC_MESSAGES/django.po").read_text(encoding="utf-8")):
        message, parts = Message(), []
        for line in block.splitlines():
            if line.startswith("#"):
                message.flags |= {flag.strip() for flag in line[2:].split(",")} if line.startswith("#,") else set()
                continue
            told = LINE.fullmatch(line)
            assert told is not None, line
            if told[1]:
                parts = getattr(message, told[1])
                parts.append("")
            parts[-1] += ast.literal_eval(told[2])
        if message.msgid:
            assert message.key not in found, message.key
            found[message.key] = message
    return found


def compiled(language: str) -> dict[str, list[str]]:
    """What the .mo file holds, by the same keys."""
    data = (LOCALE / language / "LC_MESSAGES/django.mo").read_bytes()
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    _magic, _revision, count, originals, translations = struct.unpack_from(f"{order}5I", data)

    def texts(table: int) -> list[list[str]]:
        places = (struct.unpack_from(f"{order}2I", data, table + 8 * row) for row in range(count))
        return [data[start : start + length].decode().split("\0") for length, start in places]

    return {key: said for (key, *_plural), said in zip(texts(originals), texts(translations), strict=True)}


def kept(text: str) -> list[str]:
    return sorted(KEPT.findall(text.replace("%%", "")))


def edges(text: str) -> tuple[str, str]:
    """The white space that a text begins and ends with."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


every_language = pytest.mark.parametrize("language", LANGUAGES)


def test_there_are_other_languages():
    assert "zh_Hans" in LANGUAGES


@every_language
def test_every_message_is_translated(language):
    english, theirs = messages_of("en"), messages_of(language)
    assert not english.keys() - theirs.keys()
    assert not [key for key, message in theirs.items() if not all(message.msgstr)]
    assert not [key for key, message in theirs.items() if "fuzzy" in message.flags]
    assert not [key for key in english if english[key].msgid_plural != theirs[key].msgid_plural]


@every_language
def test_every_translation_keeps_placeholders(language):
    for key, message in messages_of(language).items():
        if not key:
            continue
        given = [*message.msgid, *message.msgid_plural]
        for said in message.msgstr:
            assert kept(said) in [kept(text) for text in given], key
            assert edges(said) in [edges(text) for text in given], key
            if "python-format" in message.flags:
                assert "%" not in re.sub(rf"%%|{PLACE}", "", said), key


@every_language
def test_every_plural_has_as_many_forms_as_the_language(language):
    messages = messages_of(language)
    header = messages[""].msgstr[0]
    assert f"Language: {language}\n" in header
    forms = int(re.search(r"nplurals=(\d+);", header)[1])
    assert not [key for key, one in messages.items() if len(one.msgstr) != (forms if one.msgid_plural else 1)]


@every_language
def test_compiled_catalogues_are_up_to_date(language):
    written = {key: message.msgstr for key, message in messages_of(language).items()}
    found = compiled(language)
    # Some versions of msgfmt leave a date out of the header.
    assert {**found, "": None} == {**written, "": None}
    with (LOCALE / language / "LC_MESSAGES/django.mo").open("rb") as file:
        assert GNUTranslations(file).charset() == "UTF-8"


@pytest.mark.parametrize(
    ("orders", "said"),
    [(1, "在 1 笔订单中一起购买"), (214, "在 214 笔订单中一起购买"), (0, "经常一起购买")],
)
def test_a_block_speaks_the_visitors_language(integer_key_shop, http_request, orders, said):
    publish_offers(
        {
            "bought_with": {
                "1": [
                    Offer(
                        item="2", score=0.9, reason=Reason.TOGETHER, aisle=0, evidence=(orders, 60, 1.0, 9.0, 90.0, 0.0)
                    )
                ]
            }
        }
    )
    with translation.override("zh-hans"):
        html = Template("{% load ecomrec %}{% bought_with '1' %}").render(Context({"request": http_request}))
    assert "一起购买</h2>" in html
    assert f">{said}<" in html
    assert "ought together" not in html


TRANSLATES = {"_": 1, "gettext": 1, "gettext_lazy": 1, "gettext_noop": 1, "ngettext": 2, "ngettext_lazy": 2}


def said_in(path):
    """Messages of a module, as makemessages finds them, and how its functions are called."""
    messages, names = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
            names |= {one.asname or one.name for one in node.names}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TRANSLATES:
            for argument in node.args[: TRANSLATES[node.func.id]]:
                assert not isinstance(argument, ast.JoinedStr), f"{path}: a message is no f-string"
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    messages.add(argument.value)
    return messages, names


def test_every_message_of_the_sources_is_in_the_english_catalogue():
    known = {text for one in messages_of("en").values() for text in (*one.msgid, *one.msgid_plural)}
    for path in sorted(LOCALE.parent.rglob("*.py")):
        if "migrations" in path.parts:
            continue
        messages, names = said_in(path)
        assert messages <= known, f"{path}: update the catalogue as CONTRIBUTING.md says"
        # Under another name, makemessages would not see its messages.
        assert {name for name in names if "gettext" in name or name.startswith("_")} <= set(TRANSLATES)
    for path in sorted(LOCALE.parent.rglob("*.html")):
        translated = re.findall(r"""\{% translate (["'])(.*?)\1""", path.read_text())
        assert {text for _, text in translated} <= known, f"{path}: update the catalogue as CONTRIBUTING.md says"
