"""Design matrix of a regression: the covariates of a parameter at all of its levels."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from goalinf.data import Observations
from goalinf.data.covariates import covariates_of, level_names, level_numbers
from goalinf.planning.pooling import Pooling
from goalinf.planning.regression import INTERCEPT, terms_of, variables_of

_MOST_LEVELS = 1_000_000  # values of one parameter


@dataclasses.dataclass(frozen=True, eq=False)
class Design:
    """Covariates of a parameter in U units, at C combinations of the covariates that vary within units.

    Parameters
    ----------
    axes : tuple of str
        Units that have values of their own, and covariates that vary within them.
    shape : tuple of int
        Numbers of levels along the axes.
    unit_shape : tuple of int
        Numbers of levels along the axes of the units, which are the first; their product is U.
    fixed : mapping from term to float (U, C, P)
        Columns of every term besides the intercept.
    columns : mapping from term to tuple of str
        Labels of the columns; empty for a term that is one number.
    varying : float (U, C, Q)
        Columns whose coefficients vary between units; Q is 0 where none do.
    effects : tuple of str
        Names of the varying columns.
    """

    axes: tuple[str, ...]
    shape: tuple[int, ...]
    unit_shape: tuple[int, ...]
    fixed: Mapping[str, Float[np.ndarray, "U C P"]]
    columns: Mapping[str, tuple[str, ...]]
    varying: Float[np.ndarray, "U C Q"]
    effects: tuple[str, ...]

    @classmethod
    def of_levels(cls, axes: tuple[str, ...], shape: tuple[int, ...]) -> Design:
        """Return the design without covariates: every level is a unit."""
        return cls(axes, shape, shape, {}, {}, np.ones((int(np.prod(shape, dtype=int)), 1, 1)), ("intercept",))

    @property
    def units(self) -> int:
        """Number of units, U."""
        return self.varying.shape[0]

    @property
    def slopes(self) -> bool:
        """True where coefficients of covariates vary between units."""
        return self.varying.shape[2] > 1

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Numbers on which compiled programs depend."""
        return *self.fixed.values(), self.varying


def axes_of(pooling: Pooling, data: Observations) -> tuple[str, ...]:
    """Return the axes of a parameter in a data set: its units, and the covariates that vary within them.

    Raises
    ------
    TypeError, ValueError
        Where the data do not have a covariate.
    """
    if pooling.formula is None:
        return pooling.by
    unit = _units(pooling, data)
    varying = []
    for name in sorted(variables_of(pooling.formula)):
        pairs = np.unique(np.stack([unit, level_numbers(data, name)], axis=1), axis=0)
        if len(pairs) > len(np.unique(unit)):
            varying.append(name)
    return (*pooling.by, *varying)


def design_of(name: str, pooling: Pooling, data: Observations, fitted: Observations | None = None) -> Design:
    """Return the design matrix of a parameter for a data set.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    pooling : Pooling
        Its prior.
    data : Observations
        Data with the covariates.
    fitted : Observations, optional
        Data of the fit, which determine the contrasts, and the centers and scales of columns. Default: ``data``.

    Raises
    ------
    TypeError, ValueError
        Where the data do not have a covariate; a column is constant, a combination of others, or not finite; or a value
        of a covariate does not occur in the data of the fit.
    """
    axes = axes_of(pooling, data)
    levels = [level_names(data, axis) for axis in axes]
    shape = tuple(map(len, levels))
    if np.prod(shape, dtype=float) > _MOST_LEVELS:
        raise ValueError(
            f"{name} would have {' x '.join(map(str, shape))} values ({', '.join(axes)}): covariates that vary within "
            "units need few different values; round them, or average them by unit"
        )
    if pooling.formula is None:
        return Design.of_levels(axes, shape)
    sizes = shape[: len(pooling.by)]
    units = int(np.prod(sizes, dtype=int))
    frame = _at_levels(pooling, data, levels, units)
    matrix, terms = _matrix(name, pooling.formula, frame, data if fitted is None else fitted)
    by_level = {term: array.reshape(units, -1, array.shape[1]) for term, array in matrix.items()}
    columns = {term: () if names == (term,) else _labels(term, names) for term, names in terms.items()}
    varying = [np.ones((*by_level[INTERCEPT].shape[:2], 1 if pooling.by else 0))]
    varying += [by_level[term] for term in pooling.slopes]
    slopes = [name for term in pooling.slopes for name in terms[term]]
    effects = ("intercept", *slopes) if pooling.by else ()
    fixed = {term: by_level[term] for term in terms_of(pooling.formula)}
    return Design(axes, shape, sizes, fixed, columns, np.concatenate(varying, axis=2), effects)


def column_scales(pooling: Pooling, data: Observations) -> dict[str, np.ndarray]:
    """Return the scale of every column of a formula, by term: one for contrasts, else its standard deviation."""
    assert pooling.formula is not None
    frame = covariates_of(data, sorted(variables_of(pooling.formula)))
    frame = frame if len(frame.columns) else pd.DataFrame(index=range(len(data.subject)))
    matrix, _ = _matrix("", pooling.formula, frame, data)
    scales = {}
    for term, columns in matrix.items():
        binary = np.isin(columns, (-1.0, 0.0, 1.0)).all(axis=0)
        scales[term] = np.where(binary, 1.0, columns.std(axis=0))
    return scales


def _units(pooling: Pooling, data: Observations) -> np.ndarray:
    """Return the number of the unit of every trajectory; zero where there are none."""
    if not pooling.by:
        return np.zeros(len(data.subject), int)
    numbers = np.stack([level_numbers(data, unit) for unit in pooling.by], axis=1)
    return np.unique(numbers, axis=0, return_inverse=True)[1].ravel()


def _at_levels(pooling: Pooling, data: Observations, levels: list[tuple[Hashable, ...]], units: int) -> pd.DataFrame:
    """Return the covariates of a formula at all levels: units (the slower axes) times covariates within units."""
    assert pooling.formula is not None
    n_by = len(pooling.by)
    within = axes_of(pooling, data)[n_by:]
    combinations = pd.MultiIndex.from_product(levels[n_by:], names=within) if within else [()]
    columns: dict[str, Any] = {}
    for axis, name in enumerate(within):
        columns[name] = np.tile(np.asarray(combinations.get_level_values(axis)), units)  # type: ignore[union-attr]
    sizes = tuple(len(names) for names in levels[:n_by])
    numbers = [level_numbers(data, unit) for unit in pooling.by]
    unit = np.ravel_multi_index(numbers, sizes) if n_by else np.zeros(len(data.subject), int)
    used, first = np.unique(unit, return_index=True)
    row_of_unit = np.zeros(units, int)
    row_of_unit[used] = first  # a unit without data gets the covariates of the first trajectory; it has no likelihood
    between = sorted(variables_of(pooling.formula) - set(within))
    frame = covariates_of(data, between)
    for name in between:
        columns[name] = np.repeat(frame[name].iloc[row_of_unit].to_numpy(), len(combinations))
    return pd.DataFrame(columns, index=range(units * len(combinations)))


def _matrix(
    name: str, formula: str, frame: pd.DataFrame, fitted: Observations
) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]]]:
    """Return the columns of every term at the rows of a frame, coded as in the fitted data, and their names."""
    import formulaic
    from formulaic.errors import DataMismatchWarning, FactorEvaluationError

    variables = sorted(variables_of(formula))
    basis = covariates_of(fitted, variables) if variables else pd.DataFrame(index=range(len(fitted.subject)))
    try:
        of_fit = formulaic.model_matrix(formula, basis, na_action="raise")
    except (FactorEvaluationError, ValueError, TypeError) as error:
        raise ValueError(f"the formula {formula!r} cannot be computed for these data: {error}") from error
    spec = of_fit.model_spec
    _check_rank(name, formula, np.asarray(of_fit, float), spec.column_names)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            matrix = np.asarray(spec.get_model_matrix(frame, na_action="raise"), float)
        except DataMismatchWarning as error:
            raise ValueError(
                f"{name}: a covariate of {formula!r} has a value that does not occur in the fitted data ({error}); "
                "its coefficient was not inferred"
            ) from None
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name}: a column of {formula!r} is not finite: check the covariates of the table")
    slices = {str(term): columns for term, columns in spec.term_slices.items()}
    arrays = {term: matrix[:, columns] for term, columns in slices.items()}
    return arrays, {term: tuple(spec.column_names[columns]) for term, columns in slices.items() if term != INTERCEPT}


def _check_rank(name: str, formula: str, matrix: np.ndarray, names: tuple[str, ...]) -> None:
    """Refuse columns that are sums of others: the data do not separate their coefficients."""
    rank = 0
    for column in range(matrix.shape[1]):
        scaled = matrix[:, : column + 1] / np.maximum(np.abs(matrix[:, : column + 1]).max(axis=0), 1e-300)
        now = int(np.linalg.matrix_rank(scaled))
        if now == rank:
            raise ValueError(
                f"{name}: column {names[column]!r} of {formula!r} is zero or a combination of the columns before it in "
                "these data, so that its coefficient cannot be told from theirs: remove the term"
            )
        rank = now


def _labels(term: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the columns without the name of the term: ``session[T.second]`` is ``second``."""
    start, end = f"{term}[", "]"
    if not all(name.startswith(start) and name.endswith(end) for name in names):
        return names
    return tuple(name[len(start) : -len(end)].removeprefix("T.") for name in names)
