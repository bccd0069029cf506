"""``include``: the prose and the statements of another worksheet, in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from backprove.worksheets.session import Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement


@statement("include", "include FILE.md")
@dataclass(frozen=True)
class Include(Statement):
    """Names a worksheet beside or below this one; reading puts its parts here.

    Args:
        path: relative to the folder of the worksheet.
    """

    path: Piece

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Include:
        said = rest.text
        pure, windows = PurePosixPath(said), PureWindowsPath(said)
        outside = pure.is_absolute() or windows.is_absolute() or windows.drive
        if outside or ".." in windows.parts or "\n" in said:
            raise rest.error(
                "a worksheet includes files of its own folder and of the folders below it",
                "Write a path such as definitions.md or shared/definitions.md.",
            )
        return cls(piece, rest)

    def file(self) -> Path:
        """The file that is meant.

        Raises:
            WorksheetError: the worksheet has no folder, or a link leads out of it.
        """
        source = self.path.source
        if not source.file:
            raise self.path.error(
                "a worksheet that is not in a file cannot include another", "Save it to a file."
            )
        folder = Path(source.file).parent
        found = folder / self.path.text
        if not found.resolve().is_relative_to(folder.resolve()):
            raise self.path.error("this path leads out of the folder of the worksheet")
        return found

    def run(self, session: Session) -> Answer:
        raise AssertionError("included worksheets are read before anything is run")
