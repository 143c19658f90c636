"""The table of a study: the shape of its grid, the numbers of its runs, bands over its seeds."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from made_up import PRODUCT, judged, made_up, made_up_study, own
from questions import SMALL

from gflow.report.study_figures import OWN
from gflow.runs import store
from gflow.runs.findings import save_findings
from gflow.runs.run import Entry
from gflow.runs.seed_band import over_seeds
from gflow.runs.study import Study, save_table
from gflow.runs.study_table import tabulate, to_csv, to_rows, varied_keys
from gflow.scenario import parse_scenario

TOGETHER = """
[vary]
together = [
  {"network.power" = 1, "flow.end_time" = 100},
  {"network.power" = 3, "flow.end_time" = 200},
]
seed = [5, 7]
"""


@pytest.fixture(scope="module")
def run(stored):
    return replace(stored, folder=None)


@pytest.fixture(scope="module")
def study(run, tmp_path_factory):
    return made_up_study(run, tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def table(run):
    scenario = parse_scenario(SMALL + PRODUCT)
    labels = [p.label for p in scenario.points()]
    return tabulate(scenario, dict.fromkeys(labels[:-1], run), made_up(scenario))


def test_a_product_of_keys_is_a_grid_over_them(table):
    assert dict(table["loss"].sizes) == {"network.power": 2, "data.noise": 3, "seed": 2}
    assert varied_keys(table) == ["network.power", "data.noise", "seed"]
    here = table.sel({"network.power": 3, "data.noise": 0.02, "seed": 1})
    assert here["label"].item() == "power=3,noise=0.02,seed=1"
    assert (here[OWN[0]].item(), here[OWN[1]].item()) == own(3, 0.02, 1)
    assert here["conjecture-1"].item() == "HOLDS"


def test_a_row_holds_the_numbers_of_its_run(table, run):
    first = table.isel({dim: 0 for dim in table.sizes})
    last = run.record.isel(time=-1)

    assert first["outcome"].item() == "end_time" and first["time"].item() == 200
    for name in ("loss", "margin_min", "accuracy"):
        assert first[name].item() == float(last[name])
    assert first["test_accuracy"].item() == run.test["accuracy"]
    assert [first[name].item() for name in ("aligned", "escape", "fitted")] == [
        *run.evidence.phases
    ]
    assert first["steps"].item() == run.effort.steps
    assert first["evaluations"].item() == run.effort.evaluations
    assert first["seconds"].item() == run.manifest["seconds"]


def test_a_point_without_a_run_is_empty(table):
    missing = table.isel({dim: -1 for dim in table.sizes})

    assert np.isnan(missing["loss"].item()) and missing["outcome"].item() == ""
    assert missing["label"].item() == "power=3,noise=0.4,seed=2"


def test_keys_that_vary_together_share_one_dimension(run):
    scenario = parse_scenario(SMALL + TOGETHER)

    table = tabulate(scenario, {"power=3,end_time=200,seed=7": run}, {})

    assert dict(table.sizes) == {"point": 4}
    assert table["network.power"].values.tolist() == [1, 1, 3, 3]
    assert table["flow.end_time"].values.tolist() == [100, 100, 200, 200]
    assert table["seed"].values.tolist() == [5, 7, 5, 7]
    assert np.isfinite(table["loss"].values).tolist() == [False, False, False, True]


def test_values_that_are_no_numbers_are_texts(run):
    scenario = parse_scenario(
        SMALL + '[vary]\n"flow.loss" = ["exponential", "logistic"]\n"network.balanced" = [true]\n'
    )

    table = tabulate(scenario, {}, {})

    assert table["flow.loss"].values.tolist() == ["exponential", "logistic"]
    assert table["network.balanced"].values.tolist() == [True]


def test_csv_and_netcdf_give_back_the_table(study):
    save_table(study)

    with xr.open_dataset(study.folder / "table.nc", engine="h5netcdf") as stored:
        assert stored.load().equals(study.table)
    rows = list(csv.DictReader(io.StringIO((study.folder / "table.csv").read_text())))
    assert [row["label"] for row in rows] == [label for label, _ in study.entries]
    for row, expected in zip(rows, to_rows(study.table), strict=True):
        assert float(row["loss"]) == expected["loss"]
        assert float(row[OWN[1]]) == expected[OWN[1]]
        assert row["conjecture-1.own_bound"] == "B6"


def test_what_is_missing_is_an_empty_field(table):
    last = list(csv.DictReader(io.StringIO(to_csv(table))))[-1]

    assert last["label"] == "power=3,noise=0.4,seed=2" and last["loss"] == last["outcome"] == ""


def test_seeds_are_gathered_into_mean_and_range(table):
    relu, prelu = over_seeds(table, OWN[1], "data.noise")

    assert (relu.varied, prelu.varied) == ({"network.power": 1}, {"network.power": 3})
    assert prelu.x.tolist() == [0.01, 0.02, 0.4] and prelu.count == 2
    values = np.array([[own(3, noise, seed)[1] for seed in (1, 2)] for noise in prelu.x])
    np.testing.assert_allclose(prelu.mean, values.mean(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(prelu.low, values[:, 0])
    np.testing.assert_array_equal(prelu.high, values[:, 1])


def test_a_point_that_was_not_judged_is_not_in_a_band(run):
    scenario = parse_scenario(SMALL + PRODUCT)
    findings = made_up(scenario)
    for label in ("power=1,noise=0.01,seed=1", "power=1,noise=0.02,seed=1"):
        del findings[label]
    del findings["power=1,noise=0.02,seed=2"]

    relu, _ = over_seeds(tabulate(scenario, {}, findings), OWN[0], "data.noise")

    assert relu.x.tolist() == [0.01, 0.4]
    assert relu.low[0] == relu.high[0] == own(1, 0.01, 2)[0]


def test_verdicts_about_another_run_are_not_in_the_table(study, tmp_path):
    label, run = study.entries[0]
    stored = store.save(run, tmp_path / "point")
    save_findings(stored.folder, judged(0.1, 0.2))
    other = store.save(replace(run, next_step=0.5), tmp_path / "other")
    (tmp_path / "point" / "findings.json").rename(other.folder / "findings.json")

    table = Study(study.scenario, (Entry(label, other),), tmp_path).table

    assert "conjecture-1" not in table
