#!/bin/sh
# Submits the array, and the merge to run when all of it has succeeded: submit.sh --model vit --data photos ...
set -eu
here=$(dirname "$0")
job=$(sbatch --parsable "$here/sweep.sbatch" "$@")
job=${job%%;*}
merge=$(sbatch --parsable --dependency=afterok:"$job" --kill-on-invalid-dep=yes "$here/merge.sbatch" "$job")
echo "array job $job, merge job ${merge%%;*}; the result will be in runs/$job/merged"
