"""Regression: prior of a parameter whose values depend on covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpyro.distributions import Distribution

from goalinf.checks import check_kind
from goalinf.planning.pooling import Pooling, check_number_prior, checked_spread, units_of
from goalinf.planning.shared_correlation import SharedCorrelation, checked_correlation

_GROUP = ("mean", "sd", "correlation")  # names that the group has
INTERCEPT = "1"


def regression(
    formula: str,
    prior: Distribution,
    *,
    by: str | Sequence[str] | None = None,
    spread: Distribution | None = None,
    effects: Mapping[str, Distribution] | None = None,
    slopes: str | Sequence[str] = (),
    correlation: float | SharedCorrelation | None = None,
) -> Pooling:
    r"""Prior of a parameter whose values depend on covariates, and vary between subjects (or other units).

    .. math:: g(\theta_{il}) = g(m) + x_{il}^\top b + \sigma_0 z_{i0} + \sum_k \sigma_k z_{ik} x_{ilk},
        \quad z_i \sim \mathrm{Normal}(0, R)

    for unit i and level l of the covariates x that vary within units, with the link g from the support of the prior to
    the real line, as in :func:`~goalinf.partial_pooling`. A fit then has ``agent.beta.mean`` (the median m where all
    columns of the covariates are zero, in the units of the parameter), one coefficient for each column of every term,
    such as ``agent.beta.session`` (b, on the scale of the link), ``agent.beta.sd`` (:math:`\sigma`, on the scale of the
    link), ``agent.beta.subject`` (:math:`\sigma z`, the deviation of each subject) and ``agent.beta``
    (:math:`\theta`, by subject and level of the covariates that vary within subjects).

    Covariates are columns of the data that are constant within each trajectory. Text is coded by treatment contrasts
    against its first value in alphabetical order; a pandas ``Categorical`` or ``C(session, Treatment("pre"))`` sets
    another order. ``center(age)`` and ``scale(age)`` are computed over the trajectories.

    Parameters
    ----------
    formula : str
        Right side of a formula, such as ``"1 + session * center(age)"``, in the syntax of formulaic (Wilkinson and
        Rogers, 1973). It has an intercept.
    prior : Distribution
        Prior of the median m; its support is that of the values.
    by : str or sequence of str, optional
        Units with deviations of their own. None: the covariates explain all differences.
    spread : Distribution, optional
        Prior of :math:`\sigma`, positive numbers; the same for the intercept and for every slope. Default: half-normal,
        with the standard deviation of g(m) under the prior as its scale.
    effects : mapping from term to Distribution, optional
        Priors of coefficients, on the scale of the link. Default: normal around zero, with the standard deviation of
        g(m) under the prior; divided by the standard deviation of the column, where it is not a column of zeros and
        ones.
    slopes : str or sequence of str, optional
        Terms whose coefficients vary between units: random slopes. ``agent.beta.sd`` and ``agent.beta.subject`` then
        have one entry for the intercept and for each of their columns.
    correlation : float or SharedCorrelation, optional
        Concentration :math:`\eta` of the LKJ prior :math:`p(R) \propto |R|^{\eta - 1}` of the correlations R of the
        intercept and the slopes of a unit: 1 is uniform, larger numbers favor correlations near zero. A fit then has
        ``agent.beta.correlation``, one number for each pair. A :class:`~goalinf.SharedCorrelation` that is given to
        several parameters correlates the effects of all of them. Default: effects are independent, R = 1.

    Returns
    -------
    Pooling
        The prior.

    Raises
    ------
    ValueError
        Where the formula cannot be read, has no intercept or has a left side; a prior has the wrong support; a slope is
        no term of the formula; or a correlation is given for one effect alone.

    References
    ----------
    Gelman and Hill (2007), "Data analysis using regression and multilevel/hierarchical models", sections 12 and 13;
    Lewandowski, Kurowicka and Joe (2009), "Generating random correlation matrices based on vines and extended onion
    method".

    Examples
    --------
    >>> import goalinf as gi
    >>> import numpyro.distributions as dist
    >>> beta = gi.regression("1 + session", dist.LogNormal(1.0, 0.5), by="subject", spread=dist.HalfNormal(0.5))
    >>> agent = gi.agents.soft_optimal(beta=beta)
    >>> agent.parameters["beta"].formula
    '1 + session'
    """
    terms = terms_of(formula)
    slopes = (slopes,) if isinstance(slopes, str) else tuple(slopes)
    check_number_prior("prior", prior)
    units = () if by is None else units_of(by)
    of_units = {"spread": spread is not None, "slopes": bool(slopes), "correlation": correlation is not None}
    if not units and any(of_units.values()):
        first = next(name for name, given in of_units.items() if given)
        raise ValueError(f"{first} is given without by=: name the units that vary")
    correlation = checked_correlation(correlation)
    if isinstance(correlation, float) and not slopes:
        raise ValueError(
            "correlation is given without slopes=: the deviation of a unit is one effect. Name the terms whose "
            "coefficients vary between units, or give several parameters the same gi.SharedCorrelation"
        )
    if not units and not terms:
        raise ValueError(f"formula is {formula!r} and by= is not given: nothing varies; give the prior itself")
    if wrong := sorted(set(units) & variables_of(formula)):
        raise ValueError(f"{wrong[0]!r} is in by= and in the formula; expected other covariates in the formula")
    for what, names in (("effects", effects or {}), ("slopes", slopes)):
        if unknown := [name for name in names if name not in terms]:
            raise ValueError(f"{what} names {unknown[0]!r}; the terms of {formula!r} are {', '.join(terms) or 'none'}")
    for term, coefficient in (effects or {}).items():
        check_number_prior(f"effects[{term!r}]", coefficient)
    taken = (*_GROUP, "_".join(units))
    if reserved := [term for term in terms if term in taken or "/" in term]:
        raise ValueError(
            f"the term {reserved[0]!r} cannot name a coefficient: {', '.join(filter(None, taken))} have another "
            "meaning and '/' separates groups of a file; add the column to the table under another name"
        )
    spread = checked_spread(prior, spread) if units else None
    return Pooling(prior, units, spread, formula, effects, slopes, correlation)


def terms_of(formula: str) -> tuple[str, ...]:
    """Return the terms of a formula besides the intercept.

    Raises
    ------
    ValueError
        Where it cannot be read, has no intercept, or has a left side.
    """
    terms = tuple(str(term) for term in _parsed(formula))
    if INTERCEPT not in terms:
        with_intercept = f"1 + {' + '.join(terms) or 'session'}"
        raise ValueError(
            f"formula is {formula!r}, without an intercept; expected one, such as {with_intercept!r}. For one value "
            "per level use gi.no_pooling or gi.partial_pooling with by="
        )
    return tuple(term for term in terms if term != INTERCEPT)


def variables_of(formula: str) -> set[str]:
    """Return the names of the covariates of a formula.

    Raises
    ------
    ValueError
        Where a function in it cannot be read.
    """
    from formulaic.transforms import TRANSFORMS
    from formulaic.utils.variables import Variable, get_expression_variables

    names: set[str] = set()
    for factor in {factor for term in _parsed(formula) for factor in term.factors}:
        if factor.eval_method.name == "LOOKUP":
            names.add(str(factor.expr))
        elif factor.eval_method.name == "PYTHON":
            try:
                variables = get_expression_variables(factor.expr)
            except SyntaxError:
                raise ValueError(
                    f"formula is {formula!r}, of which {factor.expr!r} cannot be read; expected a function of columns "
                    "whose names are words, such as 'center(age)'"
                ) from None
            values = [str(name) for name in variables if Variable.Role.VALUE in name.roles]
            names.update(name for name in values if name.split(".")[0] not in TRANSFORMS)
    return names


def _parsed(formula: object) -> Any:
    import formulaic  # here: half a second, and most programs have no formula

    check_kind("formula", formula, str, "text such as '1 + session'")
    try:
        parsed = formulaic.Formula(formula)
    except formulaic.errors.FormulaSyntaxError as error:
        reason = str(error).split("\n", maxsplit=1)[0]
        raise ValueError(
            f"formula is {formula!r}, which cannot be read ({reason}); expected terms such as '1 + session * age'. "
            "Units that vary are named by by=, and slopes that vary by slopes="
        ) from None
    if not isinstance(parsed, formulaic.SimpleFormula):
        raise ValueError(f"formula is {formula!r}; expected the right side alone, such as '1 + session'")
    return parsed
