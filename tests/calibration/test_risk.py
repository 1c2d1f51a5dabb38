"""Do 80% intervals cover 80%, is P(ratio > 2) a probability, and is noise refused? The long form is `python -m benchmarks.risk`."""

import numpy as np
import pytest

from cloudmap.analytics.risk_layers import judge_layers
from cloudmap.analytics.risk_ready import make_ready
from tests.calibration.risk_cities import drawn_city, layered_city, noise_layer, told
from tests.calibration.simulated import ground, may_be

PLACE, LARGE = ground(9), ground(18)
ORIGINS = list(range(110 - 48, 110, 4))


@pytest.mark.parametrize(("kind", "mean"), [("own", 0.02), ("own", 0.2), ("own", 2.0), ("clumped", 0.2), ("drift", 2.0)])
def test_intervals_cover_what_they_say(kind, mean):
    """Whole counts make small intervals cover more than 80%; the probability transform does not."""
    made = [told(drawn_city(np.random.default_rng([31, run]), PLACE, kind, mean)) for run in range(6)]
    assert np.mean([one.coverage for one in made]) >= 0.8
    assert np.mean([one.pit for one in made]) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("mean", [0.02, 0.2, 2.0])
def test_p_above_2_is_a_probability_in_the_models_own_city(mean):
    cities = [drawn_city(np.random.default_rng([34, run]), PLACE, "own", mean) for run in range(8)]
    p, true = np.concatenate([told(city).p_above_2 for city in cities]), np.concatenate([city.ratio > 2 for city in cities])
    sure = p >= 0.8
    assert sure.sum() > 20
    assert true[sure].mean() == pytest.approx(p[sure].mean(), abs=0.08)
    assert true[~sure].mean() == pytest.approx(p[~sure].mean(), abs=0.03)


@pytest.mark.parametrize("kind", ["rough noise", "smooth noise", "very smooth noise"])
def test_a_layer_of_noise_is_refused(kind):
    """At least 95% of layers: 15 layers in each of 4 cities."""
    kept = 0
    for run in range(4):
        rng = np.random.default_rng([35, run])
        panel, _ = layered_city(rng, PLACE, effect=False)
        noise = {f"{number}": noise_layer(rng, PLACE, kind) for number in range(15)}
        kept += sum(verdict.kept for verdict in judge_layers(make_ready(panel, horizon_weeks=4), noise, ORIGINS, seed=run))
    assert may_be(0.05, kept, 60)
    assert kept <= 3


def test_a_layer_that_matters_is_kept():
    kept = 0
    for run in range(6):
        panel, layer = layered_city(np.random.default_rng([33, run]), LARGE, effect=True)
        kept += judge_layers(make_ready(panel, horizon_weeks=4), {"market_distance_m": np.log1p(layer)}, ORIGINS, seed=run)[0].kept
    assert kept >= 3
