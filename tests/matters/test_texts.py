import numpy as np
import polars as pl

from cloudmap.matters.texts import likeness, sketch


def _alike(one, other):
    sketches, told = sketch(pl.Series([one, other], dtype=pl.String))
    return likeness(sketches, told, np.array([0]), np.array([1]))[0]


def _dice(one, other):
    left, right = ({text[i : i + 2] for i in range(len(text) - 1)} for text in (one, other))
    return 2 * len(left & right) / (len(left) + len(right))


def test_likeness_is_the_share_of_pairs_of_characters_in_common():
    one, other = "中街十字路口路灯不亮", "中街路口的路灯不亮了"
    assert abs(_alike(one, other) - _dice(one, other)) < 0.06  # two pairs may share a bit
    assert _alike(one, one) == 1
    assert _alike("井盖缺失请处理", "tree fell over") < 0.2


def test_blanks_and_letter_case_are_left_aside():
    assert _alike("Street Light\n out", "street light out") == 1


def test_too_short_or_absent_texts_say_nothing():
    assert np.isnan(_alike(None, "路灯不亮了"))
    assert np.isnan(_alike("路灯", "路灯"))
    assert np.isnan(_alike("    ", "路灯不亮了"))


def test_many_texts_are_compared_as_one_by_one():
    rng = np.random.default_rng(3)
    words = pl.Series(["".join(rng.choice(list("路灯井盖不亮缺失垃圾中街东西"), 12)) for _ in range(400)])
    sketches, told = sketch(pl.concat([words] * 50))
    first, second = rng.integers(0, 20_000, 500), rng.integers(0, 20_000, 500)
    alike = likeness(sketches, told, first, second)
    by_hand = [_alike(words[int(i) % 400], words[int(j) % 400]) for i, j in zip(first[:20], second[:20], strict=True)]
    assert np.allclose(alike[:20], by_hand)
