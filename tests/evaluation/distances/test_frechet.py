from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from worldgen.core.errors import InputError
from worldgen.evaluation.distances.frechet import (
    Moments,
    bias_curve,
    distance_of,
    frechet_distance,
    gaussian_distance,
    merge,
    resampled,
    spread_interval,
    symmetric_root,
)


def _reference(one, two):
    """The textbook formula with SciPy's general matrix root, as public implementations have it."""
    mean1, mean2 = one.mean(0), two.mean(0)
    cov1, cov2 = np.cov(one, rowvar=False), np.cov(two, rowvar=False)
    root = linalg.sqrtm(cov1 @ cov2)
    step = mean1 - mean2
    return float(step @ step + np.trace(cov1 + cov2 - 2 * np.real(root)))


def _features(rng, count, size, *, shift=0.0):
    mix = rng.normal(size=(size, size)) / np.sqrt(size)
    return rng.normal(size=(count, size)) @ mix + shift + rng.normal(size=size)


def test_equals_the_reference_implementation(rng):
    for count, size in ((400, 24), (900, 64)):
        one, two = _features(rng, count, size), _features(rng, count + 37, size, shift=0.3)
        expected = _reference(one, two)
        assert distance_of(one, two) == pytest.approx(expected, rel=1e-6)
        assert distance_of(one.astype(np.float32), two.astype(np.float32)) == pytest.approx(expected, rel=1e-4)


def test_equals_the_reference_where_covariances_are_singular(rng):
    """Fewer clips than features, the usual case of I3D; roots of products are delicate there, so the bound is
    looser."""
    one, two = _features(rng, 30, 48), _features(rng, 40, 48, shift=0.5)
    assert distance_of(one, two) == pytest.approx(_reference(one, two), rel=1e-4)


def test_the_spanned_subspace_changes_nothing(rng):
    one, two = _features(rng, 20, 64), _features(rng, 25, 64, shift=0.4)
    full = frechet_distance(Moments.of(one), Moments.of(two))
    assert distance_of(one, two) == pytest.approx(full, rel=1e-6)


def test_closed_forms_of_gaussians(rng):
    size = 12
    mean1, mean2 = rng.normal(size=size), rng.normal(size=size)
    var1, var2 = rng.uniform(0.1, 3, size), rng.uniform(0.1, 3, size)
    step = ((mean1 - mean2) ** 2).sum()
    # Diagonal covariances: the squared distance of the means plus that of the standard deviations.
    expected = step + ((np.sqrt(var1) - np.sqrt(var2)) ** 2).sum()
    assert gaussian_distance(mean1, np.diag(var1), mean2, np.diag(var2)) == pytest.approx(expected, abs=1e-6)
    # The same rotation of both changes nothing; covariances that commute keep the closed form.
    turn, _ = np.linalg.qr(rng.normal(size=(size, size)))
    turned = gaussian_distance(turn @ mean1, turn @ np.diag(var1) @ turn.T, turn @ mean2, turn @ np.diag(var2) @ turn.T)
    assert turned == pytest.approx(expected, abs=1e-6)
    # One scaled by s: (1 - s)^2 tr C.
    cov = turn @ np.diag(var1) @ turn.T
    assert gaussian_distance(mean1, cov, mean1, 2.25 * cov) == pytest.approx(0.25 * var1.sum(), abs=1e-6)


def test_two_by_two_that_do_not_commute():
    """tr (AB)^(1/2) of 2x2 matrices is sqrt(tr AB + 2 sqrt(det A det B))."""
    a, b = np.array([[2.0, 0.7], [0.7, 1.0]]), np.array([[1.0, -0.4], [-0.4, 3.0]])
    root = np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a) * np.linalg.det(b)))
    expected = np.trace(a) + np.trace(b) - 2 * root
    assert gaussian_distance(np.zeros(2), a, np.zeros(2), b) == pytest.approx(expected, abs=1e-9)


def test_identities(rng):
    one, two = _features(rng, 80, 16), _features(rng, 90, 16, shift=1.0)
    assert distance_of(one, one) == pytest.approx(0, abs=1e-9)
    assert distance_of(one, two) == pytest.approx(distance_of(two, one), rel=1e-9)
    assert distance_of(one, two) > 0
    assert distance_of(one, one + 3.0) == pytest.approx(9.0 * 16, rel=1e-9)
    # All clips of a set alike: only the means are left (as zeros against ones).
    assert distance_of(np.zeros((8, 16)), np.ones((8, 16))) == pytest.approx(16.0, rel=1e-12)


def test_root_squares_back(rng):
    a = rng.normal(size=(20, 8))
    cov = a @ a.T  # rank 8 of 20
    root = symmetric_root(cov)
    np.testing.assert_allclose(root @ root, cov, atol=1e-10)
    np.testing.assert_allclose(root, root.T, atol=1e-12)


def test_four_workers_equal_one(rng):
    features = _features(rng, 403, 32) + 1e4  # far from zero: naive sums of squares lose half their digits here
    whole = Moments.of(features)
    nothing = Moments.of(np.zeros((0, 32)))
    parts = [Moments.of(np.zeros((0, 32))) for _ in range(4)]
    for number, batch in enumerate(np.array_split(features, 29)):
        parts[number % 4].update(batch)
    before = parts[0].mean.copy()
    merged = merge(*parts)
    assert merged.count == whole.count == 403
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-13)
    np.testing.assert_allclose(merged.covariance, np.cov(features, rowvar=False), rtol=1e-7, atol=1e-9)
    other = Moments.of(_features(rng, 200, 32) + 1e4)
    assert frechet_distance(merged, other) == pytest.approx(frechet_distance(whole, other), rel=1e-9)
    assert merge(nothing, whole, nothing).count == 403
    np.testing.assert_array_equal(parts[0].mean, before)  # merging does not change its arguments
    assert sum(part.count for part in parts) == 403


def test_the_bias_falls_as_one_over_n_and_its_limit_is_the_truth(rng):
    """Two halves of one Gaussian: the distance is zero, the estimate is not; it halves when N doubles."""
    size = 16
    one, two = rng.normal(size=(3200, size)), rng.normal(size=(3200, size))
    curve = bias_curve(one, two, rng, sizes=(100, 200, 400, 800, 1600), repeats=6)
    values = np.array(curve.values)
    assert (np.diff(values) < 0).all()
    np.testing.assert_allclose(values[:-1] / values[1:], 2.0, rtol=0.2)
    # Means give 2 D / N; the covariances |E1 - E2|^2 / 4, to second order in their errors E, so D (D + 1) / (2 N).
    np.testing.assert_allclose(values, (2 * size + size * (size + 1) / 2) / np.array(curve.sizes), rtol=0.15)
    assert abs(curve.at_infinity) < 0.1 * values[0]
    shifted = bias_curve(one, two + 0.5, rng, sizes=(100, 200, 400, 800, 1600), repeats=6)
    assert shifted.at_infinity == pytest.approx(size * 0.25, rel=0.1)


@pytest.mark.parametrize(("size", "count", "step"), [(2, 3, 0.0), (2, 5, 1.0), (2, 30, 0.2), (16, 5, 0.2)])
def test_the_interval_contains_the_mean_distance_of_as_many_clips(size, count, step):
    """Percentiles contained it in 85 to 87 % of these experiments for 3 and 5 clips."""
    rng = np.random.default_rng([size, count])

    def sets() -> tuple[np.ndarray, np.ndarray]:
        return rng.normal(size=(count, size)), rng.normal(size=(count, size)) * 1.2 + step

    truth, hits, experiments = np.mean([distance_of(*sets()) for _ in range(800)]), 0, 120
    for _ in range(experiments):
        pair = sets()
        interval = spread_interval(distance_of(*pair), resampled(*pair, rng, draws=30), count)
        hits += interval.low <= truth <= interval.high
    assert hits / experiments >= 0.93


def test_the_interval_covers_the_number_and_narrows(rng):
    one, two = rng.normal(size=(400, 6)), rng.normal(size=(400, 6)) + 1
    value = distance_of(one, two)
    wide = spread_interval(distance_of(one[:60], two[:60]), resampled(one[:60], two[:60], rng, draws=80), 60)
    narrow = spread_interval(value, resampled(one, two, rng, draws=80), 400)
    assert narrow.low < value < narrow.high and narrow.high - narrow.low < 0.6 * (wide.high - wide.low)
    repeats = [distance_of(rng.normal(size=(400, 6)), rng.normal(size=(400, 6)) + 1) for _ in range(60)]
    assert np.std(repeats) == pytest.approx((narrow.high - narrow.low) / 3.92, rel=0.5)


def test_whole_drives_are_drawn_together(rng):
    """Ten copies of each clip are not ten clips: drawing whole drives keeps the interval as wide as it should be."""
    few, other = rng.normal(size=(20, 4)), rng.normal(size=(500, 4))
    copied = np.repeat(few, 10, axis=0)
    drives = np.repeat(np.arange(20), 10)
    naive = resampled(copied, other, rng, draws=60).std()
    fair = resampled(copied, other, rng, draws=60, groups=(drives, None)).std()
    assert fair > 1.8 * naive


@pytest.mark.parametrize(
    ("one", "two", "word"),
    [
        (np.zeros((4, 3)), np.zeros((4, 2)), "length of feature vectors"),
        (np.zeros((1, 3)), np.zeros((4, 3)), "at least 2"),
        (np.full((4, 3), np.nan), np.zeros((4, 3)), "not finite"),
        (np.zeros(3), np.zeros((4, 3)), "(N, D)"),
    ],
)
def test_what_has_no_distance_is_refused(one, two, word):
    with pytest.raises(InputError) as error:
        distance_of(one, two)
    assert word in str(error.value)
