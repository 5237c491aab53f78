"""One way to read a table, for worlds and for data; what cannot be read says which file and why."""

import gzip

import numpy as np
import pandas as pd
import pytest

from goalinf.data import read_trajectories
from goalinf.worlds import from_table, gridworld, read_table

TABLE = pd.DataFrame({"state": np.arange(500) % 7, "action": "go", "next_state": np.arange(500)})


def test_files_say_whether_they_have_lines(tmp_path):
    TABLE.to_csv(tmp_path / "moves.csv.gz", index=False)
    TABLE.to_parquet(tmp_path / "moves.pq")
    for source, lines in ((TABLE, None), (tmp_path / "moves.csv.gz", "moves.csv.gz"), (tmp_path / "moves.pq", None)):
        found, name = read_table(source)
        pd.testing.assert_frame_equal(found, TABLE)
        assert name == lines


def as_world(path):
    from_table(path, discount=0.9)


def as_data(path):
    read_trajectories(path, gridworld("s.a", discount=0.9), trajectory="walk", step="t", state="state")


@pytest.mark.parametrize("name", ["moves.csv", "moves.csv.gz", "moves.parquet"])
@pytest.mark.parametrize("read", [as_world, as_data])
def test_damaged_files(tmp_path, name, read):
    path = tmp_path / name
    if name.endswith("parquet"):
        TABLE.to_parquet(path)
        path.write_bytes(path.read_bytes()[:-20])
    elif name.endswith("gz"):
        path.write_bytes(gzip.compress(TABLE.to_csv(index=False).encode())[:-20])
    else:
        path.write_text('state,action,next_state\n0,"go,1\n1,go,2\n')
    with pytest.raises(ValueError, match=rf"^{name} cannot be read as (CSV|Parquet), or is truncated: \S"):
        read(path)


def test_what_is_no_table(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*folder\.csv; expected a CSV, TSV or Parquet file"):
        read_table(tmp_path / "folder.csv")


def test_lines_are_those_of_the_file_or_said_not_to_be(tmp_path):
    text = "state,action,next_state\n0,go,1\n\n1,go,\n"
    (tmp_path / "gap.csv").write_text(text)
    with pytest.raises(
        ValueError, match=r"^row 1, line 3 of gap\.csv \(blank lines and .* not counted\): column 'next"
    ):
        from_table(tmp_path / "gap.csv", discount=0.9)
    (tmp_path / "end.csv").write_text(text.replace("\n\n", "\n") + "\n\n")
    with pytest.raises(ValueError, match=r"^row 1, line 3 of end\.csv: column 'next"):
        from_table(tmp_path / "end.csv", discount=0.9)
