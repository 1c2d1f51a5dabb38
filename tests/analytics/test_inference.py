import json
from pathlib import Path

import numpy as np
import pytest

from cloudmap.analytics.inference import fdr
from cloudmap.errors import AnalysisError

CASES = json.loads((Path(__file__).parents[1] / "published" / "fdr.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_adjusted_p_equals_scipy(case):
    np.testing.assert_allclose(fdr(case["p"]), case["q_bh"], atol=1e-12)
    np.testing.assert_allclose(fdr(case["p"], method="by"), case["q_by"], atol=1e-12)


@pytest.mark.parametrize("p", [[], [0.1, 1.2], [0.1, np.nan], [[0.1]]])
def test_unsuitable_p_values_are_refused(p):
    with pytest.raises(AnalysisError):
        fdr(p)


def test_unknown_method_is_refused():
    with pytest.raises(AnalysisError, match="bonferroni"):
        fdr([0.1], method="bonferroni")
