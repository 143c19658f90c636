"""The verbs about data: mnist, premise, features.

One idea: what a scenario is about can be fetched, made and looked at before anything is trained.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gflow.cli.guard import OK, guarded
from gflow.cli.options import Json, Overrides, ScenarioFile
from gflow.scenario import load_scenario

if TYPE_CHECKING:
    from gflow.measure.premise import Premise
    from gflow.scenario import Scenario

app = typer.Typer(
    help="Fetch data, make features of photographs, and see whether the premise is met.",
    no_args_is_help=True,
)


@app.command()
@guarded
def mnist(
    out: Annotated[Path | None, typer.Option(help="Folder for the files.")] = None,
) -> int:
    """Fetch MNIST, check it, and store it where scenarios look for it."""
    from gflow.data.kinds.mnist import download_folder
    from gflow.data.make.download import download_mnist

    download_mnist(out or download_folder())
    return OK


@app.command()
@guarded
def premise(
    scenario: ScenarioFile,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the picture.")] = None,
    clusters: Annotated[
        bool | None,
        typer.Option(help="Look for clusters in every class; by default if scikit-learn is there."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Say how close training samples are to subclasses around orthonormal centers.

    Of a grid the samples of its first flow are looked at.
    """
    from gflow.data.clusters import can_cluster
    from gflow.report import style
    from gflow.report.premise_report import premise_figure, premise_json, premise_lines

    wanted = can_cluster() if clusters is None else clusters
    points = load_scenario(scenario, set_ or ()).points()
    found = _premise(points[0].scenario, wanted)
    if len(points) > 1 and not as_json:
        print(f"of the first of {len(points)} flows, {points[0].label}:")
    print(json.dumps(premise_json(found), indent=2) if as_json else "\n".join(premise_lines(found)))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for path in style.save(premise_figure(found), out, "premise"):
            print(path)
    return OK


def _premise(scenario: "Scenario", clusters: bool) -> "Premise":
    """Of the training samples of one flow."""
    from gflow.measure.premise import look

    train = scenario.data.read(scenario.seed).train
    return look(train, scenario.network.grain, scenario.seed, clusters)


@app.command()
@guarded
def features(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="With a folder of images for each category.")
    ],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("features.npz"),
    network: Annotated[
        str, typer.Option(help="Pretrained network of torchvision whose last layer is left out.")
    ] = "resnet152",
    weights: Annotated[
        Path | None, typer.Option(help="State dictionary of it; else torchvision fetches one.")
    ] = None,
    extractor: Annotated[
        Path | None,
        typer.Option(metavar="FILE.py", help="File with a function `extract` of your own instead."),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out images that do not decode.")
    ] = False,
) -> int:
    """Make features of photographs; the same command goes on where it was stopped."""
    from gflow.data.make.extractors import own_extractor, tag_of, torchvision_extractor
    from gflow.data.make.photographs import write_features

    extract = own_extractor(extractor) if extractor else torchvision_extractor(network, weights)
    tag = tag_of(extractor or weights, network)
    write_features(folder, out, extract, tag, skip_broken=skip_broken, tell=print)
    return OK
