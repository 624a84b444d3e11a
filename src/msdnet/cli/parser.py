"""The words of the command: every subcommand and option. Imports nothing heavy, so that help and version are fast."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable
from pathlib import Path

from msdnet import __version__
from msdnet.cli import values
from msdnet.labels import LUNG_SCHEMES


def build_parser() -> argparse.ArgumentParser:
    """The parser of every subcommand; each sets `run`, which takes the parsed words and gives the exit code."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show tracebacks and the warnings of libraries")
    parser = argparse.ArgumentParser(
        prog="msdnet",
        description="Segments COVID-19 lesions on chest CT. Research use, not a medical device.",
        epilog="exit codes: 0 done, 2 an input or option is at fault, 1 any other error",
    )
    parser.add_argument("--version", action="version", version=f"msdnet {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, module: str, text: str) -> argparse.ArgumentParser:
        description = f"{text[0].upper()}{text[1:]}."
        child = commands.add_parser(name, parents=[shared], help=text, description=description, allow_abbrev=False)
        child.set_defaults(run=_deferred(module, name.replace("-", "_")))
        return child

    child = command("segment", "segment", "segment scans and write masks, measures and a report")
    child.add_argument(
        "inputs", metavar="INPUT", nargs="+", type=Path,
        help="DICOM folder, zip or files, NIfTI (.nii, .nii.gz), NRRD, MHA, or PNG, JPG, TIFF slices",
    )  # fmt: skip
    child.add_argument(
        "-o", "--out", metavar="OUT", type=Path, required=True,
        help="result folder: new, empty, or an earlier result, which is replaced; several inputs go into OUT/<name>",
    )  # fmt: skip
    child.add_argument("--weights", metavar="NAME|PATH", help="embedded weights by name, or a folder (see msdnet info)")
    child.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    _add_engine(child)
    child.add_argument("--series", metavar="UID", help="the series to take where a folder holds several")
    grey_or_window = child.add_mutually_exclusive_group()
    grey_or_window.add_argument(
        "--window",
        metavar="LOW,HIGH",
        type=values.window,
        help="grey window of pictures and volumes that are not in HU",
    )
    grey_or_window.add_argument("--grey", action="store_true", help="take the intensities as grey levels, 0 to 255")
    child.add_argument("--flips", action="store_true", help="average over mirrored slices: slower, a little steadier")
    child.add_argument("--all-slices", action="store_true", help="do not skip slices without lung")
    lungs = child.add_mutually_exclusive_group()
    lungs.add_argument("--lung-mask", metavar="FILE", type=Path, help="a mask of the lungs that another program made")
    lungs.add_argument(
        "--lungmask", metavar="FILE", type=Path,
        help="let lungmask find lungs or lobes, with its weights from this file (needs the extra lungmask)",
    )  # fmt: skip
    child.add_argument("--lung-scheme", metavar="NAME", help=f"what its numbers mean: {', '.join(LUNG_SCHEMES)}")
    child.add_argument(
        "--zone-slices", metavar="CARINA,VEINS", type=values.slices,
        help="slices of carina and inferior pulmonary veins, as the report numbers them, for the anatomical zones",
    )  # fmt: skip
    child.add_argument(
        "--memory", metavar="GB", type=values.gigabytes,
        help="a scan that is expected to need more memory in all is refused. Default: what is free, on Linux",
    )  # fmt: skip
    child.add_argument("--dicom-pdf", action="store_true", help="write the PDF as DICOM, too, for DICOM input")
    named = child.add_mutually_exclusive_group()
    named.add_argument("--anonymous", action="store_true", help="write no DICOM, which would carry the patient's data")
    named.add_argument("--identify", action="store_true", help="name patient and study in report and PDF")
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("compare", "compare", "say what has changed between results of one person")
    child.add_argument(
        "results", metavar="RESULT", nargs="+", type=Path, help="result folders of msdnet segment, two or more"
    )
    _add_out(child, "folder of the comparison: new, empty, or an earlier one, which is replaced")
    child.add_argument(
        "--same-person",
        action="store_true",
        help="your word that they are, where the results do not tell, or tell otherwise",
    )
    child.add_argument(
        "--dates", metavar="DATE,DATE", type=values.dates, default=(),
        help="when the scans were taken, as 2024-03-01, in the order of the results, parted by commas without blanks; "
        "where these do not tell",
    )  # fmt: skip
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("export", "export", "write a network for other programs, its card inside: ONNX or a MONAI bundle")
    _add_out(child, "the ONNX file, for instance msdnet.onnx; or the bundle's folder")
    child.set_defaults(when_stopped="what was not written to its end is left out; the same command begins anew")
    child.add_argument("--bundle", action="store_true", help="a MONAI bundle instead of ONNX (needs the extra train)")
    child.add_argument("--weights", metavar="NAME|PATH", help="embedded weights by name, or a folder (see msdnet info)")
    child.add_argument(
        "--precision", choices=("f32", "int8"), default="f32", help="int8 is fitted on a synthetic CT; default: f32"
    )
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("bench", "bench", "measure how fast this machine is: MSD-Net beside its rivals, and whole studies")
    _add_out(child, "folder of the tables and the plot")
    child.set_defaults(when_stopped="what had been measured by then is in the output folder")
    child.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    child.add_argument(
        "--size",
        metavar="N",
        type=values.whole_number("--size", multiple_of=32),
        default=512,
        help="rows and columns, a multiple of 32; default: %(default)s",
    )
    child.add_argument(
        "--batch",
        metavar="N",
        type=values.whole_number("--batch"),
        default=1,
        help="slices at a time; default: %(default)s",
    )
    child.add_argument(
        "--repeats",
        metavar="N",
        type=values.whole_number("--repeats"),
        default=5,
        help="timed calls; default: %(default)s",
    )
    child.add_argument(
        "--network", metavar="TITLE", action="append", default=[], help="this one alone; may be repeated; default: all"
    )
    child.add_argument(
        "--slices", metavar="N,N", type=values.counts, default=(10, 100), help="sizes of whole studies; default: 10,100"
    )
    child.add_argument(
        "--study-network", metavar="TITLE", action="append", default=[],
        help="studies with this network, too, with random weights; may be repeated",
    )  # fmt: skip
    child.add_argument(
        "--study-size",
        metavar="N",
        type=values.whole_number("--study-size"),
        default=512,
        help="their rows and columns; default: 512",
    )
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("demo", "segment", "make a synthetic chest CT, segment it and say where the report lies")
    child.add_argument(
        "-o", "--out", metavar="OUT", type=Path, default=Path("msdnet-demo"), help="default: %(default)s"
    )
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("info", "info", "show networks, weights, label schemas and licences")
    child.add_argument("--json", action="store_true", help="for programs")

    child = command("prepare", "research", "check a data set of one's own and write its manifest")
    child.add_argument(
        "source", metavar="FOLDER", nargs="?", type=Path, help="the data set, or a CSV file; none for --layout phantom"
    )
    _add_out(child, "folder of the manifest")
    child.add_argument("--schema", metavar="NAME", default="ggo-consolidation", help="default: %(default)s")
    child.add_argument(
        "--layout",
        metavar="NAME",
        help="pictures, nifti, nnunet, medseg, covid-semiseg, manifest or phantom; else found",
    )
    child.add_argument(
        "--map", metavar="LABEL=CLASS", type=values.pair, action="append", default=[],
        help="a label's name or number in the files -> a class of the schema, or background; may be repeated",
    )  # fmt: skip
    child.add_argument(
        "--window", metavar="LOW,HIGH", type=values.window, help="grey window of files that are not in HU"
    )
    child.add_argument("--grey", action="store_true", help="take the intensities as grey levels, 0 to 255")
    child.add_argument(
        "--near-duplicate",
        metavar="R",
        type=values.correlation,
        help="correlation from which slices count as one patient's",
    )
    child.add_argument("--patients", metavar="N", type=int, help="of --layout phantom alone; default: 20")
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("train", "research", "run an experiment file: folds, final weights and their figures")
    child.add_argument("experiment", metavar="EXPERIMENT.yaml", type=Path)
    _add_fold(child)
    _add_run(child)

    child = command("cross-validate", "research", "compare several experiments on the same folds")
    child.add_argument("experiments", metavar="EXPERIMENT.yaml", nargs="+", type=Path)
    child.add_argument("--reference", metavar="NAME", help="the experiment that the others are tested against")
    _add_seed(child)
    _add_fold(child)
    _add_run(child)

    child = command("ablate", "research", "train the paper's ablation rows of an experiment with MSD-Net")
    child.add_argument("experiment", metavar="EXPERIMENT.yaml", type=Path)
    _add_seed(child)
    _add_fold(child)
    _add_run(child)

    run_help = "what train, cross-validate or ablate wrote"
    child = command("robustness", "research", "measure a run's networks on noisy, blurred and otherwise spoilt slices")
    child.add_argument("run_folder", metavar="RUN", type=Path, help=run_help)
    child.add_argument(
        "--kind", metavar="NAME", action="append", help="noise, blur, dose or contrast; may be repeated; default: all"
    )
    _add_run(child, "folder of tables and pictures; the same command goes on where it stopped")

    child = command("features", "research", "draw what a run's decoder responds to, by stage and class")
    child.add_argument("run_folder", metavar="RUN", type=Path, help=run_help)
    child.add_argument("--network", metavar="NAME", help="of the run's networks; default: the first MSD-Net")
    child.add_argument("--num-slices", metavar="N", type=int, default=2, help="default: %(default)s")
    _add_run(child, "folder of the pictures", resumes=False)

    child = command("figure", "research", "draw slices beside their truth and the labels of a run's networks")
    child.add_argument("run_folder", metavar="RUN", type=Path, help=run_help)
    child.add_argument("--num-slices", metavar="N", type=int, default=4, help="1 to 8; default: %(default)s")
    child.add_argument("--worst", action="store_true", help="the slices with the lowest DSC instead of typical ones")
    child.add_argument("--names", action="store_true", help="write the slices' names, which may come from file names")
    _add_run(child, "folder of the picture", resumes=False)

    child = command("reproduce", "research", "run every experiment of the paper and write one page about them")
    child.add_argument("--scale", choices=("quick", "full"), required=True, help="quick: small, to see that all works")
    _add_run(child, "folder of everything; the same command goes on where it stopped", data_required=False)

    child = command("evaluate", "research", "measure anybody's masks against true ones")
    child.add_argument(
        "predictions", metavar="PREDICTIONS", type=Path, nargs="+",
        help="index PNGs, NIfTI files, or results; several folders are compared as networks; LABELS follows them",
    )  # fmt: skip
    child.add_argument("labels", metavar="LABELS", type=Path, help="the truth, of the same kind and names")
    _add_out(child, "folder of the tables")
    child.add_argument("--schema", metavar="NAME", default="ggo-consolidation", help="default: %(default)s")
    child.add_argument("--groups", metavar="CSV", type=Path, help="columns name and group: which patient a slice is of")
    for side, option in (("predictions", "--values"), ("labels", "--label-values")):
        child.add_argument(
            option, metavar="OLD=NEW", type=values.pair_of_numbers, action="append", default=[],
            help=f"a number in the {side} -> its number in the schema; may be repeated",
        )  # fmt: skip
    child.add_argument(
        "--threshold", metavar="SHARE", type=float,
        help="the predictions are soft maps of the one class of --schema, marked from this share of white on",
    )  # fmt: skip
    child.add_argument(
        "--reference", metavar="NAME", help="of several predictions the folder that the others are tested against; "
        "default: the first",
    )  # fmt: skip
    child.add_argument(
        "--min-pixels", metavar="N", type=int, default=1, help="from which a slice counts as positive; default: 1"
    )
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def _add_out(child: argparse.ArgumentParser, text: str) -> None:
    child.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help=text)


def _add_engine(child: argparse.ArgumentParser) -> None:
    child.add_argument(
        "--engine", choices=("auto", "torch", "openvino", "onnxruntime"), default="auto",
        help="what computes the network; default: %(default)s, by the processor and the size of the network",
    )  # fmt: skip
    child.add_argument(
        "--precision", choices=("auto", "f32", "bf16", "int8"), default="auto",
        help="default: %(default)s, bf16 where the processor has it; f32 gives the same labels on every machine",
    )  # fmt: skip


def _add_fold(child: argparse.ArgumentParser) -> None:
    child.add_argument(
        "--fold", metavar="N", type=int, action="append", default=[],
        help="train this fold alone (from 0; may be repeated), beside others in other processes or on other machines",
    )  # fmt: skip


def _add_seed(child: argparse.ArgumentParser) -> None:
    child.add_argument(
        "--seed", metavar="N", type=int, action="append", default=[],
        help="instead of the experiments' own; repeated: train with each, and give their mean and spread",
    )  # fmt: skip


def _add_run(
    child: argparse.ArgumentParser,
    out: str = "folder of checkpoints, tables and weights; the same command goes on where it stopped",
    *,
    data_required: bool = True,
    resumes: bool = True,
) -> None:
    help_text = "what `msdnet prepare` wrote" + ("" if data_required else "; default: synthetic patients")
    child.add_argument("--data", metavar="MANIFEST", type=Path, required=data_required, help=help_text)
    _add_out(child, out)
    child.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")
    if resumes:
        child.set_defaults(when_stopped="the same command goes on from here")


def _deferred(module: str, name: str) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        code: int = getattr(importlib.import_module(f"msdnet.cli.{module}"), name)(arguments)
        return code

    return run


def with_joined_values(words: list[str]) -> list[str]:
    """`--window -1350,150` and `--memory -1` as one word each: argparse takes what begins with a minus for an option.

    Raises:
        OptionError: if dates are parted by blanks, which argparse would take for results.
    """
    for place in range(len(words) - 2):
        if words[place] == "--dates" and re.fullmatch(r"\d{4}-\d{2}-\d{2},?", words[place + 2]):
            values.dates(" ".join(words[place + 1 : place + 3]))
    for place in range(len(words) - 2, -1, -1):
        if words[place] in ("--window", "--memory") and re.match(r"-(\d|\.\d|inf|nan)", words[place + 1]):
            words[place : place + 2] = [f"{words[place]}={words[place + 1]}"]
    return words
