#!/bin/sh
# After (more) training: pack, calibrate on the training side, score on the hold-out, look at the check CT.
#   experiments/segments/finish.sh runs/segments [FOLDER FOR PICTURES]
set -e
run=$1
here=$(dirname "$0")
weights=$run/segments.safetensors
python "$here/pack.py" --run "$run" --output "$weights"
python "$here/calibrate.py" --weights "$weights" --livers "$run/anatomies"
python "$here/measure.py" --weights "$weights" --count 6 --output "$run/figures.json"
python "$here/real.py" --weights "$weights" --pictures "${2:-$run/pictures}" --output "$run/figures.json"
