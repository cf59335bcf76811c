import csv

import pytest
from django.core.management import CommandError, call_command

from ecomrec_django.serving.offers import offers
from ecomrec_django.testing import publish_offers
from example_shop.models import Product
from tests.hosts.models import IntegerProduct


@pytest.fixture
def run(settings, db, tmp_path, capsys):
    settings.ECOMREC = {
        "CATALOG": "tests.support.catalogs.CartCatalog",
        "STRATEGIES": {"bought_with": "tests.support.catalogs.Any"},
    }
    IntegerProduct.objects.bulk_create(IntegerProduct(pk=n, title=f"Title {n}", price=n) for n in range(1, 7))
    publish_offers({"bought_with": {"1": ["3", "2", "4"], "5": ["4"]}})

    def run(text):
        (tmp_path / "requests.csv").write_text(text)
        call_command(
            "ecomrec_recommend", requests=tmp_path / "requests.csv", output=tmp_path / "offers.csv", verbosity=1
        )
        with open(tmp_path / "offers.csv", newline="") as file:
            return [(row["request"], row["rank"], row["item"]) for row in csv.DictReader(file)]

    run.folder = tmp_path
    return run


HEADER = "request,strategy,items,visitor,limit\n"


def test_offers_follow_the_order_of_requests(run):
    assert run(HEADER + "z,bought-with,1,,2\na,bought_with,5,anna,\n") == [
        ("z", "1", "3"),
        ("z", "2", "2"),
        ("a", "1", "4"),
    ]


def test_several_items_are_taken_together(run):
    assert run(HEADER + "r,bought_with,1|5,,\n") == [("r", "1", "4"), ("r", "2", "3"), ("r", "3", "2")]


def test_an_unknown_item_among_others_is_passed_over(run):
    assert run(HEADER + "r,bought_with,5|99,,\n") == run(HEADER + "r,bought_with,5,,\n") == [("r", "1", "4")]


def test_the_shop_is_asked_as_on_a_page(run):
    IntegerProduct.objects.filter(pk=3).update(stock=0)
    assert run(HEADER + "r,bought_with,1,,1\n") == [("r", "1", "2")]


def test_requests_without_offers_yield_no_rows(run):
    assert run(HEADER + "r,bought_with,,,\ns,bought_with,6,,\n") == []


def test_refused_rows_are_named_by_line_and_the_others_are_done(run, capsys):
    rows = "a,nonsense,1,,\nb,bought_with,99,,\nc,bought_with,1,,0\n,bought_with,1,,\nd,bought_with,5,,\n"
    assert run(HEADER + rows) == [("d", "1", "4")]
    with open(run.folder / "offers.rejects.csv", newline="") as file:
        refused = list(csv.DictReader(file))
    assert [row["line"] for row in refused] == ["2", "3", "4", "5"]
    assert "unknown item: 99" in refused[1]["reason"]
    assert "Line 2: Unknown strategy" in capsys.readouterr().err


def test_the_terminal_names_the_first_of_many_refused_rows(run, capsys):
    run(HEADER + "".join(f"{n},nonsense,1,,\n" for n in range(30)) + "d,bought_with,5,,\n")
    said = capsys.readouterr().err
    assert said.count("Unknown strategy") == 20
    assert "… and 10 more" in said


def test_a_file_whose_rows_are_all_refused_fails(run):
    with pytest.raises(CommandError, match=r"All rows were rejected, .*: Unknown strategy"):
        run(HEADER + "a,nonsense,1,,\n")


def test_a_quote_that_is_never_closed_costs_its_own_row(run):
    rows = [f"{chr(34) if n == 2 else ''}r{n},bought_with,5,," for n in range(50)]
    assert [request for request, *_ in run(HEADER + "\n".join(rows))] == [f"r{n}" for n in range(50) if n != 2]
    assert '4,,"a quotation mark opens a cell' in (run.folder / "offers.rejects.csv").read_text()


def test_the_requests_are_read_in_the_encoding_that_is_told(run):
    text = HEADER + "Ж,bought_with,5,,\n"
    path, out = run.folder / "told.csv", run.folder / "told-offers.csv"
    path.write_text(text.replace(",", ";"), encoding="cp1251")
    with pytest.raises(CommandError, match="--encoding"):
        call_command("ecomrec_recommend", requests=path, output=out)
    call_command("ecomrec_recommend", requests=path, output=out, encoding="cp1251")
    assert out.read_text(encoding="utf-8").splitlines()[1].startswith("Ж,1,4")


def test_a_large_basket_is_answered_whole(run):
    many = "|".join(["5", *(str(n) for n in range(100, 200))])
    assert run(HEADER + f"r,bought_with,{many},,\n") == [("r", "1", "4")]


def test_a_missing_column_stops_the_command_and_keeps_the_old_output(run):
    (run.folder / "offers.csv").write_text("old")
    with pytest.raises(CommandError, match="has no column strategy, items"):
        run("request\nr\n")
    assert (run.folder / "offers.csv").read_text() == "old"
    assert sorted(path.name for path in run.folder.iterdir()) == ["offers.csv", "requests.csv"]


def test_the_files_may_be_read_by_whom_the_folders_owner_lets(run):
    run(HEADER + "a,nonsense,1,,\nd,bought_with,5,,\n")
    (run.folder / "plain").touch()
    modes = {(run.folder / name).stat().st_mode for name in ("offers.csv", "offers.rejects.csv", "plain")}
    assert len(modes) == 1


@pytest.mark.usefixtures("trained_shop")
def test_a_real_shop_is_answered_with_what_its_pages_show(tmp_path, rf):
    Product.objects.filter(sku="tent-storm").update(stock=0)
    (tmp_path / "requests.csv").write_text(
        HEADER + "p,bought_with,tent,,2\nu,upgrade-to,tent,customer-1,\nc,bought_with,tent|pegs,,\nn,bought_with,,,\n"
    )
    call_command("ecomrec_recommend", requests=tmp_path / "requests.csv", output=tmp_path / "offers.csv")
    with open(tmp_path / "offers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    answers = {name: [row["item"] for row in rows if row["request"] == name] for name in "pucn"}
    for name, strategy, anchors, limit in [
        ("p", "bought_with", ["tent"], 2),
        ("u", "upgrade_to", ["tent"], 4),
        ("c", "bought_with", ["tent", "pegs"], 4),
    ]:
        block = offers(rf.get("/"), strategy, anchors, limit)
        assert answers[name] == [offer.item for offer in block.offers]
    assert answers["p"] == ["pegs", "lamp"]
    assert answers["u"] == ["tent-light"]
    assert "lamp" in answers["c"]
    assert answers["n"] == []
    assert all(row["reason"] for row in rows)
