"""`msdnet export`: a network for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from msdnet.errors import OptionError


def export(arguments: argparse.Namespace) -> int:
    """`msdnet export`: an ONNX file or a MONAI bundle, the card inside; refuses what it can before loading anything."""
    from msdnet.prediction.engines import check_engine
    from msdnet.reporting.result_folder import check_writable
    from msdnet.weights.folders import find_weights

    find_weights(arguments.weights)
    check_writable(arguments.out if arguments.bundle else arguments.out.parent)
    if arguments.bundle:
        if arguments.precision != "f32":
            raise OptionError(
                "a bundle holds the network as it was trained",
                got=f"--bundle --precision {arguments.precision}",
                expected="--bundle alone",
                do="leave --precision out, or --bundle for ONNX",
            )
        from msdnet.prediction.bundle import export_bundle, files_in_the_way

        _refuse_other_files(arguments.out, files_in_the_way(arguments.out))
        card = export_bundle(arguments.out, arguments.weights)
    else:
        check_engine("onnxruntime", arguments.precision)
        if arguments.out.is_dir() or arguments.out.suffix != ".onnx":
            raise OptionError(
                "the file to write is a folder" if arguments.out.is_dir() else "the file to write is not named as ONNX",
                got=str(arguments.out),
                expected="the name of a file that ends in .onnx; one that is there is replaced",
                do=f"for instance -o {arguments.out / 'msdnet.onnx' if arguments.out.is_dir() else 'msdnet.onnx'}",
            )
        from msdnet.prediction.export import export_onnx

        card = export_onnx(arguments.out, arguments.weights, precision=arguments.precision)
    if not arguments.quiet:
        print(f"{card.name}: {arguments.out}")
        if arguments.bundle:
            print("Note: a bundle labels whole slices; msdnet segment crops to the lungs and drops marks outside")
        else:
            print("Note: give OpenVINO fixed sizes; with free ones it has been seen to compute wrong logits")
    return 0


def _refuse_other_files(out: Path, found: list[str]) -> None:
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise OptionError(
            "the folder of the bundle holds files that msdnet did not write",
            got=f"{', '.join(found[:3])}{more} in {out}",
            expected="a new folder, an empty one, or an earlier bundle of msdnet",
            do="choose another folder with -o",
        )
