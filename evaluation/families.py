"""Several criteria at once: Holm's step-down correction, so that five tests lie no more often than one (Holm 1979)."""

from collections.abc import Mapping

from statsmodels.stats.multitest import multipletests


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """The adjusted p-values by name; ValueError for one that is no probability."""
    wrong = [name for name, p in p_values.items() if not 0 <= p <= 1]
    if wrong:
        raise ValueError(f"no probability: {', '.join(wrong)}")
    if not p_values:
        return {}
    adjusted = multipletests(list(p_values.values()), method="holm")[1]
    return dict(zip(p_values, map(float, adjusted), strict=True))
