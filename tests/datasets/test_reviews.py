"""The shipped file, its datasheet and its build script agree."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from backprove.datasets import BUILTIN, builtin, load
from backprove.errors import DataError

FOLDER = resources.files("backprove.datasets")
SCRIPT = Path(__file__).parents[2] / "tools" / "build_reviews.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("build_reviews", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_reviews"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_shipped_file_has_the_digest_that_code_and_datasheet_name():
    digest = hashlib.sha256(FOLDER.joinpath("reviews.npz").read_bytes()).hexdigest()
    sheet = FOLDER.joinpath("reviews.md").read_text("utf-8")
    assert digest == BUILTIN["reviews"].sha256
    assert re.findall(r"\b[0-9a-f]{64}\b", sheet) == [digest]


def test_the_file_holds_numbers_only():
    with np.load(str(FOLDER / "reviews.npz"), allow_pickle=False) as arrays:
        kinds = {name: (arrays[name].dtype.str, arrays[name].shape) for name in arrays}
    assert kinds == {
        "features": ("<f2", (10605, 50)),
        "labels": ("|i1", (10605,)),
        "ratings": ("<f4", (10605,)),
        "split": ("|i1", (10605,)),
    }


def test_labels_are_positive_mean_ratings():
    data = load("reviews")
    assert data.ratings is not None
    np.testing.assert_array_equal(data.labels, data.ratings > 0)
    assert (data.ratings == 0).sum() == 37
    assert np.abs(data.ratings).max() <= 4


@pytest.mark.parametrize(
    ("part", "examples", "positive"),
    [("train", 8605, 4261), ("dev", 1000, 508), ("test", 1000, 473)],
)
def test_the_split_is_the_one_of_the_datasheet(part, examples, positive):
    data = load("reviews")
    rows = getattr(data, part)
    assert (len(rows), data.labels[rows].sum()) == (examples, positive)
    sheet = FOLDER.joinpath("reviews.md").read_text("utf-8")
    assert f"| {part} | {examples:,} | {positive:,} |" in sheet


def test_no_sentence_of_dev_or_test_occurs_in_train():
    data = load("reviews")
    seen = {row.tobytes() for row in data.features[data.train]}
    held_out = data.features[np.concatenate([data.dev, data.test])]
    assert not [row for row in held_out if row.tobytes() in seen]


def test_every_sentence_has_features():
    assert np.abs(load("reviews").features).sum(axis=1).min() > 0


def test_loaded_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        load("reviews").features[0, 0] = 1


def test_a_damaged_file_is_refused(monkeypatch):
    wrong = MappingProxyType({"bad": replace(BUILTIN["reviews"], sha256="0" * 64)})
    monkeypatch.setattr(builtin, "BUILTIN", wrong)
    with pytest.raises(DataError, match=r"damaged: wrong SHA-256.*Install backprove again"):
        load("bad")


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match=r"'imdbb'.*Built in: reviews"):
        load("imdbb")


def test_the_script_writes_the_same_bytes_twice(script):
    arrays = {"a": np.arange(3, dtype=np.float16), "b": np.array([1], ">i4")}
    content = script.archive_bytes(arrays)
    assert content == script.archive_bytes(arrays)
    assert hashlib.sha256(content).hexdigest().startswith("4d7a8034172fe6a9")


def test_the_script_reproduces_the_shipped_file_from_its_own_arrays(script):
    shipped = FOLDER.joinpath("reviews.npz").read_bytes()
    with np.load(str(FOLDER / "reviews.npz"), allow_pickle=False) as arrays:
        assert script.archive_bytes({name: arrays[name] for name in arrays}) == shipped


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Isn't GOOD.", ["is", "n't", "good", "."]),
        ("it’s 9/10", ["it", "'s", "9", "/", "10"]),
        ("the ''best''...", ["the", "''", "best", "''", "..."]),
        ("can't", ["ca", "n't"]),
        ("J.R.R. Tolkien's", ["j.r.r", ".", "tolkien", "'s"]),
        ("clichés", ["clichés"]),
        ("   ", []),
    ],
)
def test_tokens_are_cut_as_in_the_vocabulary_of_the_vectors(script, sentence, expected):
    assert script.tokens(sentence) == expected


def test_features_are_means_over_known_tokens_only(script):
    vectors = np.array([[1.0, 0.0], [0.0, 4.0]], np.float32)
    means = script.mean_vectors(["Good bad qqq good", "zzz"], {"good": 0, "bad": 1}, vectors)
    np.testing.assert_allclose(means, [[2 / 3, 4 / 3], [0, 0]], rtol=1e-3)


def test_a_changed_archive_is_refused(script, tmp_path):
    (tmp_path / script.RATINGS.archive).write_bytes(b"something else")
    with pytest.raises(SystemExit, match="has SHA-256"):
        script.fetch(script.RATINGS, tmp_path)
