"""`msdnet export`: a network for other programs."""

from __future__ import annotations

import argparse

from msdnet.errors import OptionError


def export(arguments: argparse.Namespace) -> int:
    """`msdnet export`: one ONNX file with the card inside; refuses what it can before anything heavy is loaded."""
    from msdnet.prediction.engines.choice import check_engine
    from msdnet.reporting.result_folder import check_writable
    from msdnet.weights.folders import find_weights

    find_weights(arguments.weights)
    check_engine("onnxruntime", arguments.precision)
    check_writable(arguments.out.parent)
    if arguments.out.is_dir():
        raise OptionError(
            "the file to write is a folder",
            got=str(arguments.out),
            expected="the name of a file",
            do=f"for instance -o {arguments.out / 'msdnet.onnx'}",
        )

    from msdnet.prediction.export import export_onnx

    card = export_onnx(arguments.out, arguments.weights, precision=arguments.precision)
    if not arguments.quiet:
        print(f"{card.name} in {arguments.precision}: {arguments.out}")
        print("Note: give OpenVINO fixed sizes; with free ones it has been seen to compute wrong logits")
    return 0
