from csist_bench.speed import measures
from csist_bench.speed.measures import Measure, best_of, line_of, machine


def test_a_line_holds_name_figure_unit_and_goal():
    assert line_of(Measure("render", 0.0873, "s", "<= 0.15")).split() == [
        "render",
        "0.0873",
        "s",
        "(goal",
        "<=",
        "0.15)",
    ]
    assert line_of(Measure("rate", 15321.7, "frames/s")).split() == ["rate", "15,322", "frames/s"]
    assert line_of(Measure("error", 3.1e-13, "of the intensity")).split()[1] == "3.1e-13"


def test_the_least_of_a_few_calls_is_taken(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr(measures.time, "perf_counter", lambda: next(ticks))
    calls = []
    assert best_of(lambda: calls.append(1), 3) == 2.0
    assert len(calls) == 3


def test_the_machine_is_told():
    assert machine()["cores"] >= 1
    assert set(machine()) >= {"python", "machine", "cores", "load"}
