"""Student's t distribution by plain integration."""

from __future__ import annotations

import math


def student_cdf(x: float, nu: float) -> float:
    """With x = √ν·tan θ the density is in proportion to cos^(ν − 1) θ; Simpson's rule from |θ| to ½π."""
    start, count = math.atan(abs(x) / math.sqrt(nu)), 20_000
    step = (0.5 * math.pi - start) / count
    heights = [math.pow(max(0.0, math.cos(start + i * step)), nu - 1.0) for i in range(count + 1)]
    area = step / 3.0 * (heights[0] + heights[-1] + 4.0 * math.fsum(heights[1::2]) + 2.0 * math.fsum(heights[2:-1:2]))
    constant = math.exp(math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu)) / math.sqrt(math.pi)
    return constant * area if x < 0.0 else 1.0 - constant * area
