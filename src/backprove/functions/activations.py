"""Records of the activation functions of neural networks."""

from __future__ import annotations

from math import inf, isfinite

from backprove.errors import InputError
from backprove.functions import values
from backprove.functions.records import Asymptote, FunctionRecord, Interval, Kink

_RELU_NOTE = (
    "Undefined there; every number in [0, 1] is a subgradient. 0 is taken, as in PyTorch and JAX "
    "(jax.nn.relu; the gradient of maximum(x, 0) is 1/2 there in JAX)."
)
_RISES = (Asymptote(-inf, 0.0, 0.0), Asymptote(inf, 1.0, 0.0))
_FROM_ZERO = Interval(0.0, inf, low_closed=True)

_GELU_TANH_INNER = "sqrt(2/pi)*(x + 0.044715*x**3)"
_GELU_TANH_SLOPE = "sqrt(2/pi)*(1 + 0.134145*x**2)"

SMOOTH = (
    FunctionRecord(
        name="sigmoid",
        aliases=("σ", "logistic"),
        value=values.sigmoid,
        formula="1/(1 + exp(-x))",
        derivative="sigmoid(x)*(1 - sigmoid(x))",
        second_derivative="sigmoid(x)*(1 - sigmoid(x))*(1 - 2*sigmoid(x))",
        latex=r"\sigma\left({0}\right)",
        formula_latex=r"\frac{1}{1 + e^{-x}}",
        source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 3.30 and 3.34",
        range=Interval(0.0, 1.0),
        asymptotes=(Asymptote(-inf, 0.0, 0.0), Asymptote(inf, 0.0, 1.0)),
        monotone="increasing",
        strict=True,
        lipschitz=0.25,
    ),
    FunctionRecord(
        name="logsigmoid",
        aliases=("log_sigmoid",),
        value=values.logsigmoid,
        formula="-log(1 + exp(-x))",
        derivative="sigmoid(-x)",
        second_derivative="-sigmoid(x)*(1 - sigmoid(x))",
        latex=r"\ln\left(\sigma\left({0}\right)\right)",
        formula_latex=r"-\ln\left(1 + e^{-x}\right)",
        source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 3.36",
        range=Interval(-inf, 0.0),
        asymptotes=(Asymptote(-inf, 1.0, 0.0), Asymptote(inf, 0.0, 0.0)),
        monotone="increasing",
        strict=True,
        lipschitz=1.0,
    ),
    FunctionRecord(
        name="softplus",
        value=values.softplus,
        formula="log(1 + exp(x))",
        derivative="sigmoid(x)",
        second_derivative="sigmoid(x)*(1 - sigmoid(x))",
        latex=r"\operatorname{{softplus}}\left({0}\right)",
        formula_latex=r"\ln\left(1 + e^{x}\right)",
        source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 3.31 and 3.37",
        range=Interval(0.0, inf),
        asymptotes=_RISES,
        monotone="increasing",
        strict=True,
        lipschitz=1.0,
    ),
    FunctionRecord(
        name="gelu",
        value=values.gelu,
        formula="x*(1 + erf(x/sqrt(2)))/2",
        derivative="(1 + erf(x/sqrt(2)))/2 + x*exp(-x**2/2)/sqrt(2*pi)",
        second_derivative="(2 - x**2)*exp(-x**2/2)/sqrt(2*pi)",
        latex=r"\operatorname{{GELU}}\left({0}\right)",
        formula_latex=r"\frac{x}{2}\left(1 + \operatorname{erf}\left(\frac{x}{\sqrt{2}}\right)"
        r"\right)",
        source="Hendrycks and Gimpel, arXiv:1606.08415, section 2",
        range=Interval(-0.16997120747990366, inf, low_closed=True),
        asymptotes=_RISES,
        lipschitz=1.1289041451851548,
    ),
    FunctionRecord(
        name="gelu_tanh",
        value=values.gelu_tanh,
        formula=f"x*(1 + tanh({_GELU_TANH_INNER}))/2",
        derivative=f"(1 + tanh({_GELU_TANH_INNER}))/2"
        f" + x*(1 - tanh({_GELU_TANH_INNER})**2)*{_GELU_TANH_SLOPE}/2",
        second_derivative=f"(1 - tanh({_GELU_TANH_INNER})**2)*({_GELU_TANH_SLOPE}"
        f" + x*(0.134145*sqrt(2/pi)*x - tanh({_GELU_TANH_INNER})*({_GELU_TANH_SLOPE})**2))",
        latex=r"\operatorname{{GELU\_tanh}}\left({0}\right)",
        formula_latex=r"\frac{x}{2}\left(1 + \tanh\left(\sqrt{\frac{2}{\pi}}"
        r"\left(x + 0.044715 x^3\right)\right)\right)",
        source="Hendrycks and Gimpel, arXiv:1606.08415, section 2 (approximation)",
        range=Interval(-0.17004075057125405, inf, low_closed=True),
        asymptotes=_RISES,
        lipschitz=1.1289930686587718,
    ),
    FunctionRecord(
        name="silu",
        aliases=("swish",),
        value=values.silu,
        formula="x/(1 + exp(-x))",
        derivative="sigmoid(x)*(1 + x*(1 - sigmoid(x)))",
        second_derivative="sigmoid(x)*(1 - sigmoid(x))*(2 + x*(1 - 2*sigmoid(x)))",
        latex=r"\operatorname{{SiLU}}\left({0}\right)",
        formula_latex=r"\frac{x}{1 + e^{-x}}",
        source="Elfwing, Uchibe, Doya, arXiv:1702.03118; Ramachandran et al., arXiv:1710.05941",
        range=Interval(-0.27846454276107380, inf, low_closed=True),
        asymptotes=_RISES,
        lipschitz=1.0998393201288669,
    ),
    FunctionRecord(
        name="mish",
        value=values.mish,
        formula="x*tanh(log(1 + exp(x)))",
        derivative="tanh(softplus(x)) + x*sigmoid(x)*(1 - tanh(softplus(x))**2)",
        second_derivative="sigmoid(x)*(1 - tanh(softplus(x))**2)"
        "*(2 + x*(1 - sigmoid(x) - 2*sigmoid(x)*tanh(softplus(x))))",
        latex=r"\operatorname{{Mish}}\left({0}\right)",
        formula_latex=r"x \tanh\left(\ln\left(1 + e^{x}\right)\right)",
        source="Misra, arXiv:1908.08681, eq. 1",
        range=Interval(-0.30884341301725040, inf, low_closed=True),
        asymptotes=_RISES,
        lipschitz=1.0884981612517279,
    ),
    FunctionRecord(
        name="softsign",
        value=values.softsign,
        formula="x/(1 + abs(x))",
        derivative="1/(1 + abs(x))**2",
        second_derivative="-2*sign(x)/(1 + abs(x))**3",
        latex=r"\operatorname{{softsign}}\left({0}\right)",
        formula_latex=r"\frac{x}{1 + \left|x\right|}",
        source="Glorot and Bengio, AISTATS 2010, section 3",
        range=Interval(-1.0, 1.0),
        asymptotes=(Asymptote(-inf, 0.0, -1.0), Asymptote(inf, 0.0, 1.0)),
        monotone="increasing",
        strict=True,
        lipschitz=1.0,
        symmetry="odd",
    ),
)

PIECEWISE = (
    FunctionRecord(
        name="relu",
        value=values.relu,
        formula="maximum(x, 0)",
        derivative="x > 0",
        second_derivative="0",
        latex=r"\operatorname{{ReLU}}\left({0}\right)",
        formula_latex=r"\max\left(x, 0\right)",
        source="Nair and Hinton, ICML 2010; Glorot, Bordes, Bengio, AISTATS 2011",
        range=_FROM_ZERO,
        kinks=(Kink(0.0, 0.0, 0.0, 1.0, _RELU_NOTE),),
        asymptotes=_RISES,
        monotone="increasing",
        lipschitz=1.0,
    ),
    FunctionRecord(
        name="relu6",
        value=values.relu6,
        formula="minimum(maximum(x, 0), 6)",
        derivative="(x > 0)*(x < 6)",
        second_derivative="0",
        latex=r"\operatorname{{ReLU6}}\left({0}\right)",
        formula_latex=r"\min\left(\max\left(x, 0\right), 6\right)",
        source="Howard et al., arXiv:1704.04861; PyTorch documentation of ReLU6",
        range=Interval(0.0, 6.0, low_closed=True, high_closed=True),
        kinks=(
            Kink(0.0, 0.0, 0.0, 1.0, "0 is taken, as in PyTorch and JAX."),
            Kink(6.0, 0.0, 1.0, 0.0, "0 is taken, as in PyTorch and JAX."),
        ),
        asymptotes=(Asymptote(-inf, 0.0, 0.0), Asymptote(inf, 0.0, 6.0)),
        monotone="increasing",
        lipschitz=1.0,
    ),
    FunctionRecord(
        name="hardtanh",
        value=values.hardtanh,
        formula="minimum(maximum(x, -1), 1)",
        derivative="(x > -1)*(x < 1)",
        second_derivative="0",
        latex=r"\operatorname{{hardtanh}}\left({0}\right)",
        formula_latex=r"\min\left(\max\left(x, -1\right), 1\right)",
        source="Collobert, Large Scale Machine Learning (2004); PyTorch documentation of Hardtanh",
        range=Interval(-1.0, 1.0, low_closed=True, high_closed=True),
        kinks=(
            Kink(-1.0, 0.0, 0.0, 1.0, "0 is taken, as in PyTorch; JAX takes 1."),
            Kink(1.0, 0.0, 1.0, 0.0, "0 is taken, as in PyTorch; JAX takes 1."),
        ),
        asymptotes=(Asymptote(-inf, 0.0, -1.0), Asymptote(inf, 0.0, 1.0)),
        monotone="increasing",
        lipschitz=1.0,
        symmetry="odd",
    ),
    FunctionRecord(
        name="hardsigmoid",
        value=values.hardsigmoid,
        formula="minimum(maximum(x + 3, 0), 6)/6",
        derivative="(x > -3)*(x < 3)/6",
        second_derivative="0",
        latex=r"\operatorname{{hardsigmoid}}\left({0}\right)",
        formula_latex=r"\frac{1}{6} \min\left(\max\left(x + 3, 0\right), 6\right)",
        source="Howard et al., arXiv:1905.02244, section 5.2",
        range=Interval(0.0, 1.0, low_closed=True, high_closed=True),
        kinks=(
            Kink(-3.0, 0.0, 0.0, 1 / 6, "0 is taken, as in PyTorch and JAX."),
            Kink(3.0, 0.0, 1 / 6, 0.0, "0 is taken, as in PyTorch and JAX."),
        ),
        asymptotes=(Asymptote(-inf, 0.0, 0.0), Asymptote(inf, 0.0, 1.0)),
        monotone="increasing",
        lipschitz=1 / 6,
    ),
    FunctionRecord(
        name="selu",
        value=values.selu,
        formula="1.0507009873554805*where(x > 0, x, 1.6732632423543772*(exp(x) - 1))",
        derivative="1.0507009873554805*where(x > 0, 1, 1.6732632423543772*exp(minimum(x, 0)))",
        second_derivative="1.0507009873554805*where(x > 0, 0, "
        "1.6732632423543772*exp(minimum(x, 0)))",
        latex=r"\operatorname{{SELU}}\left({0}\right)",
        formula_latex=r"1.0507 \begin{cases} x & x > 0 \\ 1.67326 \left(e^{x} - 1\right) & x \le 0"
        r" \end{cases}",
        source="Klambauer et al., arXiv:1706.02515, eq. 2 and 14",
        range=Interval(-values.SELU_SCALE * values.SELU_ALPHA, inf),
        kinks=(
            Kink(
                0.0,
                values.SELU_SCALE * values.SELU_ALPHA,
                values.SELU_SCALE * values.SELU_ALPHA,
                values.SELU_SCALE,
                "The slope of the left side is taken, as in PyTorch and JAX.",
            ),
        ),
        asymptotes=(
            Asymptote(-inf, 0.0, -values.SELU_SCALE * values.SELU_ALPHA),
            Asymptote(inf, values.SELU_SCALE, 0.0),
        ),
        monotone="increasing",
        strict=True,
        lipschitz=values.SELU_SCALE * values.SELU_ALPHA,
    ),
)


def leaky_relu(slope: float = 0.01) -> FunctionRecord:
    """The record of the leaky ReLU with a given slope below 0.

    Args:
        slope: factor of negative arguments, any finite number.

    Returns:
        The record; its facts hold for this slope.

    Raises:
        InputError: the slope is not finite.

    >>> leaky_relu(0.2).derivative, leaky_relu(-0.2).monotone
    ('where(x > 0, 1, 0.2)', 'neither')
    """
    slope = _finite("leaky_relu", "slope", slope)
    text = _exact(slope)
    kink = Kink(
        0.0, slope, slope, 1.0, "The slope of the left side is taken, as in PyTorch; JAX takes 1."
    )
    return FunctionRecord(
        name="leaky_relu",
        value=lambda x: values.leaky_relu(x, slope=slope),
        formula=f"where(x > 0, x, {text}*x)",
        derivative=f"where(x > 0, 1, {text})",
        second_derivative="0",
        latex=r"\operatorname{{LeakyReLU}}\left({0}\right)",
        formula_latex=rf"\begin{{cases}} x & x > 0 \\ {slope:.6g} x & x \le 0 \end{{cases}}",
        source="Maas, Hannun, Ng, ICML 2013 workshop on deep learning for audio, eq. 2",
        parameters={"slope": slope},
        range=Interval() if slope > 0 else _FROM_ZERO,
        kinks=() if slope == 1 else (kink,),
        asymptotes=(Asymptote(-inf, slope, 0.0), Asymptote(inf, 1.0, 0.0)),
        monotone="increasing" if slope >= 0 else "neither",
        strict=slope > 0,
        lipschitz=max(1.0, abs(slope)),
        symmetry={1.0: "odd", -1.0: "even"}.get(slope, "none"),  # type: ignore[arg-type]
    )


def elu(alpha: float = 1.0) -> FunctionRecord:
    """The record of the exponential linear unit with a given scale below 0.

    Args:
        alpha: minus the limit towards -infinity, any finite number.

    Returns:
        The record; its facts hold for this ``alpha``.

    Raises:
        InputError: ``alpha`` is not finite.

    >>> elu().kinks, elu(2.0).kinks[0].left, elu(2.0).lipschitz
    ((), 2.0, 2.0)
    """
    alpha = _finite("elu", "alpha", alpha)
    plain = alpha == 1
    factor = "" if plain else f"{_exact(alpha)}*"
    below = "exp(x) - 1" if plain else f"{factor}(exp(x) - 1)"
    below_latex = "e^{x} - 1" if plain else rf"{alpha:.6g} \left(e^{{x}} - 1\right)"
    kink = Kink(
        0.0, alpha, alpha, 1.0, "The slope of the left side is taken, as in PyTorch and JAX."
    )
    return FunctionRecord(
        name="elu",
        value=lambda x: values.elu(x, alpha=alpha),
        formula=f"where(x > 0, x, {below})",
        derivative=f"where(x > 0, 1, {factor}exp(minimum(x, 0)))",
        second_derivative=f"where(x > 0, 0, {factor}exp(minimum(x, 0)))",
        latex=r"\operatorname{{ELU}}\left({0}\right)",
        formula_latex=rf"\begin{{cases}} x & x > 0 \\ {below_latex} & x \le 0 \end{{cases}}",
        source="Clevert, Unterthiner, Hochreiter, arXiv:1511.07289, eq. 15",
        parameters={"alpha": alpha},
        range=Interval(-alpha, inf) if alpha > 0 else _FROM_ZERO,
        kinks=() if plain else (kink,),
        asymptotes=(Asymptote(-inf, 0.0, -alpha), Asymptote(inf, 1.0, 0.0)),
        monotone="increasing" if alpha >= 0 else "neither",
        strict=alpha > 0,
        lipschitz=max(1.0, abs(alpha)),
    )


def _finite(function: str, parameter: str, value: float) -> float:
    number = float(value)
    if not isfinite(number):
        raise InputError(
            f"{function} was given {parameter} = {value}, expected a finite number.",
            hint=f"Leave {parameter} out for its usual value.",
        )
    return number


def _exact(number: float) -> str:
    """The shortest text that reads back as the same number, without a needless ``.0``."""
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)


FAMILIES = {"leaky_relu": leaky_relu, "elu": elu}

RECORDS = SMOOTH + PIECEWISE + tuple(family() for family in FAMILIES.values())
