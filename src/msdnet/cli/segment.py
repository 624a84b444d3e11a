"""`msdnet segment` and `msdnet demo`: what a person has done with one or several scans."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msdnet.cli.console import complain, progress_bar, report_failure
from msdnet.errors import InputError, OptionError
from msdnet.labels import LUNG_SCHEMES

if TYPE_CHECKING:
    from msdnet.scans.scan import ScanInput
    from msdnet.study import StudyResult

STAGES = {
    "read": "Reading",
    "segment": "Segmenting",
    "write": "Writing",
    "measure": "Measuring",
    "report": "Report",
    "": "Done",
}


def segment(arguments: argparse.Namespace) -> int:
    """`msdnet segment`: one result folder per scan; what cannot be read costs only itself.

    What can be refused without the heavy libraries is refused before they are loaded. On the console an input goes by
    the path the user gave, also where it names the patient; no file that is written holds it.
    """
    from msdnet.prediction.device import check_device
    from msdnet.prediction.engines import check_engine
    from msdnet.reporting.result_folder import check_out, check_writable
    from msdnet.scans.kinds import check_inputs
    from msdnet.weights.folders import find_weights

    check_inputs(arguments.inputs)
    find_weights(arguments.weights)
    check_device(arguments.device)
    check_engine(arguments.engine, arguments.precision)
    check_writable(arguments.out)
    _check_lungs(arguments)

    from msdnet.scans import find_scans

    scan_inputs = find_scans(arguments.inputs, series=arguments.series)
    several = len(scan_inputs) > 1
    for scan_input in scan_inputs:
        check_out(arguments.out / scan_input.name if several else arguments.out)

    with progress_bar(len(scan_inputs), quiet=arguments.quiet) as advance:
        results, failures = _segment_all(scan_inputs, arguments, advance)
    if several and results:
        from msdnet.reporting import join_scan_lines

        join_scan_lines([result.folder for _, result in results], arguments.out / "scans.csv")
    if not arguments.quiet:
        for scan_input, result in results:
            if several:
                print(f"\n{scan_input.shown} -> {result.folder}")
            _print_result(result)
    for scan_input, error in failures:
        report_failure(error, arguments.debug, name=scan_input.shown if several else "")
    if several and results and not arguments.quiet:
        print(f"\nAll scans: {arguments.out / 'scans.csv'}")
    if failures and several:
        names = ", ".join(scan_input.shown for scan_input, _ in failures)
        complain(f"{len(failures)} of {len(scan_inputs)} inputs failed: {names}")
    if not failures:
        return 0
    return 2 if all(isinstance(error, InputError) for _, error in failures) else 1


def demo(arguments: argparse.Namespace) -> int:
    """`msdnet demo`: makes a chest CT, writes it as DICOM, and segments it."""
    from msdnet.reporting.result_folder import check_out

    out: Path = arguments.out
    phantom, result = out / "phantom", out / "result"
    check_out(result)

    from msdnet.cli.command import main
    from msdnet.data.phantom import make_phantom, write_phantom_dicom

    if not arguments.quiet:
        print(f"Making a synthetic chest CT in {phantom}", flush=True)
    write_phantom_dicom(make_phantom(), phantom)
    flags = [f"--{name}" for name in ("quiet", "debug") if getattr(arguments, name)]
    return main(["segment", str(phantom), "-o", str(result), *flags])


def _segment_all(
    scan_inputs: Sequence[ScanInput], arguments: argparse.Namespace, advance: Callable[[str, float], None]
) -> tuple[list[tuple[ScanInput, StudyResult]], list[tuple[ScanInput, Exception]]]:
    from msdnet.prediction import Segmenter
    from msdnet.quantification import GivenLungs
    from msdnet.study import segment_study

    carina, veins = (n - 1 for n in arguments.zone_slices) if arguments.zone_slices else (None, None)
    given = GivenLungs(arguments.lung_mask, arguments.lung_scheme or "", arguments.lungmask, carina, veins)
    segmenter = Segmenter.from_pretrained(
        arguments.weights,
        device=arguments.device,
        flips=arguments.flips,
        all_slices=arguments.all_slices,
        engine=arguments.engine,
        precision=arguments.precision,
    )
    results: list[tuple[ScanInput, StudyResult]] = []
    failures: list[tuple[ScanInput, Exception]] = []
    for num_done, scan_input in enumerate(scan_inputs):

        def tell(stage: str, share: float, num_done: int = num_done) -> None:
            advance(STAGES[stage], num_done + share)

        try:
            result = segment_study(
                scan_input,
                arguments.out,
                segmenter,
                window=arguments.window,
                grey=arguments.grey,
                anonymous=arguments.anonymous,
                dicom_pdf=arguments.dicom_pdf,
                identify=arguments.identify,
                given_lungs=given,
                memory_gb=arguments.memory,
                in_subfolder=len(scan_inputs) > 1,
                progress=tell,
            )
        except Exception as error:  # noqa: BLE001 -- one bad study costs one study; it is reported at the end
            failures.append((scan_input, error))
        else:
            results.append((scan_input, result))
        advance(STAGES[""], num_done + 1)
    return results, failures


def _check_lungs(arguments: argparse.Namespace) -> None:
    """Refuses options of the lungs that do not go together, before anything heavy is loaded."""
    if (arguments.lung_mask is None) != (arguments.lung_scheme is None):
        raise OptionError(
            "a mask of the lungs needs its scheme, and a scheme its mask",
            got="--lung-mask alone" if arguments.lung_mask else "--lung-scheme alone",
            expected=f"--lung-mask FILE --lung-scheme NAME, one of {', '.join(LUNG_SCHEMES)}",
            do="name what the mask's numbers mean",
        )
    if (arguments.lung_mask or arguments.zone_slices) and len(arguments.inputs) > 1:
        raise OptionError(
            "what is known of the lungs belongs to one scan",
            got=f"{len(arguments.inputs)} inputs",
            expected="one input beside --lung-mask and --zone-slices",
            do="segment the scans one by one",
        )


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
    dicom = sorted(name for name in result.files.values() if name.endswith(".dcm"))
    if dicom:
        print(f"Note: the folder contains DICOM with patient data ({', '.join(dicom)})")
    print(f"Report: {result.report}")
