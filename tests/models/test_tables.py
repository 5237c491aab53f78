"""Every model of the catalogue refuses data that it cannot use, and says where and why."""

import functools
import re
from types import ModuleType

import history_oracles
import jax
import numpy as np
import pandas as pd
import pytest

import goalinf as gi
import goalinf_models
from goalinf_models import ashwood_2022, daw_2011, delay_discounting, ziebart_2008
from goalinf_models.checks import Code, Label

MODELS = {n: m for n in goalinf_models.__all__ if isinstance(m := getattr(goalinf_models, n), ModuleType)}
TABLES = {name: module for name, module in MODELS.items() if hasattr(module, "COLUMNS")}
PLACE = 3  # the row in which the wrong value stands


@functools.cache
def simulated(module):
    return module.example(jax.random.key(0))


def example(module):
    """A table of the model whose rows have names of their own."""
    table = simulated(module).head(200)
    return table.set_index(pd.Index(range(1000, 1000 + len(table))))


def wrong_values(kind):
    """Values that no cell of such a column may hold."""
    if isinstance(kind, Label):
        return [None, np.nan, pd.NA, ""]
    values = ["1", "x", True, [1], np.inf, -np.inf]
    values += [] if kind.empty else [None, np.nan, pd.NA]
    if isinstance(kind, Code):
        return [*values, max(kind.meanings) + 1, -1, 0.5]
    return values + ([kind.low - 1] if np.isfinite(kind.low) else []) + ([0.5] if kind.whole else [])


WRONG = [
    (name, column, value)
    for name, module in TABLES.items()
    for column, kind in module.COLUMNS.items()
    for value in wrong_values(kind)
]


def test_models_whose_data_are_tables_name_their_columns():
    for name, module in MODELS.items():
        assert (name in TABLES) == isinstance(simulated(module), pd.DataFrame), name


@pytest.mark.parametrize(("name", "column", "value"), WRONG, ids=lambda x: str(x))
def test_a_wrong_value_is_refused_with_its_row_and_column(name, column, value):
    table = example(TABLES[name])
    cells = table[column].astype(object).to_list()
    cells[PLACE] = value
    table[column] = pd.Series(cells, index=table.index, dtype=object)
    before = table.copy(deep=True)
    with pytest.raises(ValueError, match=f"^row {1000 + PLACE}: {column} is "):
        TABLES[name].model(table)
    pd.testing.assert_frame_equal(table, before)
    cells[PLACE + 1] = value
    table[column] = pd.Series(cells, index=table.index, dtype=object)
    with pytest.raises(ValueError, match=r"\(2 rows have this fault; this is the first\)$"):
        TABLES[name].model(table)


@pytest.mark.parametrize("name", TABLES)
def test_columns_are_named(name):
    module = TABLES[name]
    table = example(module)
    for column in module.COLUMNS:
        with pytest.raises(ValueError, match=f"no column '{column}'"):
            module.model(table.drop(columns=column))
        with pytest.raises(ValueError, match=f"no column '{column}': did you mean (?i:{column})_?"):
            module.model(table.rename(columns={column: column.upper() if len(column) > 3 else column + "_"}))
        with pytest.raises(ValueError, match=f"'{column}' is an index of the table, not a column: call reset_index"):
            module.model(table.set_index(column))
        with pytest.raises(ValueError, match=f"2 columns named '{column}'"):
            module.model(pd.concat([table, table[[column]]], axis=1))
    with pytest.raises(ValueError, match="the table is empty"):
        module.model(table.iloc[:0])
    empty = {c: np.nan for c, kind in module.COLUMNS.items() if getattr(kind, "empty", None)}
    with pytest.raises(ValueError, match="the table has no choice at all"):
        module.model(table.assign(**empty))


@pytest.mark.parametrize("name", TABLES)
def test_types_of_columns_do_not_matter(name):
    """Nor do further columns; integers become floats as soon as one entry is missing."""
    module = TABLES[name]
    table = example(module)
    data = module.model(table)["data"]
    for dtype in ("float64", "object", "Float64"):
        other = table.astype(dtype).assign(note="x")
        assert module.model(other)["data"].data_hash() == data.data_hash()


@pytest.mark.parametrize("name", MODELS)
def test_unknown_variants_are_refused(name):
    module = MODELS[name]
    data = simulated(module)
    for ask in (lambda: module.model(data, "hyperbolik"), lambda: module.example(jax.random.key(0), "hyperbolik")):
        with pytest.raises(ValueError, match="variant is 'hyperbolik'"):
            ask()


@pytest.mark.parametrize("name", [name for name in MODELS if name not in TABLES])
def test_behavior_of_another_world_is_refused(name):
    """Numbers of states and actions that the world of the model does not have; also where no choice was seen."""
    module = MODELS[name]
    length = ziebart_2008.HORIZON
    states, actions = np.zeros((1, length + 1), int), np.zeros((1, length), int)
    far = np.where(np.arange(length + 1) == length, 10_000, states)
    with pytest.raises(ValueError, match="state number 10000; the world has"):
        module.model(gi.Trajectories.of(far, actions))
    with pytest.raises(ValueError, match=r"action number 99; the world has \d actions"):
        module.model(gi.Trajectories.of(states, actions + 99))


# -- choices of money -----------------------------------------------------------------------------


def test_choices_that_begin_at_one():
    """As 1 and 2 they were clamped to "later" throughout, which was k = .0007 and converged."""
    table = example(delay_discounting)
    with pytest.raises(
        ValueError, match=r"row 10\d\d: choice is 2; expected 0 \(sooner\) or 1 \(later\), or an empty"
    ) as caught:
        delay_discounting.model(table.assign(choice=table["choice"] + 1))
    assert "the codes begin at 1; subtract 1 from the column" in str(caught.value)


def test_offers_that_contradict_their_columns():
    table = example(delay_discounting)
    swapped = table.rename(columns={"delay_sooner": "delay_later", "delay_later": "delay_sooner"})
    with pytest.raises(ValueError, match=r"row 1000: delay_sooner is 1 and delay_later is 0; expected .* shorter"):
        delay_discounting.model(swapped)


@pytest.mark.parametrize("variant", delay_discounting.VARIANTS)
def test_an_offer_without_a_response_is_not_scored(variant):
    table = simulated(delay_discounting)
    missed = np.arange(len(table)) % 7 == 3
    k, beta = np.array([0.01, 0.02, 0.3, 0.001]), np.array([0.5, 1.0, 2.0, 0.1])

    def score(table):
        made = delay_discounting.offers(table)
        return np.asarray(made.behavior(k, beta, variant).log_prob_by("trajectory", made.data))

    with jax.enable_x64(True):
        every = score(table)
        for empty in (np.nan, None, pd.NA):
            found = score(table.assign(choice=table["choice"].astype(object).where(~missed, empty)))
            np.testing.assert_allclose(found, np.where(missed, 0.0, every), atol=1e-12)


# -- the two-step task ----------------------------------------------------------------------------

NUMBERS = {
    "learning_rate_1": 0.5,
    "learning_rate_2": 0.4,
    "beta_1": 5.0,
    "beta_2": 3.0,
    "eligibility": 0.6,
    "repetition": 0.1,
    "model_based": 0.4,
}


def two_step_score(table):
    world, data = daw_2011.recorded(table)
    behavior = gi.Behavior(world, gi.agents.two_step(**NUMBERS), gi.RecordedReward())
    return np.asarray(behavior.log_prob_by("subject", data))


COLUMNS = ["choice1", "state2", "choice2", "reward"]


def test_columns_of_hbayesdm_are_read_as_they_are():
    theirs = pd.DataFrame(
        {"subjID": [7, 7, 7], "level1_choice": [1, 2, 2], "level2_choice": [2, 3, 4], "reward": [1, 0, 1]}
    )
    ours = daw_2011.hbayesdm(theirs)
    assert ours.to_dict("list") == {
        "subject": [7, 7, 7],
        "choice1": [0, 1, 1],
        "state2": [0, 1, 1],
        "choice2": [1, 0, 1],
        "reward": [1, 0, 1],
    }
    with pytest.raises(ValueError, match="row 1: level2_choice is 5; expected 1 or 2 or 3 or 4"):
        daw_2011.hbayesdm(theirs.assign(level2_choice=[2, 5, 4]))
    with pytest.raises(ValueError, match="no column 'reward'"):
        daw_2011.hbayesdm(theirs.drop(columns="reward"))


def test_missed_responses_of_the_two_step_task():
    table = simulated(daw_2011).groupby("subject").head(30).reset_index(drop=True).astype(float)
    row = np.arange(len(table))
    table.loc[row % 5 == 1, COLUMNS] = np.nan  # the first response was missed, and the trial ended
    table.loc[row % 7 == 2, ["choice2", "reward"]] = np.nan  # the second
    table.loc[row % 11 == 3, "choice1"] = np.nan  # the first alone
    table.loc[row % 13 == 4, ["state2", "choice2", "reward"]] = np.nan  # the first was made, and the trial ended
    expected = [
        history_oracles.two_step(*own[COLUMNS].fillna(-1).to_numpy(int).T, 0.5, 0.4, 5.0, 3.0, 0.6, 0.1, 0.4).sum()
        for _, own in table.groupby("subject")
    ]
    np.testing.assert_allclose(two_step_score(table), expected, rtol=1e-9)
    seen = table[table["choice1"].notna() | table["choice2"].notna()]
    np.testing.assert_allclose(two_step_score(seen), expected, rtol=1e-9)  # a trial without any is as good as none


def test_rewards_on_another_scale_are_refused():
    table = example(daw_2011)
    with pytest.raises(ValueError, match=r"reward is -1; expected 0 \(none\) or 1 \(a reward\).*code rewards as 1"):
        daw_2011.model(table.assign(reward=2 * table["reward"] - 1))
    with pytest.raises(ValueError, match=r"reward is 0\.5; expected 0"):
        daw_2011.model(table.assign(reward=table["reward"] / 2))


@pytest.mark.parametrize(
    ("empty", "message"),
    [
        (["state2"], "state2 is empty; expected 0 or 1, for choice2 is given"),
        (["reward"], "reward is empty; expected 0 or 1, for choice2 is given"),
        (["choice2"], "choice2 is empty, but reward is 1"),
    ],
)
def test_cells_that_contradict_one_another(empty, message):
    table = example(daw_2011).astype(float).assign(reward=1.0)
    table.loc[1007, empty] = np.nan
    with pytest.raises(ValueError, match=f"row 1007: {re.escape(message)}"):
        daw_2011.model(table)


def test_second_states_that_are_numbered_the_other_way_round():
    table = simulated(daw_2011)
    one = table.assign(state2=table["state2"].where(table["subject"] != 2, 1 - table["state2"]))
    with pytest.raises(
        ValueError, match=r"subject 2: choice1 leads to state2 .* in \d+ of 150 trials; expected about 70%"
    ):
        daw_2011.model(one)
    few = one.groupby("subject").head(10)
    assert daw_2011.model(few)["data"].n_observed > 0  # so few trials tell nothing


def test_subjects_that_print_alike():
    table = example(daw_2011)
    names = [1, "1"] * (len(table) // 2)
    with pytest.raises(ValueError, match="column 'subject' holds 1 and '1', which print alike"):
        daw_2011.model(table.assign(subject=pd.Series(names, index=table.index, dtype=object)))


# -- the labyrinth --------------------------------------------------------------------------------


def test_moves_that_the_labyrinth_forbids():
    table = example(ashwood_2022)
    with pytest.raises(ValueError, match="column 't' begins at 1; expected steps that are counted from 0"):
        ashwood_2022.model(table.assign(t=table["t"] + 1))
    runs = simulated(ashwood_2022).sort_values(["traj", "t"], ignore_index=True)
    jump = runs.copy()
    jump.loc[1, "state"] = 6
    with pytest.raises(ValueError, match=r"row 0 \(trajectory 0, step 0\): action .* never leads to state 6"):
        ashwood_2022.model(jump)
    with pytest.raises(ValueError, match=r"row 2 \(trajectory 0, step 2\): the step before it is 0"):
        ashwood_2022.model(runs.drop(index=1))
    beyond = runs.assign(state=runs["state"].replace(6, 7))
    with pytest.raises(ValueError, match="unknown state 7"):
        ashwood_2022.model(beyond)


def test_steps_without_a_choice_are_not_scored():
    table = simulated(ashwood_2022)
    missed = np.arange(len(table)) % 9 == 1
    data = ashwood_2022.steps(table.assign(action=table["action"].where(~missed)))
    np.testing.assert_array_equal(data.observed[:, 0], ~missed)


def test_a_path_whose_last_state_was_not_seen_is_refused():
    """It was scored as if the path had ended in the last state of the world."""
    data = simulated(ziebart_2008)
    states = data.states.copy()
    states[0, -1] = -1
    cut = gi.Trajectories.of(states, data.actions, lengths=data.lengths)
    with pytest.raises(ValueError, match="whose last state is given"):
        ziebart_2008.model(cut)


# -- real tables ----------------------------------------------------------------------------------


@pytest.fixture
def real(shared):
    def read(*path):
        file = shared.joinpath(*path)
        if not file.is_file():
            pytest.skip(f"../shared/data/{'/'.join(path)} is absent")
        return pd.read_csv(file)

    return read


def test_the_tables_of_hbayesdm(real):
    offers = real("hbayesdm_examples", "delay_discounting.csv")
    assert len(delay_discounting.offers(offers).names) == 20
    table = real("hbayesdm_examples", "two_step.csv")
    with pytest.raises(ValueError, match="no column 'subject'"):
        daw_2011.recorded(table)
    _, data = daw_2011.recorded(daw_2011.hbayesdm(table))
    assert data.n_subjects == 11
    assert data.n_steps == 2 * len(table)


def test_the_table_of_the_nspn_cohort_numbers_its_states_the_other_way_round(real):
    table = real("twostep_nspn", "trials.csv.gz")
    table = table[(table["session"] == 1) & (table["subject"] < 40)]
    with pytest.raises(ValueError, match="subject 0: choice1 leads to state2 of the same number in"):
        daw_2011.recorded(table)
    _, data = daw_2011.recorded(table.assign(state2=1 - table["state2"]))
    assert data.n_subjects == 40
    assert data.n_observed == 2 * len(table)


def test_the_labyrinth_of_the_mice(real):
    table = real("labyrinth_mice_rewarded", "dirl_water_restricted.csv")
    table = table.assign(state=table["tree_state"], action=table["tree_action"])
    assert ashwood_2022.steps(table, levels=6).n_trajectories == len(table)
