#!/bin/sh
# nnU-Net v2's own 2D predictor beside `msdnet segment`, on the same synthetic volumes, one after the other.
#
#   sh benchmarks/nnunet.sh OUT [SMALL LARGE]
#
# Makes an environment for nnU-Net in OUT/env, plans its 2D network on three synthetic chests of 512 x 512 pixels, and
# segments volumes of SMALL and LARGE slices (6 and 18) with random weights: nothing is trained, and no figure of accuracy
# comes of it. Both have as many threads as OMP_NUM_THREADS says. Writes OUT/nnunet.md.
set -eu
out=$1 small=${2:-6} large=${3:-18}
here=$(dirname "$0")
uv=$(sh "$here/../scripts/find-uv" | sed -n 1p)
mkdir -p "$out"
out=$(cd "$out" && pwd)
python=${MSDNET_PYTHON:-"$here/../.venv/bin/python"}

"$python" "$here/nnunet_volumes.py" "$out" "$small" "$large"
if [ ! -x "$out/env/bin/python" ]; then
    "$uv" venv --quiet --python 3.11 "$out/env"
    VIRTUAL_ENV="$out/env" "$uv" pip install --quiet --python "$out/env/bin/python" 'nnunetv2==2.8.1'
fi
export nnUNet_raw="$out/raw" nnUNet_preprocessed="$out/preprocessed" nnUNet_results="$out/results"
mkdir -p "$nnUNet_preprocessed" "$nnUNet_results"
"$out/env/bin/python" "$here/nnunet_predictor.py" plan >"$out/plan.log" 2>&1
for slices in "$small" "$large"; do
    for mirroring in off on; do
        "$out/env/bin/python" "$here/nnunet_predictor.py" predict "$out/ct-$slices.nii.gz" "$mirroring" \
            "$out/nnunet-$slices-$mirroring.json" >"$out/predict.log" 2>&1
    done
    "$python" -m msdnet segment "$out/ct-$slices.nii.gz" -o "$out/msdnet-$slices" --quiet
    "$python" "$here/nnunet_volumes.py" --time "$out" "$slices"
done
"$python" "$here/nnunet_volumes.py" --table "$out" "$small" "$large"
cat "$out/nnunet.md"
