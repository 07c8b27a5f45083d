"""Our t distribution against scipy's."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from trtbench.figures.student_t import quantile, two_sided_tail

degrees = st.floats(min_value=1.0, max_value=1e4)


@given(t=st.floats(min_value=0.0, max_value=200.0), df=degrees)
@example(t=1.2e-7, df=128.0)  # df / (df + t²) is 1 to the last digit
def test_the_tail_is_scipys(t: float, df: float) -> None:
    assert two_sided_tail(t, df) == pytest.approx(2 * stats.t.sf(t, df), rel=1e-8, abs=1e-14)


@given(level=st.floats(min_value=0.01, max_value=0.9999), df=degrees)
def test_the_quantile_is_scipys(level: float, df: float) -> None:
    assert quantile(level, df) == pytest.approx(stats.t.ppf((1 + level) / 2, df), rel=1e-8)


@pytest.mark.parametrize(
    ("level", "df", "t"), [(0.95, 1, 12.706), (0.95, 4, 2.776), (0.90, 8, 1.860), (0.99, 10, 3.169), (0.95, 120, 1.980)]
)
def test_the_table_in_every_textbook(level: float, df: float, t: float) -> None:
    assert quantile(level, df) == pytest.approx(t, abs=0.0006)
