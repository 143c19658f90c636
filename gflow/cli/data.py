"""The verbs about data: mnist, cifar10, caltech256, premise, features.

They fetch, make and examine data before anything is trained.
"""

from pathlib import Path
from typing import Annotated

import typer

from gflow.cli.guard import Exit, guarded
from gflow.cli.options import Json, Overrides, ScenarioFile
from gflow.cli.request import folder_to_write
from gflow.cli.results import print_json
from gflow.scenario import load_scenario

app = typer.Typer(
    help="Fetch data, compute features of photographs, and examine whether the premise is met.",
    no_args_is_help=True,
)


@app.command()
@guarded
def mnist(
    out: Annotated[Path | None, typer.Option(help="Folder for the files.")] = None,
) -> int:
    """Download MNIST, verify it, and store it where scenarios look for it."""
    from gflow.data.caches import download_folder
    from gflow.data.kinds.mnist import FOLDER
    from gflow.data.make.mnist import download_mnist

    download_mnist(out or download_folder(FOLDER))
    return Exit.OK


@app.command()
@guarded
def cifar10(
    out: Annotated[Path | None, typer.Option(help="Folder for the files.")] = None,
) -> int:
    """Download CIFAR-10 (170 MB), verify it, and store it where scenarios look for it."""
    from gflow.data.caches import download_folder
    from gflow.data.kinds.cifar10 import FOLDER
    from gflow.data.make.cifar10 import download_cifar10

    download_cifar10(out or download_folder(FOLDER))
    return Exit.OK


@app.command()
@guarded
def caltech256(
    out: Annotated[Path | None, typer.Option(help="Folder for one folder per category.")] = None,
) -> int:
    """Download the photographs of Caltech-256 (1.2 GB), and verify them; then compute features."""
    from gflow.data.caches import download_folder
    from gflow.data.make.caltech256 import FOLDER, download_caltech256

    folder = out or download_folder(FOLDER)
    download_caltech256(folder)
    print(f"features are made by: gflow data features {folder} --out caltech256.npz")
    return Exit.OK


@app.command()
@guarded
def premise(
    scenario: ScenarioFile,
    *,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the figure.")] = None,
    clusters: Annotated[
        bool | None,
        typer.Option(help="Look for clusters in every class; default: if scikit-learn is there."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Measure how close training samples are to subclasses around orthonormal centers.

    Of a grid, the samples of its first flow are examined.
    """
    from gflow.data.clusters import can_cluster
    from gflow.measure.premise import look
    from gflow.report.premise_report import premise_figure, premise_json, premise_lines
    from gflow.report.saving import save

    folder_to_write(out)
    points = load_scenario(scenario, set_ or ()).points()
    first = points[0].scenario
    train = first.data.read(first.seed).train
    wanted = can_cluster() if clusters is None else clusters
    measured = look(train, first.network.grain, first.seed, wanted)
    if as_json:
        print_json(premise_json(measured))
    else:
        if len(points) > 1:
            print(f"of the first of {len(points)} flows, {points[0].label}:")
        print("\n".join(premise_lines(measured)))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for path in save(premise_figure(measured), out, "premise"):
            print(path)
    return Exit.OK


@app.command()
@guarded
def features(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Holds one folder of images per category.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("features.npz"),
    network: Annotated[
        str, typer.Option(help="Pretrained network of torchvision, used without its last layer.")
    ] = "resnet152",
    weights: Annotated[
        Path | None, typer.Option(help="Its state dictionary; else torchvision downloads one.")
    ] = None,
    extractor: Annotated[
        Path | None,
        typer.Option(metavar="FILE.py", help="Your own function `extract` in a file, instead."),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out images that cannot be decoded.")
    ] = False,
) -> int:
    """Compute features of photographs; the same command resumes where it was stopped."""
    from gflow.data.make.extractors import own_extractor, tag_of, torchvision_extractor
    from gflow.data.make.photographs import write_features

    extract = own_extractor(extractor) if extractor else torchvision_extractor(network, weights)
    tag = tag_of(extractor or weights, network)
    write_features(folder, out, extract, tag, skip_broken=skip_broken, tell=print)
    return Exit.OK
