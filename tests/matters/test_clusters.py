import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudmap.matters.clusters import join


def _join(n, ties, floor=0.0):
    ends = np.array([one[:2] for one in ties], dtype=np.int64).reshape(-1, 2)
    matter, linked = join(n, ends[:, 0], ends[:, 1], np.array([one[2] for one in ties], dtype=float), floor)
    return matter.tolist(), linked.tolist()


def test_a_chain_does_not_grow_past_a_pair_that_is_no_candidate():
    assert _join(3, [(0, 1, 5.0), (1, 2, 4.0)]) == ([0, 0, 2], [True, False])


def test_a_pair_that_speaks_against_outweighs_a_weaker_link():
    assert _join(3, [(0, 1, 5.0), (1, 2, 2.0), (0, 2, -3.0)])[0] == [0, 0, 2]
    assert _join(3, [(0, 1, 5.0), (1, 2, 2.0), (0, 2, -1.0)])[0] == [0, 0, 0]


def test_links_are_one_less_than_the_rows_of_a_matter():
    matter, linked = _join(4, [(0, 1, 3.0), (0, 2, 3.0), (1, 2, 3.0), (2, 3, 0.5)], floor=1.0)
    assert matter == [0, 0, 0, 3]
    assert sum(linked) == 2


def test_nothing_above_the_floor_joins_nothing():
    assert _join(3, [(0, 1, 0.0)]) == ([0, 1, 2], [False])
    assert _join(2, []) == ([0, 1], [])


ties = st.dictionaries(
    st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda pair: pair[0] < pair[1]), st.integers(-3, 5), max_size=40
)


@settings(max_examples=200, deadline=None)
@given(ties)
def test_every_pair_of_a_matter_is_a_candidate_and_order_is_of_no_account(weights):
    listed = [(i, j, float(odds)) for (i, j), odds in weights.items()]
    matter, linked = _join(12, listed)
    assert _join(12, listed[::-1])[0] == matter
    groups = {number: [row for row in range(12) if matter[row] == number] for number in matter}
    for number, rows in groups.items():
        assert number == min(rows)
        assert all((i, j) in weights for i in rows for j in rows if i < j)
    assert sum(linked) == 12 - len(groups)
