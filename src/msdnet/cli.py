"""The command `msdnet`. Each subcommand is one function with imports of its own, so that help and version are fast."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import math
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from msdnet import __version__
from msdnet.errors import InputError, MsdnetError, OptionError

if TYPE_CHECKING:
    from msdnet.scans.scan import ScanInput
    from msdnet.study import StudyResult

_LICENCES = ("LICENSE", "LICENSE-WEIGHTS", "NOTICE-DATA")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: The words after `msdnet`; those of the process by default.

    Returns:
        The exit code: 0, 2 where an input or option is at fault, 1 for any other error, 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal or pipe that lacks a character must not end a run
    try:
        arguments = _parser().parse_args(_with_joined_window(sys.argv[1:] if argv is None else list(argv)))
    except MsdnetError as error:
        _complain(str(error))
        return error.exit_code
    try:
        with _termination_as_exit(), contextlib.nullcontext() if arguments.debug else _silent_libraries():
            code: int = arguments.run(arguments)
            sys.stdout.flush()
            return code
    except MsdnetError as error:
        _report_failure(error, arguments.debug)
        return error.exit_code
    except KeyboardInterrupt:
        _complain("stopped; nothing unfinished was left in the output folder")
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 -- the last line of defence of the command
        _report_failure(error, arguments.debug)
        return 1


def segment(arguments: argparse.Namespace) -> int:
    """`msdnet segment`: one result folder per scan; what cannot be read costs only itself.

    What can be refused without the heavy libraries is refused before they are loaded. On the console an input goes by
    the path the user gave, also where it names the patient; no file that is written holds it.
    """
    from msdnet.prediction.device import check_device
    from msdnet.reporting.result_folder import check_out, check_writable
    from msdnet.scans.kinds import check_inputs
    from msdnet.weights.folders import find_weights

    check_inputs(arguments.inputs)
    find_weights(arguments.weights)
    check_device(arguments.device)
    check_writable(arguments.out)

    from msdnet.scans import find_scans

    scan_inputs = find_scans(arguments.inputs, series=arguments.series)
    several = len(scan_inputs) > 1
    for scan_input in scan_inputs:
        check_out(arguments.out / scan_input.name if several else arguments.out)

    with _progress_bar(len(scan_inputs), quiet=arguments.quiet) as advance:
        results, failures = _segment_all(scan_inputs, arguments, advance)
    if not arguments.quiet:
        for scan_input, result in results:
            if several:
                print(f"\n{scan_input.shown} -> {result.folder}")
            _print_result(result)
    for scan_input, error in failures:
        _report_failure(error, arguments.debug, name=scan_input.shown if several else "")
    if failures and several:
        names = ", ".join(scan_input.shown for scan_input, _ in failures)
        _complain(f"{len(failures)} of {len(scan_inputs)} inputs failed: {names}")
    if not failures:
        return 0
    return 2 if all(isinstance(error, InputError) for _, error in failures) else 1


def demo(arguments: argparse.Namespace) -> int:
    """`msdnet demo`: makes a chest CT, writes it as DICOM, and segments it."""
    from msdnet.reporting.result_folder import check_out

    out: Path = arguments.out
    phantom, result = out / "phantom", out / "result"
    check_out(result)

    from msdnet.data.phantom import make_phantom, write_phantom_dicom

    if not arguments.quiet:
        print(f"Making a synthetic chest CT in {phantom}", flush=True)
    write_phantom_dicom(make_phantom(), phantom)
    flags = [f"--{name}" for name in ("quiet", "debug") if getattr(arguments, name)]
    return main(["segment", str(phantom), "-o", str(result), *flags])


def info(arguments: argparse.Namespace) -> int:
    """`msdnet info`: networks, weights, label schemas and licences, for people or as JSON."""
    from msdnet.labels import SCHEMAS
    from msdnet.networks import NETWORKS
    from msdnet.weights import list_weights

    facts: dict[str, Any] = {
        "version": __version__,
        "networks": {name: _first_line(network) for name, network in NETWORKS.items()},
        "weights": [asdict(card) for card in list_weights()],
        "schemas": {name: [asdict(lesion) for lesion in schema.classes] for name, schema in SCHEMAS.items()},
        "licences": {name: _licence(name) for name in _LICENCES},
    }
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    print(f"msdnet {facts['version']}. Research use, not a medical device. No telemetry, no downloads.")
    _print_section("Networks", [f"{name:14} {text}" for name, text in facts["networks"].items()])
    lines = []
    for card in facts["weights"]:
        lines.append(f"{card['name']:14} {card['network']}, schema {card['schema']}, sha256 {card['sha256'][:12]}")
        lines += [
            f"{'':14} {key.replace('_', ' ')}: {card[key]}" for key in ("trained_on", "limits", "terms") if card[key]
        ]
    _print_section("Weights", lines or ["none in this installation"])
    lines = []
    for name, classes in facts["schemas"].items():
        lines.append(name)
        for lesion in classes:
            code = lesion["code"]
            lines.append(
                f"  {lesion['index']} {lesion['name']:14} {lesion['title']} ({code['scheme']} {code['value']})"
            )
    _print_section("Label schemas", lines)
    for name, text in facts["licences"].items():
        _print_section(name, text.rstrip().splitlines())
    return 0


def train(arguments: argparse.Namespace) -> int:
    """`msdnet train`: runs an experiment file; interrupted, the same command goes on."""
    from msdnet.config import read_experiment
    from msdnet.prediction.device import check_device

    experiment = read_experiment(arguments.experiment)
    check_device(arguments.device)

    from msdnet.training import run_experiment

    weights = run_experiment(experiment, arguments.data, arguments.out, device=arguments.device)
    print((arguments.out / "table.md").read_text(encoding="utf-8"))
    print(f"Weights: {weights}")
    return 0


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show tracebacks and the warnings of libraries")
    parser = argparse.ArgumentParser(
        prog="msdnet",
        description="Segments COVID-19 lesions on chest CT. Research use, not a medical device.",
        epilog="exit codes: 0 done, 2 an input or option is at fault, 1 any other error",
    )
    parser.add_argument("--version", action="version", version=f"msdnet {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        description = f"{text[0].upper()}{text[1:]}."
        child = commands.add_parser(name, parents=[shared], help=text, description=description, allow_abbrev=False)
        child.set_defaults(run=run)
        return child

    child = command("segment", segment, "segment scans and write masks, measures and a report")
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
    child.add_argument("--series", metavar="UID", help="the series to take where a folder holds several")
    grey_or_window = child.add_mutually_exclusive_group()
    grey_or_window.add_argument(
        "--window", metavar="LOW,HIGH", type=_window, help="grey window of pictures and volumes that are not in HU"
    )
    grey_or_window.add_argument("--grey", action="store_true", help="take the intensities as grey levels, 0 to 255")
    child.add_argument("--flips", action="store_true", help="average over mirrored slices: slower, a little steadier")
    child.add_argument("--all-slices", action="store_true", help="do not skip slices without lung")
    child.add_argument("--anonymous", action="store_true", help="write no DICOM, which would carry the patient's data")
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("demo", demo, "make a synthetic chest CT, segment it and say where the report lies")
    child.add_argument(
        "-o", "--out", metavar="OUT", type=Path, default=Path("msdnet-demo"), help="default: %(default)s"
    )
    child.add_argument("--quiet", action="store_true", help="print nothing but errors")

    child = command("info", info, "show networks, weights, label schemas and licences")
    child.add_argument("--json", action="store_true", help="for programs")

    child = command("train", train, "run an experiment file: folds, final weights and their figures")
    child.add_argument("experiment", metavar="EXPERIMENT.yaml", type=Path)
    child.add_argument("--data", metavar="FOLDER", type=Path, required=True, help="COVID-SemiSeg, see docs/data.md")
    child.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help="folder of checkpoints and weights")
    child.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    return parser


def _window(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
        if math.isfinite(low) and math.isfinite(high) and low < high:
            return low, high
    except ValueError:
        pass
    raise OptionError(
        "the window cannot be used",
        got=f"--window {text}",
        expected="LOW,HIGH: two numbers parted by a comma, the lower one first",
        do="for a lung window in HU: --window -1350,150",
    )


def _with_joined_window(words: list[str]) -> list[str]:
    """`--window -1350,150` as one word, because argparse takes a value that begins with a minus sign for an option."""
    for place in range(len(words) - 2, -1, -1):
        if words[place] == "--window" and words[place + 1][:2].lstrip("-")[:1].isdigit():
            words[place : place + 2] = [f"--window={words[place + 1]}"]
    return words


def _segment_all(
    scan_inputs: Sequence[ScanInput], arguments: argparse.Namespace, advance: Callable[[str, float], None]
) -> tuple[list[tuple[ScanInput, StudyResult]], list[tuple[ScanInput, Exception]]]:
    from msdnet.prediction import Segmenter
    from msdnet.study import segment_study

    segmenter = Segmenter.from_pretrained(
        arguments.weights, device=arguments.device, flips=arguments.flips, all_slices=arguments.all_slices
    )
    results: list[tuple[ScanInput, StudyResult]] = []
    failures: list[tuple[ScanInput, Exception]] = []
    for num_done, scan_input in enumerate(scan_inputs):

        def tell(stage: str, share: float, num_done: int = num_done) -> None:
            advance(stage, num_done + share)

        try:
            result = segment_study(
                scan_input,
                arguments.out,
                segmenter,
                window=arguments.window,
                grey=arguments.grey,
                anonymous=arguments.anonymous,
                in_subfolder=len(scan_inputs) > 1,
                progress=tell,
            )
        except Exception as error:  # noqa: BLE001 -- one bad study costs one study; it is reported at the end
            failures.append((scan_input, error))
        else:
            results.append((scan_input, result))
        advance("", num_done + 1)
    return results, failures


@contextlib.contextmanager
def _progress_bar(num_inputs: int, *, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """One bar for all inputs, with the time left, on a terminal's standard error; elsewhere none."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    words = {"read": "Reading", "segment": "Segmenting", "write": "Writing", "report": "Report", "": "Done"}
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:10}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    disabled = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=disabled) as progress:
        task = progress.add_task("Loading", total=num_inputs)

        def advance(stage: str, completed: float) -> None:
            progress.update(task, completed=completed, description=words[stage])

        yield advance


def _print_result(result: StudyResult) -> None:
    from msdnet.reporting.numbers import format_ml, format_share

    width = max(len(title) for title in result.titles)
    several_slices = result.num_slices > 1
    print(f"{'':{width}}  {'ml':>8}  {'voxels':>10}  {'slices':>6}" + ("  share of slices" if several_slices else ""))
    for title, m in zip(result.titles, result.measures, strict=True):
        ml = "-" if m.volume_ml is None else format_ml(m.volume_ml)
        share = f"  {format_share(m.share_of_slices_with_class):>15}" if several_slices else ""
        print(f"{title:{width}}  {ml:>8}  {m.voxels:>10}  {m.num_slices_with_class:>6}{share}")
    for note in result.notes:
        print(f"Note: {note}")
    if "segmentation" in result.files:
        print(f"Note: the folder contains DICOM with patient data ({result.files['segmentation']})")
    print(f"Report: {result.report}")


def _print_section(title: str, lines: Sequence[str]) -> None:
    print(f"\n{title}\n{'-' * len(title)}")
    for line in lines:
        print(line)


def _licence(name: str) -> str:
    """The licence text that came with the installed package, or that of the source tree."""
    with contextlib.suppress(PackageNotFoundError):
        text = distribution("msdnet").read_text(f"licenses/{name}")
        if text is not None:
            return text
    path = Path(__file__).parents[2] / name
    return path.read_text(encoding="utf-8") if path.is_file() else "not part of this installation"


def _first_line(documented: object) -> str:
    return (documented.__doc__ or "").strip().partition("\n")[0]


def _complain(words: str) -> None:
    print(f"msdnet: {words}", file=sys.stderr)


def _report_failure(error: Exception, debug: bool, *, name: str = "") -> None:
    if debug:
        traceback.print_exception(error)
    before = f"{name}: " if name else ""
    if isinstance(error, MsdnetError):
        _complain(f"{before}{error}")
    else:
        detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        _complain(f"{before}unexpected error\n  got:      {detail}\n  do:       run again with --debug and report it")


@contextlib.contextmanager
def _silent_libraries() -> Iterator[None]:
    """No warnings and log lines of other libraries: they may quote DICOM values, and with them the patient."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


@contextlib.contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Lets a polite kill (SIGTERM) unwind, so that unfinished folders are removed."""

    def leave(signum: int, frame: object) -> NoReturn:
        raise SystemExit(128 + signum)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    sys.exit(main())
