"""Files that people have and that cannot be trained on: what is wrong with them, and what to do."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from backprove.datasets import open_data, review
from backprove.errors import DataError

ROWS = [(0.1 * at, -0.2 * at, at % 2) for at in range(40)]


def csv(head: str, rows=ROWS, mark: str = ",") -> bytes:
    lines = [mark.join(head.split(",")) if head else "", *(mark.join(map(str, r)) for r in rows)]
    return "\n".join(line for line in lines if line).encode()


GOOD = csv("a,b,label")


@pytest.mark.parametrize(
    ("name", "content", "said", "next_step"),
    [
        ("a.csv", csv(""), "none of the columns", "must hold the names"),
        ("a.csv", csv("a,b,c"), "none of the columns a, b, c", "--label COLUMN"),
        ("a.csv", csv("a,b,label", mark=";"), "separated by ';'", "commas between"),
        ("a.csv", csv("a,b,label", mark="\t"), "separated by tabs", "commas between"),
        ("a.csv", csv("a,b,label", mark=";").replace(b".", b","), "separated by ';'", "points"),
        ("a.csv", GOOD.decode().encode("utf-16"), "UTF-8", "Save it as text in UTF-8"),
        ("a.csv", csv("a,a,label"), "two columns have the same name", "Rename"),
        ("a.csv", csv("a,b,label", ROWS[:3]), "3 examples are too few", "Give more examples"),
        ("a.csv", csv("a,b,label", [*ROWS, (3.9e38, 1, 1)]), "'a' is 3.9e+38 in", "Scale"),
        ("a.json", b"[]", "is a .json; expected .csv, .parquet, .npz", "as .csv"),
        ("data", b"[]", "file without an ending", "as .csv"),
    ],
)
def test_a_file_that_is_no_data_set_is_refused_with_what_to_do(
    tmp_path: Path, name, content, said, next_step
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(said)) as refused:
        open_data(str(tmp_path / name))
    assert next_step in refused.value.hint


def test_an_archive_is_to_be_unpacked(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.csv", GOOD)
    with pytest.raises(DataError, match=r"is a \.zip; expected") as refused:
        open_data(str(path))
    assert "Unpack it" in refused.value.hint


@pytest.mark.parametrize(
    ("written", "hint"),
    [("revews", "Did you mean reviews?"), ("", "Built in: reviews"), (" ", "Built in: reviews")],
)
def test_a_name_that_nobody_knows(written, hint):
    with pytest.raises(DataError) as refused:
        open_data(written)
    assert hint in refused.value.hint


def test_a_column_is_found_by_a_slip(tmp_path):
    (tmp_path / "a.csv").write_bytes(GOOD)
    with pytest.raises(DataError) as refused:
        open_data(str(tmp_path / "a.csv"), label="lable")
    assert refused.value.hint == "Did you mean label?"


def test_a_column_that_numbers_the_examples_is_no_label_without_a_warning(tmp_path):
    rows = [(a, b, at) for at, (a, b, _) in enumerate(ROWS)]
    (tmp_path / "a.csv").write_bytes(csv("a,b,label", rows))
    told = " ".join(review(open_data(str(tmp_path / "a.csv"))).warnings)
    assert "have 40 classes: too few of each" in told
    assert "have a class that no training example has" in told
    (tmp_path / "b.csv").write_bytes(GOOD)
    fine = review(open_data(str(tmp_path / "b.csv")))
    assert not any("class" in warning for warning in fine.warnings)
