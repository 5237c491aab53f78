"""A table with further columns, and the words that describe it, for the tests of the command line."""

import numpy as np
from test_cli import HALL, WALKS

TABLE = WALKS.drop(columns="state").assign(
    other=lambda t: t.trajectory + 5,
    time=lambda t: t.step + 10,
    who=lambda t: np.where(t.trajectory == 2, "bo", "al"),
    day=lambda t: np.where(t.trajectory == 1, "mon", "tue"),
    act=lambda t: t.action.replace({"up": "down"}),
    across=0,
    code=lambda t: t.action.replace({"right": "R"}),
    rare=lambda t: t.action.replace({"up": "NA"}),
)
BASE = ["--state", "row", "--state", "col", "--action", "action", "--on", "departure"]


def written(folder):
    """Write the worlds and the table, in three formats, to a folder."""
    (folder / "hall.toml").write_text(HALL)
    (folder / "slow.toml").write_text(HALL.replace("0.9", "0.5"))
    TABLE.to_csv(folder / "walks.csv", index=False)
    TABLE.to_csv(folder / "walks.tsv", index=False, sep="\t")
    TABLE.to_csv(folder / "semicolons.csv", index=False, sep=";")
    return folder
