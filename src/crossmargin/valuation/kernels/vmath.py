"""Branch-free scalar functions that the compiler turns into vector code: exp, log, and the normal tail.

They replace the C library's inside compiled loops, where a call to `exp` or `erfc` would keep a loop scalar. Every
product that meets a sum is an explicit fused multiply-add and no fast-math is used, so a value does not depend on
whether the vector body or the scalar remainder of a loop produced it, nor on the width of the machine's vectors.
A NaN that goes in comes out.

The approximations are our own weighted least-squares (Lawson) fits in 60 digits; the largest relative error of each,
in exact arithmetic, stands beside its coefficients.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba.core import types
from numba.extending import intrinsic  # The one thing `compiled` cannot give: an instruction, not a loop.

from crossmargin.core.compile import compiled

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238  # The leading 32 bits of ln 2: its products with small integers are exact (Cody, Waite).
LN2_LOW = 1.9082149292705877e-10
ROUNDER = 6755399441055744.0  # 1.5 · 2^52: adding it leaves the nearest integer in the low bits of the mantissa.
ROUNDER_BITS = 0x4338000000000000
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD  # The bits of √½: splits off a mantissa in [√½, √2).
MANTISSA_BITS = 52
INVERSE_ROOT_BITS = 0x5FE6EB50C7B537A9  # Lomont (2003), "Fast inverse square root", for doubles.
EXP_MIN, EXP_MAX = -708.0, 709.0  # Between them 2^k is a normal number.
INV_SQRT_TWO_PI = 0.3989422804014327
LARGE = 1e15  # Stands for infinity in a normal tail: its tenth powers still multiply without overflow.


def _fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    del typing, a, b, c  # numba asks for them; the instruction is the same for all arguments

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), build


def _widened(typing: Any) -> Any:
    del typing

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del signature, arguments
        # llvmlite's own `add` knows none of the attributes that have a value.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), build


_fused.__name__, _widened.__name__ = "fma_", "wide_"
fma_ = cast(Callable[[float, float, float], float], intrinsic(_fused))
"""a·b + c with one rounding."""
wide_ = cast(Callable[[], None], intrinsic(_widened))
"""Ask for 512-bit vectors in the function that calls it, where the machine has them; the compiler's default is 256."""


@compiled(inline=True)
def exp_(x: float) -> float:
    """e^x, to 2 units in the last place; 0 below −708 and 1.6e308 above 709.

    e^x = 2^k · e^r with k = round(x / ln 2); e^r by a polynomial of degree 10 (2e-16) on |r| ≤ ½ ln 2."""
    y = max(min(x, EXP_MAX), EXP_MIN)
    shifted = fma_(y, LOG2_E, ROUNDER)
    k = shifted - ROUNDER
    r = fma_(-k, LN2_LOW, fma_(-k, LN2_HIGH, y))
    p = fma_(2.7626357241447223e-07, r, 2.764018079620985e-06)
    p = fma_(p, r, 2.4801504347697688e-05)
    p = fma_(p, r, 1.9841170270440067e-04)
    p = fma_(p, r, 1.3888888932488599e-03)
    p = fma_(p, r, 8.333333385667782e-03)
    p = fma_(p, r, 4.166666666657314e-02)
    p = fma_(p, r, 1.6666666666554406e-01)
    p = fma_(p, r, 5.000000000000006e-01)
    p = fma_(fma_(p, r, 1.0000000000000067), r, 1.0)
    exponent = np.int64(np.float64(shifted).view(np.int64) - ROUNDER_BITS + 1023)
    scale = np.int64(exponent << MANTISSA_BITS).view(np.float64)
    return 0.0 if x < EXP_MIN else p * scale


@compiled(inline=True)
def log_(x: float) -> float:
    """ln x of a positive normal number, to 2 units in the last place.

    x = 2^k · m, m in [√½, √2); ln m = 2 artanh s, s = (m − 1)/(m + 1), by an odd polynomial of degree 17 (3e-20)."""
    bits = np.float64(x).view(np.int64)
    k = (bits - SQRT_HALF_BITS) >> MANTISSA_BITS
    f = np.int64(bits - (k << MANTISSA_BITS)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = fma_(0.13086626147840102, z, 0.13268773138656886)
    p = fma_(p, z, 0.15386239702814658)
    p = fma_(p, z, 0.18181795640132906)
    p = fma_(p, z, 0.22222222391713917)
    p = fma_(p, z, 0.28571428570803614)
    p = fma_(p, z, 0.4000000000000088)
    p = fma_(p, z, 0.6666666666666666)
    # ln(1 + f) = f − s·(f − z·p): the leading term is exact (Tang's form for 2s = f − s·f).
    tail = fma_(s, fma_(z, p, -f), k * LN2_LOW)
    return fma_(float(k), LN2_HIGH, f + tail)


@compiled(inline=True)
def inverse_root_(x: float) -> float:
    """1/√x of a positive normal number, to 2 units in the last place; finite at 0, so that x · 1/√x is √x there too.

    A guess from the bits (3 %), then y ← y·(1 + h/2 + 3h²/8 + 5h³/16), h = 1 − x·y², twice: 4 % becomes 6e-6, then
    rounding. A vector of them takes half the time of square roots, which share one slow unit with divisions."""
    y = float(np.int64(INVERSE_ROOT_BITS - (np.float64(x).view(np.int64) >> 1)).view(np.float64))
    h = fma_(-x * y, y, 1.0)
    y = fma_(y, h * fma_(fma_(0.3125, h, 0.375), h, 0.5), y)
    h = fma_(-x * y, y, 1.0)
    return fma_(y, h * fma_(fma_(0.3125, h, 0.375), h, 0.5), y)


@compiled(inline=True)
def mills_top_(x: float) -> float:
    """Numerator of Mills' ratio N(−x)/φ(x) for x ≥ 0; all coefficients are positive, so nothing cancels."""
    p = fma_(0.9999999999999996, x, 25.427802561450502)
    p = fma_(p, x, 319.68438045881504)
    p = fma_(p, x, 2560.7788760403378)
    p = fma_(p, x, 14268.008844680331)
    p = fma_(p, x, 57080.95206624223)
    p = fma_(p, x, 163832.96844574768)
    p = fma_(p, x, 326332.37344016635)
    p = fma_(p, x, 412817.4845248744)
    return fma_(p, x, 257392.23586212914)


@compiled(inline=True)
def mills_bottom_(x: float) -> float:
    """Denominator of Mills' ratio for x ≥ 0: `mills_top_(x) / mills_bottom_(x)` is within 4e-16 on [0, ∞)."""
    p = x + 25.42780256144945
    p = fma_(p, x, 320.684380459243)
    p = fma_(p, x, 2586.2066785345237)
    p = fma_(p, x, 14585.693230623032)
    p = fma_(p, x, 59590.875066764725)
    p = fma_(p, x, 177471.61739664522)
    p = fma_(p, x, 378545.83951199363)
    p = fma_(p, x, 551240.841282637)
    p = fma_(p, x, 493241.68393559055)
    return fma_(p, x, 205369.29106492252)


@compiled(inline=True)
def quick_mills_top_(x: float) -> float:
    """Numerator of Mills' ratio for x ≥ 0, one degree lower: for prices to 1e-14 of the forward."""
    p = fma_(1.0000000000000167, x, 21.66506565946099)
    p = fma_(p, x, 231.38736083772469)
    p = fma_(p, x, 1557.090325442466)
    p = fma_(p, x, 7149.759218340883)
    p = fma_(p, x, 22856.04673502768)
    p = fma_(p, x, 49766.754324870686)
    p = fma_(p, x, 68063.23183744062)
    return fma_(p, x, 45726.36478122327)


@compiled(inline=True)
def quick_mills_bottom_(x: float) -> float:
    """Denominator of Mills' ratio for x ≥ 0: with `quick_mills_top_` within 2e-14 on [0, ∞)."""
    p = x + 21.66506565949266
    p = fma_(p, x, 232.38736082782822)
    p = fma_(p, x, 1578.7553922975446)
    p = fma_(p, x, 7379.146504363997)
    p = fma_(p, x, 24369.809756099938)
    p = fma_(p, x, 56463.66787717934)
    p = fma_(p, x, 88023.00909766741)
    p = fma_(p, x, 83416.90977974892)
    return fma_(p, x, 36484.36048057736)


@compiled(inline=True)
def mills_loss_top_(x: float) -> float:
    """Numerator of 1 − x·N(−x)/φ(x) for x ≥ 0, the normal model's price of being out of the money."""
    p = fma_(0.9999999999999992, x, 26.366587282307588)
    p = fma_(p, x, 350.6342648985272)
    p = fma_(p, x, 3016.4201800874066)
    p = fma_(p, x, 18307.04644984871)
    p = fma_(p, x, 80929.72556287206)
    p = fma_(p, x, 260623.86576991627)
    p = fma_(p, x, 592352.0829272635)
    p = fma_(p, x, 871532.9271705522)
    return fma_(p, x, 646855.6697433635)


@compiled(inline=True)
def mills_loss_bottom_(x: float) -> float:
    """Denominator of 1 − x·N(−x)/φ(x) for x ≥ 0; the ratio is within 7e-16 on [0, ∞)."""
    p = x + 26.36658728230552
    p = fma_(p, x, 353.6342648994699)
    p = fma_(p, x, 3095.5199417681074)
    p = fma_(p, x, 19352.949259768942)
    p = fma_(p, x, 89820.78573600677)
    p = fma_(p, x, 313483.2305639603)
    p = fma_(p, x, 818149.3274845007)
    p = fma_(p, x, 1557890.4267752615)
    p = fma_(p, x, 2053879.4619396168)
    p = fma_(p, x, 1682246.2828626756)
    return fma_(p, x, 646855.6697433635)


@compiled(inline=True)
def phi_(x: float) -> float:
    """The normal density e^(−x²/2)/√(2π), to 4 units in the last place (the square's rounding is made good)."""
    square = x * x
    return INV_SQRT_TWO_PI * exp_(-0.5 * square) * fma_(-0.5, fma_(x, x, -square), 1.0)


@compiled(inline=True)
def ndtr_(x: float) -> float:
    """The normal distribution function N(x), to 1e-15 relative in both tails down to N(−37)."""
    capped = min(abs(x), LARGE)
    tail = phi_(capped) * (mills_top_(capped) / mills_bottom_(capped))
    return 1.0 - tail if x > 0.0 else tail
