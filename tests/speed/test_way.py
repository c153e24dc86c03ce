import pytest
import torch

from csist_bench.speed.way import Way
from csist_bench.training.recipe import TrainingRecipe


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_products_are_of_the_number_type(precision: str, dtype: torch.dtype) -> None:
    way = Way.of("cpu", precision)  # type: ignore[arg-type]
    with way.rounding():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
    assert way.dtype == precision
    assert not way.on_gpu


def test_a_recipe_is_carried_out_that_way_and_keeps_its_own_number_type_by_default() -> None:
    own = TrainingRecipe(precision="tf32")
    assert Way.of("cpu").changed(own) == own
    changed = Way.of("cpu", "bfloat16", True).changed(own)
    assert (changed.precision, changed.compile) == ("bfloat16", True)


def test_tf32_is_of_training_alone() -> None:
    way = Way.of("cpu", "tf32")
    assert way.dtype == "float32"
    assert way.changed(TrainingRecipe()).precision == "tf32"
