import csv
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecomrec_django.errors import DataError
from ecomrec_django.tracking.importers.delimited import AMBIGUOUS, UNCLOSED, DelimitedTable

HEADER = "item,title,price"


@pytest.fixture
def table(tmp_path):
    def table(text, encoding="utf-8", declared=""):
        path = tmp_path / "file.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        found = DelimitedTable(path, declared)
        found.looks_like_row = lambda cells: cells[-1].replace(".", "").isdigit()
        return found

    return table


def rows(*lines):
    return "\n".join([HEADER, *lines, ""])


def test_a_quote_that_is_never_closed_costs_its_own_line_alone(table):
    lines = [f"S{n},{chr(34) if n == 10 else ''}Mug {n},{n}.00" for n in range(1, 5001)]
    records = list(table(rows(*lines)).records())
    [refused] = [record for record in records if record.problem]
    assert (refused.line, refused.cells, refused.problem) == (11, [lines[9]], UNCLOSED)
    assert len(records) == 5000


@pytest.mark.parametrize(
    "closing",
    ['"Mug 7",5', 'Mug 7",5', 'Mug "seven",5', '"Mug, seven",5', '"Mug ""7""",5', 'Pipe 5" long,5'],
)
@pytest.mark.parametrize("between", [1, 3])
def test_a_quote_that_a_later_row_seems_to_close_swallows_nothing(table, closing, between):
    lines = ['a,"Cup,1', *(f"b{n},Pot,2" for n in range(between)), f"c,{closing}", "d,Jug,4"]
    records = list(table(rows(*lines)).records())
    assert [record.line for record in records] == list(range(2, 5 + between))
    assert records[0].problem == UNCLOSED
    assert not any(record.problem for record in records[1:])


def test_rows_of_which_it_is_unclear_whether_they_are_one_are_all_refused(table):
    records = list(table(rows('a,"Cup,1', 'b,Mug 5",2', "c,Pot,3")).records())
    assert [(record.line, record.problem) for record in records] == [(2, AMBIGUOUS), (3, AMBIGUOUS), (4, "")]


def test_long_texts_of_several_lines_stay_one_cell(table):
    text = 'Soft.\nRed, green, or blue.\n\n1,2\nSaid: "fine"'
    quoted = text.replace('"', '""')
    records = list(table(rows(f'a,"{quoted}",5', "b,Pot,3")).records())
    assert [(record.line, record.cells, record.problem) for record in records] == [
        (2, ["a", text, "5"], ""),
        (7, ["b", "Pot", "3"], ""),
    ]


def test_misplaced_quotes_and_short_rows_are_refused_by_line(table):
    records = list(table(rows('a,"Cup" red,1', "b,Pot", "", ",,", "c,Jug,2")).records())
    assert [(record.line, bool(record.problem), record.cells[:1]) for record in records] == [
        (2, True, ['a,"Cup" red,1']),
        (3, True, ["b"]),
        (4, False, []),
        (5, False, []),
        (6, False, ["c"]),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_and_delimiters_are_detected(table, encoding, delimiter):
    text = rows("a,Zoë Иван,1").replace(",", delimiter)
    found = table(text, encoding)
    assert found.header == ["item", "title", "price"]
    assert [record.cells for record in found.records()] == [["a", "Zoë Иван", "1"]]


@pytest.mark.parametrize(("encoding", "title"), [("cp1251", "Иванов"), ("cp1252", "Crème €"), ("latin-1", "Crème")])
def test_other_encodings_are_refused_with_the_remedy_and_read_once_declared(table, encoding, title):
    with pytest.raises(DataError, match=r"line 3 has the byte 0x.*--encoding cp1252"):
        table(rows("a,Cup,1", f"b,{title},2"), encoding)
    found = table(rows("a,Cup,1", f"b,{title},2"), encoding, declared=encoding)
    assert [record.cells[1] for record in found.records()] == ["Cup", title]


def test_lines_that_are_not_of_the_declared_encoding_are_refused_alone(table):
    found = table(rows("a,Cup,1", "b,Zoë,2", "c,Jug,3").encode("latin-1"), declared="utf-8")
    assert [bool(record.problem) for record in found.records()] == [False, True, False]


def test_an_unknown_encoding_and_a_cut_off_file_are_said(table):
    with pytest.raises(DataError, match="no text encoding 'cp12510'"):
        table(rows("a,Cup,1"), declared="cp12510")
    with pytest.raises(DataError, match="utf-16"):
        list(table(rows("a,Cup,1").encode("utf-16")[:-1]).records())
    with pytest.raises(DataError, match="not UTF-8"):
        table(rows("a,Cupë")[:-1].encode()[:-1])


def test_a_spreadsheets_line_that_names_the_delimiter_is_no_row(table):
    found = table("sep=;\r\nitem;title, long;price\r\na;Cup;1,5\r\n")
    assert [(record.line, record.cells) for record in found.records()] == [(3, ["a", "Cup", "1,5"])]


CELLS = st.text(st.sampled_from('ab ,;"\n1é'), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS, st.integers(0, 9).map(str)), max_size=12))
def test_what_a_csv_writer_wrote_is_read_again_or_refused(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("files") / "file.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER.split(","), *written])
    found = DelimitedTable(path)
    found.looks_like_row = lambda cells: cells[-1].isdigit()
    records = list(found.records())
    read = Counter(tuple(record.cells) for record in records if record.cells and not record.problem)
    assert read <= Counter(written)
    if not any(record.problem for record in records):
        assert read == Counter(written)


@given(st.lists(st.text(st.sampled_from('ab,"1\n'), min_size=1, max_size=9), max_size=12))
def test_every_line_of_any_file_is_in_one_row(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("files") / "file.csv"
    text = rows(*lines)
    path.write_text(text, newline="")
    numbers = [record.line for record in DelimitedTable(path).records()]
    assert numbers == sorted(set(numbers))
    assert not numbers or numbers[0] == 2
    multi = any("\n" in cell for record in DelimitedTable(path).records() for cell in record.cells)
    assert multi or len(numbers) == text.count("\n") - 1
