"""What the language of worksheets adds to single statements: names, values, includes, questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprove.errors import BackproveError, InputError, WorksheetError
from backprove.worksheets import run_worksheet
from worksheets.fakes import FakeEngine, block


def asked(*lines: str) -> list[tuple[str, tuple, dict]]:
    fake = FakeEngine()
    run_worksheet(block(*lines), engine=fake.engine())
    return fake.calls


def error_of(*lines: str) -> InputError:
    with pytest.raises(InputError) as caught:
        run_worksheet(block(*lines))
    return caught.value


def test_a_named_expression_is_written_out_where_it_is_used() -> None:
    calls = asked("let z: K, s = softmax(z)", "derive s wrt z", "claim diag(s) - outer(s, s)")
    assert calls[0][1] == ("(softmax(z))", "z", {"z": "K"})
    assert calls[1][1][2] == "diag((softmax(z))) - outer((softmax(z)), (softmax(z)))"


def test_names_in_definitions_are_written_out_as_well() -> None:
    calls = asked("let z: K, s = softmax(z), t = s*s", "derive t wrt z")
    assert calls[0][1][0] == "((softmax(z))*(softmax(z)))"


def test_the_answer_to_a_named_expression_is_that_of_the_expression() -> None:
    sheet = block("let z: K, s = softmax(z)", "derive s wrt z", "claim J[i,j] = s[i]*([i==j]-s[j])")
    outcome = run_worksheet(sheet).outcomes[-1]
    assert (outcome.verdict, outcome.data["level"]) == ("right", "proved")


def test_a_name_that_a_claim_defines_itself_is_left_to_the_claim() -> None:
    calls = asked("let z: K, s = exp(z)", "derive z wrt z", "claim J = diag(s) with s = z")
    assert calls[-1][1][2] == "J = diag(s) with s = z"


def test_indices_and_functions_of_the_same_name_are_no_uses() -> None:
    calls = asked("let X: n d, i = sum(X)", "derive X wrt X", "claim J[i,j,k,l] = [i==k]*X[i,j]")
    assert calls[-1][1][2] == "J[i,j,k,l] = [i==k]*X[i,j]"


def test_an_error_behind_a_name_points_at_the_name() -> None:
    error = error_of("let x: n, W: n k", "let f = W @ x", "derive 1 + f wrt x")
    assert (error.line, error.column) == (4, 12)


def test_an_error_beside_a_name_points_at_what_was_written() -> None:
    error = error_of("let x: n, s = softmax(x)", "derive s*s + qq wrt x")
    assert (error.line, error.column) == (3, 14)
    assert "qq" in error.message


def test_a_name_has_one_meaning() -> None:
    assert "already" in error_of("let s = exp(x)", "let s = log(x)", "function relu").message
    assert "already" in error_of("let s: n", "let s = log(x)", "function relu").message
    assert "twice" in error_of("let s: n, s = log(x)", "function relu").message


def test_values_are_the_inputs_of_graphs() -> None:
    calls = asked("let x = 1, y = 3, z = [2, -1e-3]", "graph x*y at x=2", "graph z*x")
    assert [call[1][2] for call in calls] == [{"x": 2, "y": 3}, {"x": 1, "z": [2, -0.001]}]


def test_a_graph_without_values_asks_for_them() -> None:
    error = error_of("graph x*y")
    assert "values of the inputs are missing" in error.message


def test_the_layout_of_a_worksheet_holds_for_what_follows() -> None:
    calls = asked("let layout denominator, x: n", "derive x wrt x", "claim J[i,j] = [i==j]",
                  "derive x wrt x layout numerator")  # fmt: skip
    assert [call[2]["layout"] for call in calls] == ["denominator", "denominator", "numerator"]


def test_a_hessian_is_the_derivative_of_second_order() -> None:
    sheet = block("let w: d, A: d d", "hessian w @ A @ w wrt w", "claim A + A.T", "claim d×d")
    assert [outcome.verdict for outcome in run_worksheet(sheet).outcomes[2:]] == ["right", "right"]


def test_paths_of_the_graph_above_are_listed() -> None:
    sheet = block("graph ln(x) + exp(y)*z at x=1, y=3, z=2", "path z", "claim h1 = 0")
    report = run_worksheet(sheet)
    assert report.outcomes[1].data["paths"][0]["symbols"] == "∂f/∂h3·∂h3/∂z"
    assert report.outcomes[2].verdict == "right"
    assert "no graph above" in error_of("let x: n", "derive x wrt x", "path x").message


def test_what_was_asked_under_another_question_is_out_of_reach() -> None:
    error = error_of("question 1", "let x: n", "derive x wrt x", "question 2", "claim identity")
    assert "nothing above" in error.message
    assert "line 2 already" in error_of("question 1", "question 1", "function relu").message


def test_outcomes_know_their_question_and_how_to_reproduce_them() -> None:
    sheet = block("question S26 points 2", "let w: d", "derive w**2 wrt w", "claim diag(2*w)")
    derived, claimed = run_worksheet(sheet).outcomes[2:]
    assert derived.question == claimed.question == "S26"
    assert derived.command == "backprove derive 'w**2' --wrt w --shape w=d"
    assert derived.python == "bp.derive('w**2', 'w', {'w': 'd'})"
    assert claimed.command == "backprove check 'w**2' 'diag(2*w)' --wrt w --shape w=d"


# --- include ------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder / "main.md"


def test_an_included_worksheet_stands_in_place(tmp_path: Path) -> None:
    main = write(
        tmp_path,
        main="# Main\n" + block("include names.md") + "After.\n" + block("derive s wrt z"),
        names="# Names\n\nOf all.\n\n" + block("let z: K, s = softmax(z)"),
    )
    report = run_worksheet(main)
    assert report.title == "Main"
    assert [outcome.kind for outcome in report.outcomes] == ["let", "derive"]
    assert report.outcomes[0].file.endswith("names.md")


def test_an_error_in_an_included_worksheet_names_its_file(tmp_path: Path) -> None:
    main = write(tmp_path, main=block("include inner.md"), inner="\n\n" + block("derive x"))
    with pytest.raises(WorksheetError) as caught:
        run_worksheet(main)
    assert caught.value.file.endswith("inner.md") and caught.value.line == 4


def test_a_worksheet_does_not_include_itself(tmp_path: Path) -> None:
    main = write(tmp_path, main=block("include b.md"), b=block("include main.md"))
    with pytest.raises(WorksheetError, match="includes itself"):
        run_worksheet(main)


@pytest.mark.parametrize("path", ["../secret.md", "/etc/passwd", "a/../../b.md", "C:\\x.md"])
def test_only_files_of_the_folder_are_included(tmp_path: Path, path: str) -> None:
    with pytest.raises(WorksheetError, match="its own folder"):
        run_worksheet(write(tmp_path, main=block(f"include {path}")))


def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text(block("function relu"))
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    with pytest.raises(WorksheetError, match="leads out"):
        run_worksheet(write(folder, main=block("include link.md")))


def test_a_chain_of_many_includes_is_refused(tmp_path: Path) -> None:
    files = {f"f{i}": block(f"include f{i + 1}.md", f"include f{i + 1}.md") for i in range(12)}
    main = write(tmp_path, main=block("include f0.md"), f12=block("function relu"), **files)
    with pytest.raises(BackproveError, match="more than 50"):
        run_worksheet(main)
