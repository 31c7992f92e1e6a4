"""Student's distribution function against plain integration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossmargin.scenarios.kernels.copulas import student_cdf
from spec.kernels import copulas as spec
from tests.strategies import few


@few
@given(st.floats(2.05, 60.0), st.floats(-60.0, 60.0))
def test_student_cdf(nu, x):
    found = student_cdf(np.array([[x, -x]]), np.array([nu]))[0]
    assert found[0] == pytest.approx(spec.student_cdf(x, nu), rel=2e-7, abs=1e-300)
    assert found.sum() == pytest.approx(1.0, abs=1e-15)
