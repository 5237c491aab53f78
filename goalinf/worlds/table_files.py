"""Tables from CSV, TSV or Parquet files or data frames, and names of their rows in messages."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from goalinf.worlds.names import canonical, label, plain
from goalinf.worlds.text_cells import as_names, as_numbers, as_values

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Table with its unconverted cells.

    Parameters
    ----------
    frame : DataFrame
        Columns; columns of a text file are converted by :func:`~goalinf.worlds.text_cells.as_values`.
    source : str, optional
        Name of the text file, for messages with line numbers; None for other sources.
    text : DataFrame, optional
        Unconverted cells of a text file; only an empty cell is missing.
    """

    frame: pd.DataFrame
    source: str | None = None
    text: pd.DataFrame | None = None

    @property
    def cells(self) -> pd.DataFrame:
        """Unconverted columns of the file, or of the data frame."""
        return self.frame if self.text is None else self.text

    def names(self, columns: Sequence[Hashable]) -> list[pd.Series]:
        """Return columns of names of one kind; in a text file they are all converted to numbers, or none."""
        cells = [self.cells[column] for column in columns]
        return cells if self.text is None else as_names(cells)

    def typed(self, names: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
        """Return the columns with some converted to names and some to numbers; a data frame is returned unchanged."""
        if self.text is None:
            return self.frame
        converted = {column: self.names([column])[0] for column in names}
        return self.frame.assign(**converted, **{column: self.numbers(column) for column in numbers})

    def without(self, words: Sequence[Any], columns: Sequence[Hashable]) -> Table:
        """Return the table with missing values instead of these words in some columns."""
        if not len(words):
            return self
        printed = {label(canonical(word)) for word in words}
        cells = self.cells.copy()
        for column in columns:
            cells[column] = cells[column].mask(cells[column].map(lambda cell: label(canonical(cell))).isin(printed))
        return self._with(cells)

    def renamed(self, words: Mapping[Hashable, Mapping[str, str]]) -> Table:
        """Return the table with replaced words in some columns, each once: ``{"choice": {"L": "left"}}``."""
        cells = self.cells.copy()
        for column, replacements in words.items():
            column_cells = cells[column].astype(object)
            cells[column] = column_cells.map(
                lambda cell, replacements=replacements: replacements.get(label(canonical(cell)), cell)
            )
        return self._with(cells)

    def _with(self, cells: pd.DataFrame) -> Table:
        return dataclasses.replace(self, **{"frame" if self.text is None else "text": cells})

    def numbers(self, column: Hashable) -> pd.Series:
        """Return a column of numbers."""
        return self.frame[column] if self.text is None else as_numbers(self.text[column])


def read_table(table: pd.DataFrame | str | Path) -> tuple[pd.DataFrame, str | None]:
    """Read a table; also return the name of a text file, for messages with line numbers (see :func:`open_table`)."""
    opened = open_table(table)
    return opened.frame, opened.source


def open_table(table: pd.DataFrame | str | Path, *, delimiter: str | None = None) -> Table:
    """Read a table.

    Parameters
    ----------
    table : DataFrame or path
        A data frame, or the path of a file that ends in ``.csv``, ``.tsv`` (both also with ``.gz``) or ``.parquet``.
    delimiter : str, optional
        Character between the cells of a text file. Default: a comma, a tab in ``.tsv``.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is neither a data frame nor a path, the ending of the file name is unknown, the file is empty or cannot
        be read, or the delimiter is not a single character.
    """
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise ValueError(f"delimiter is {delimiter!r}; expected one character, such as ';'")
    if not isinstance(table, (pd.DataFrame, str, Path)):
        raise ValueError(f"table is a {type(table).__name__}; expected a pandas data frame or the path of a file")
    suffix = None if isinstance(table, pd.DataFrame) else _suffix(Path(table))
    if delimiter is not None and suffix not in _DELIMITERS:
        raise ValueError("delimiter= is for text files (.csv, .tsv); leave it out")
    if isinstance(table, pd.DataFrame):
        return Table(table)
    path = Path(table)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; expected a CSV, TSV or Parquet file")
    try:
        if suffix in _PARQUET:
            return Table(_with_tuples(pd.read_parquet(path)))
        return _read_text(path, delimiter or _DELIMITERS[str(suffix)])
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path.name} is empty; expected a header and rows") from None
    except PermissionError:
        raise
    except Exception as error:  # parsers and decompressors raise many kinds of errors for invalid bytes
        kind = "Parquet" if suffix in _PARQUET else str(suffix)[1:].upper()
        raise ValueError(f"{path.name} cannot be read as {kind}, or is truncated: {str(error).strip()}") from error


def _suffix(path: Path) -> str:
    name = path.name.lower()
    for suffix in _DELIMITERS:
        if name.endswith((suffix, f"{suffix}.gz")):
            return suffix
    if not name.endswith(_PARQUET):
        raise ValueError(
            f"the format of {path.name} is unknown; expected a name that ends in .csv, .csv.gz, .tsv, .tsv.gz or "
            ".parquet"
        )
    return path.suffix.lower()


def _read_text(path: Path, delimiter: str) -> Table:
    text = pd.read_csv(path, sep=delimiter, dtype=str, keep_default_na=False, na_values=[""])
    frame = pd.DataFrame({name: as_values(text[name]) for name in text}, index=text.index)
    line_by_line = _lines(path) == len(text) + 1
    source = path.name if line_by_line else f"{path.name} (blank lines and lines within quotes not counted)"
    return Table(frame, source, text)


def _with_tuples(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert lists, as Parquet stores tuples, back to tuples."""
    for name in [name for name in frame if frame[name].dtype == object and frame[name].map(_is_list).any()]:
        frame[name] = frame[name].map(lambda cell: plain(list(cell)) if _is_list(cell) else cell)
    return frame


def _is_list(cell: Any) -> bool:
    return isinstance(cell, (list, np.ndarray))


def _lines(path: Path) -> int:
    """Return the number of the last line that is not blank."""
    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rb") as file:
        return max((number for number, line in enumerate(file, 1) if line.strip()), default=0)


def row_name(table: pd.DataFrame, position: int, source: str | None = None) -> str:
    """Return the name of a row in messages: its index label, and its line in a text file."""
    if source is not None:
        return f"row {position}, line {position + 2} of {source}"
    name = f"row {label(table.index[position])}"
    return name if table.index.is_unique else f"{name} (number {position} from the top)"
