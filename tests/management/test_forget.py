import builtins

import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.errors import TrainingError
from ecomrec_django.models import Erasure, Event, Visitor
from ecomrec_django.privacy import erasure as erasing
from ecomrec_django.tracking.importers.orders import import_purchases
from ecomrec_django.tracking.visitors import open_token, sign_cookie, sign_token, token_key, user_key
from tests.privacy.conftest import ANNA, BEN, CLEO, COOKIE, history, people
from tests.support.planted_shop import line

__all__ = ["people"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def forget(capsys):
    """Run the command without being asked; returns what it said."""

    def forget(*arguments: str, yes: str = "--yes") -> str:
        call_command("ecomrec_forget", *arguments, *([yes] if yes else []))
        return "".join(capsys.readouterr())

    return forget


@pytest.fixture
def answer(monkeypatch):
    """What the person at the terminal types."""
    asked = []

    def answer(text: str | None):
        def typed(question: str) -> str:
            asked.append(question)
            if text is None:
                raise EOFError
            return text

        monkeypatch.setattr(builtins, "input", typed)
        return asked

    return answer


@pytest.mark.parametrize("yes", ["--yes", "--no-input", "--noinput"])
def test_an_account_is_erased_from_the_history_too(people, forget, yes):
    said = forget("--user", "1", yes=yes)
    receipt = Erasure.objects.get(key=ANNA)
    assert receipt.completed is not None
    assert f"Receipt {receipt.receipt}" in said
    for words in ("events: 6", "held events: 1", "visitors: 2", "history: 6"):
        assert words in said
    assert not Visitor.objects.filter(key=ANNA).exists()
    assert not [row for row in history() if row[8] in ("o1", "o2")]


@pytest.mark.parametrize("name", [CLEO, "c" * 32], ids=["key", "token"])
def test_a_guest_is_erased_by_key_or_token(people, forget, name):
    forget("--visitor", name)
    assert not Visitor.objects.filter(key=CLEO).exists()
    assert Visitor.objects.filter(key=ANNA).exists()


def test_a_guest_of_a_front_end_is_forgotten_by_the_visitor_token(forget, db):
    signed = sign_token("d" * 32)
    Visitor.objects.create(key=token_key(open_token(signed)))
    forget("--visitor", signed)
    assert not Visitor.objects.exists()


def test_a_guest_of_the_shops_pages_is_forgotten_by_the_value_of_the_cookie(forget, db):
    Visitor.objects.create(key=token_key("d" * 32))
    forget("--visitor", sign_cookie("d" * 32))
    assert not Visitor.objects.exists()


def test_an_unknown_account_gets_a_receipt(planted_shop, forget):
    said = forget("--user", "7", yes="")
    assert "Nothing is stored about this account" in said
    assert f"Receipt {Erasure.objects.get().receipt}" in said
    planted_shop.lines = [line(1, "a", user="7")]
    import_purchases()
    assert not Event.objects.exists()


def test_the_primary_key_is_read_as_the_accounts_own_type(people, forget):
    forget("--user", "01")
    assert Erasure.objects.get(key=user_key(1)).removed_rows["events"] == 6
    with pytest.raises(CommandError, match="not the primary key of an account"):
        forget("--user", "anna")


def test_a_visitor_nobody_knows_is_said_to_be_unknown(people, forget):
    for name in ("nobody", "f" * 64, ANNA.upper()):
        with pytest.raises(CommandError, match="There is no visitor"):
            forget("--visitor", name)
    assert not Erasure.objects.exists()


def test_a_merged_cookie_names_its_account(people, forget):
    with pytest.raises(CommandError, match=f"was merged into an account.*--visitor {ANNA}"):
        forget("--visitor", COOKIE)
    assert Visitor.objects.filter(key__in=[ANNA, token_key(COOKIE)]).count() == 2


@pytest.mark.parametrize("arguments", [[], ["--user", "1", "--visitor", CLEO]])
def test_exactly_one_person_has_to_be_named(people, forget, arguments):
    with pytest.raises(CommandError, match=r"required|not allowed"):
        forget(*arguments)


def test_the_operator_is_asked_first(people, forget, answer):
    asked = answer("no")
    with pytest.raises(CommandError, match="Nothing was erased"):
        forget("--user", "1", yes="")
    assert "6 events" in asked[0]
    assert Event.objects.filter(visitor__key=ANNA).count() == 6
    answer("yes")
    forget("--user", "1", yes="")
    assert not Event.objects.filter(visitor__key=ANNA).exists()


def test_without_a_terminal_nothing_is_erased(people, forget, answer):
    answer(None)
    with pytest.raises(CommandError, match="Use --yes"):
        forget("--user", "1", yes="")
    assert Event.objects.filter(visitor__key=ANNA).exists()


@pytest.mark.parametrize("error", [ImportError("No module named pyarrow"), TrainingError("Another is running")])
def test_unwritable_history_files_are_left_to_the_next_training(people, forget, monkeypatch, error):
    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "exclusive" if isinstance(error, TrainingError) else "remove_rows", fail)
        said = forget("--user", "1")
    assert f"cleaned by the next training: {error}" in said
    assert Erasure.objects.get(key=ANNA).completed is None
    assert not Visitor.objects.filter(key=ANNA).exists()
    forget("--user", "2")
    assert Erasure.objects.get(key=ANNA).completed is not None
    assert Erasure.objects.get(key=BEN).removed_rows["history"] == 3


def test_an_order_of_a_guest_is_erased(people, forget):
    from ecomrec_django.tracking.importers.orders import import_purchases as again

    people.lines = [*people.lines, line(90, "a", order="g9", user=None), line(91, "b", order="g9", user=None)]
    again()
    said = forget("--order", "g9")
    assert "events: 2" in said
    again()
    assert not Event.objects.filter(basket="g9").exists()
    assert "Nothing is stored about this order" in forget("--order", "g9")
