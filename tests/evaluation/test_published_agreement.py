"""Agreement as others have published it: the same data give the same figures."""

from collections import Counter

import numpy as np
import pytest

from evaluation.agreement import cohen_kappa, kendall, pearson, spearman
from evaluation.pairwise import Choice, consistency
from tests.evaluation.published import majority, needs_judge_data, published, rows

pytestmark = needs_judge_data

CODES = {"1": 1.0, "2": 2.0, None: 3.0}


def unieval():
    """Benchmark and dimension of each published triple."""
    try:
        values = published("unieval_published")["values"]
    except OSError:
        return [("none", "none")]
    return [(benchmark, dimension) for benchmark, found in values.items() for dimension in found]


@pytest.mark.parametrize(("benchmark", "dimension"), unieval())
def test_unievals_correlations_follow_to_six_decimals(benchmark, dimension):
    """Pearson, Spearman and Kendall of its scores with people's: 42 figures in all (Zhong et al. 2022)."""
    items = rows(f"unieval_{benchmark}")
    judge, people = (np.array([item[who][dimension] for item in items]) for who in ("judge", "human"))
    found = [of(judge, people) for of in (pearson, spearman, kendall)]
    assert [round(one, 6) for one in found] == published("unieval_published")["values"][benchmark][dimension]


def test_there_are_forty_two_of_them():
    """None is left out."""
    assert 3 * len(unieval()) == 42


def test_llmbars_accuracies_and_order_agreements_follow():
    """135 accuracies and 135 agreements of 27 judges on five subsets (Zeng et al. 2024), and of each its count."""
    checked = 0
    for judge, subsets in published("llmbar_upstream_statistics").items():
        for subset, told in subsets.items():
            items = [item for item in rows("llmbar") if item["subset"] == subset]
            labels = [str(item["label"]) for item in items]
            straight, swapped = zip(*(item["verdicts"][judge] for item in items), strict=True)
            for name, verdicts in (("correct_False", straight), ("correct_True", swapped)):
                right = sum(verdict == label for verdict, label in zip(verdicts, labels, strict=True))
                assert told[name].startswith(f"{right} / {len(items)} = ")
            average = sum(a == b for one in (straight, swapped) for a, b in zip(one, labels, strict=True))
            assert float(told["correct_average"].rstrip("%")) == pytest.approx(50 * average / len(items))
            same = sum(a == b for a, b in zip(straight, swapped, strict=True))
            assert float(told["equal"].partition("= ")[2].rstrip("%")) == pytest.approx(
                100 * same / len(items)
            )
            choices = [Choice(_read(one), _read(other)) for one, other in zip(straight, swapped, strict=True)]
            both_read = sum(None not in {one.straight, one.swapped} for one in choices)
            if both_read == len(items):
                assert consistency(choices).value == pytest.approx(same / len(items))
            checked += 2
    assert checked == 270


def _read(verdict):
    return None if verdict is None else int(verdict)


def test_llmbars_kappas_follow():
    """119 exactly, 16 within 0.03, where a verdict could not be read and upstream does not say how it counts."""
    exact, near = 0, 0
    for judge, subsets in published("llmbar_upstream_statistics").items():
        for subset, told in subsets.items():
            verdicts = [item["verdicts"][judge] for item in rows("llmbar") if item["subset"] == subset]
            sides = [np.array([CODES[pair[side]] for pair in verdicts]) for side in (0, 1)]
            off = abs(cohen_kappa(*sides) - told["kappa_agreement"])
            exact += off < 1e-9
            near += 1e-9 <= off < 0.03
    assert (exact, near) == (119, 16)


def test_pandalms_kappas_and_label_counts_follow():
    """0.85, 0.88 and 0.86 between its annotators; 105, 422 and 472 labels (Wang et al. 2024)."""
    told = published("pandalm_published")
    for pair, kappa in told["kappa"].items():
        one, other = (
            np.array([row[f"annotator{number}"] for row in rows("pandalm")]) for number in pair.split("-")
        )
        assert round(cohen_kappa(one, other), 2) == kappa
    assert Counter(str(majority(row)) for row in rows("pandalm")) == told["labels"]
