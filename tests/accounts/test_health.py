"""The verdict on a pool: equality is enough, and nothing divides by nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.accounts.health import Status, margin_ratio, status
from spec import accounts as plain

amounts = st.floats(-1e18, 1e18) | st.sampled_from((0.0, 1.0, 5e-324))


@given(amounts, amounts.map(abs), amounts.map(abs))
def test_status_and_ratio_agree_with_plain_words(equity: float, a: float, b: float):
    maintenance, initial = sorted((a, b))
    columns = [np.asarray([x]) for x in (equity, initial, maintenance)]
    assert Status(status(*columns)[0]).name.lower() == plain.status(equity, initial, maintenance)
    ratio = margin_ratio(columns[0], columns[2])[0]
    if maintenance == 0.0:
        assert ratio == 0.0
    elif equity <= 0.0:
        assert ratio == np.inf
    else:
        assert (ratio > 1.0) <= (equity < maintenance)
        assert (ratio < 1.0) <= (equity > maintenance)


def test_equality_covers():
    found = status(np.asarray([2.0, 1.0, 0.5]), np.full(3, 2.0), np.full(3, 1.0))
    assert found.tolist() == [Status.HEALTHY, Status.RESTRICTED, Status.LIQUIDATION]
