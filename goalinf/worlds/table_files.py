"""Tables as people keep them, CSV or Parquet, and how to point at a row of one."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pandas as pd

from goalinf.worlds.names import label


def read_table(table: pd.DataFrame | str | Path) -> tuple[pd.DataFrame, str | None]:
    """The table, and the name of the file where it is text with lines to point at.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it is neither a data frame nor a path, the name of the file does not say what it is, or the file is empty
        or cannot be read.
    """
    if isinstance(table, pd.DataFrame):
        return table, None
    if not isinstance(table, (str, Path)):
        raise ValueError(f"table is a {type(table).__name__}; expected a pandas data frame or the path of a file")
    path = Path(table)
    name = path.name.lower()
    parquet = name.endswith((".parquet", ".pq"))
    if not parquet and not name.endswith((".csv", ".csv.gz")):
        raise ValueError(f"cannot tell what {path.name} is; expected a name that ends in .csv, .csv.gz or .parquet")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; expected a CSV or Parquet file")
    try:
        if parquet:
            return pd.read_parquet(path), None
        found = pd.read_csv(path, low_memory=False)
        plain = _lines(path) == len(found) + 1
        return found, path.name if plain else f"{path.name} (blank lines and lines within quotes not counted)"
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path.name} is empty; expected a header and rows") from None
    except PermissionError:
        raise
    except Exception as error:  # parsers and decompressors fail in many ways on bytes that are not theirs
        kind = "Parquet" if parquet else "CSV"
        raise ValueError(f"{path.name} cannot be read as {kind}, or is truncated: {str(error).strip()}") from error


def _lines(path: Path) -> int:
    """Number of the last line that is not blank."""
    opened: Any = gzip.open if path.name.lower().endswith(".gz") else open
    with opened(path, "rb") as file:
        return max((number for number, line in enumerate(file, 1) if line.strip()), default=0)


def row_name(table: pd.DataFrame, position: int, source: str | None = None) -> str:
    """A row as its owner would find it: by index label, and by line where it stands in a CSV file."""
    if source is not None:
        return f"row {position}, line {position + 2} of {source}"
    name = f"row {label(table.index[position])}"
    return name if table.index.is_unique else f"{name} (number {position} from the top)"
