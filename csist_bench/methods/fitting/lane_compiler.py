"""What numba compiles lanes into: a type of its own, a vector of LLVM, and the instructions that act on it.

Imported where kernels are compiled, by `lanes` alone, which says what each function does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, ConcreteTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model

LANES = 8
VECTOR = ir.VectorType(ir.DoubleType(), LANES)
INDEX = ir.IntType(32)
NUMBER = types.float64
INSTRUCTIONS = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}


class LanesType(types.Type):
    """LANES numbers side by side."""


KIND = LanesType("Lanes")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def teach(load: Any, store: Any, turn: Any, lanes_of: Any, lane: Any) -> None:
    """Tell numba what the functions of `lanes`, and + - * / between lanes, are compiled into."""
    for function, instruction in INSTRUCTIONS.items():
        _teach_arithmetic(function, instruction)
    _teach(load, KIND, _load, types.Array, types.Any)
    _teach(store, types.void, _store, types.Array, types.Any, KIND)
    _teach(turn, types.void, _turn, types.Array, types.Integer, types.Array, types.Integer)
    _teach(lanes_of, KIND, lambda context, builder, sig, args: _in_all(builder, args[0]), NUMBER)
    _teach(lane, NUMBER, lambda context, builder, sig, args: builder.extract_element(*args), KIND, types.Integer)


def _teach_arithmetic(function: Any, instruction: str) -> None:
    signatures = [signature(KIND, KIND, KIND), signature(KIND, KIND, NUMBER), signature(KIND, NUMBER, KIND)]

    @infer_global(function)
    class _Template(ConcreteTemplate):  # type: ignore[misc]
        cases = signatures

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        operands = [value if kind == KIND else _in_all(builder, value) for value, kind in zip(args, sig.args)]
        return getattr(builder, instruction)(*operands)

    for case in signatures:
        lower_builtin(function, *case.args)(lower)


def _teach(function: Any, result: Any, lower: Callable[..., Any], *arguments: Any) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(result, *args)

    lower_builtin(function, *arguments)(lower)


def _in_all(builder: Any, number: Any) -> Any:
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(INDEX, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(INDEX, LANES), [0] * LANES))


def _pointer(context: Any, builder: Any, kind: Any, array: Any, place: list[Any]) -> Any:
    made = context.make_array(kind)(context, builder, array)
    first = cgutils.get_item_pointer(context, builder, kind, made, place, wraparound=False)
    return builder.bitcast(first, VECTOR.as_pointer())


def _address(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place = [args[1]] if isinstance(sig.args[1], types.Integer) else cgutils.unpack_tuple(builder, args[1])
    return _pointer(context, builder, sig.args[0], args[0], place)


# Lanes begin anywhere in a row, so that an address is no rounder than that of a number.
def _load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(_address(context, builder, sig, args), align=8)


def _store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _address(context, builder, sig, args), align=8)
    return context.get_dummy_value()


def _turn(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    rows, first, out, which = args
    index = [context.get_constant(types.intp, i) for i in range(LANES)]
    lanes = [
        builder.load(_pointer(context, builder, sig.args[0], rows, [index[i], first]), align=8) for i in range(LANES)
    ]
    half = 1
    while half < LANES:
        # Of each two rows, `half` apart, the off-diagonal halves of every block change places.
        for i in range(LANES):
            if not i & half:
                upper = [j if not j & half else LANES + j - half for j in range(LANES)]
                lower = [j + half if not j & half else LANES + j for j in range(LANES)]
                lanes[i], lanes[i + half] = (
                    builder.shuffle_vector(lanes[i], lanes[i + half], ir.Constant(ir.VectorType(INDEX, LANES), mask))
                    for mask in (upper, lower)
                )
        half *= 2
    for i in range(LANES):
        place = [which, builder.add(first, index[i]), index[0]]
        builder.store(lanes[i], _pointer(context, builder, sig.args[2], out, place), align=8)
    return context.get_dummy_value()
