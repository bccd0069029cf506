"""A study.toml: what it says, and where a slip stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backprove.app.study_command import _options
from backprove.errors import InputError, SetupError
from backprove.studies import Study, study
from backprove.studies.settings_file import read_settings_file
from backprove.studies.tables import Table


def test_a_file_has_the_names_of_the_function(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('hidden = ["none", "8"]\nlr = 0.1\n[[configurations]]\nhidden = "8"\n')
    read = read_settings_file(path)
    assert read == {"hidden": ["none", "8"], "lr": 0.1, "configurations": [{"hidden": "8"}]}


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("seeds = 2\nepohcs = 3\n", 2, 1, "no field 'epohcs'"),
        ("seeds = 2\nlr = [0.1, 0]\n", 2, 1, "lr='0'; expected a number above 0"),
        ("seeds = \n", 1, 9, "this is no TOML"),
        ("seeds = 2\nlr = 1\nlr = 2\n", 3, 1, "'lr' is given twice"),
        ("lr = 1\nseeds = 'many'\n", 2, 1, "seeds='many'; expected a number"),
        ("lr = 1\nregion = 'wide'\n", 2, 1, "region='wide'; expected points"),
        ("most_seeds = 0\n", 1, 1, "most_seeds=0; expected a whole number"),
        ("split = 'odd'\n", 1, 1, "split='odd'; expected seeded or fixed"),
        ("judge = 'perhaps'\n", 1, 1, "judge='perhaps'"),
        ("lr = {a = 1}\n", 1, 1, "lr: expected a text"),
        ('[[configurations]]\nlr = 1\n[[configurations]]\nhiden = "8"\n', 4, 1, "no field 'hiden'"),
        ("[[configurations]]\nlr = 1\n[[configurations]]\nlr = -1\n", 4, 1, "lr='-1'"),
    ],
)
def test_a_slip_is_named_with_line_and_column(tmp_path, text, line, column, message):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_settings_file(path)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_the_names_of_other_libraries_are_understood_as_slips(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text("learning_rate = 0.1\n")
    with pytest.raises(InputError) as caught:
        read_settings_file(path)
    assert caught.value.hint == "Did you mean lr?"


def test_the_file_of_the_documentation_is_a_study():
    path = Path(__file__).parents[2] / "docs" / "examples" / "study.toml"
    fields: dict[str, Any] = read_settings_file(path) | {"epochs": 1}
    found = study(**fields)
    assert isinstance(found, Study)
    assert len(found.configurations) == 3 * 2
    assert (len(found.seeds), found.region) == (2, 2)
    assert any("learning rate is confounded with dropout" in s for s in found.conclusions)


@pytest.mark.parametrize(
    ("flags", "zipped"),
    [
        ((), "hidden,lr"),
        (("lr,dropout",), "lr,dropout"),
        (("lr,dropout", "batch,epochs"), "lr,dropout;batch,epochs"),
    ],
)
def test_flags_win_over_the_file_and_leave_the_rest_of_it(tmp_path, flags, zipped):
    path = tmp_path / "study.toml"
    path.write_text("zipped = 'hidden,lr'\nseeds = 3\njudge = true\n")
    given = {"zipped": flags, "seeds": "4", "lr": None, "judge": None}
    for asked in (given, given | {"zipped": list(flags)}):
        found = _options(asked, [str(path)])
        assert found == {"zipped": zipped, "seeds": "4", "judge": True}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SetupError, match="cannot be read"):
        read_settings_file(tmp_path / "none.toml")


def test_tables_open_in_other_programs(tmp_path):
    table = Table({"lr": [0.1, 0.01], "loss": [0.5, None], "outcome": ["learned", "diverged"]})
    table.to_csv(tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[2] == "0.01,,diverged"
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(table.to_arrow())["lr"].to_list() == [0.1, 0.01]
    duckdb = pytest.importorskip("duckdb")
    arrow = table.to_arrow()
    assert duckdb.sql("select count(loss) from arrow").fetchall() == [(1,)]
    assert arrow.num_rows == 2
    assert len(pytest.importorskip("pandas").DataFrame(table.to_pandas())) == 2
