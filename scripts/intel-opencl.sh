#!/bin/sh
# Runs a command on Intel's OpenCL runtime for CPUs: scripts/intel-opencl.sh COMMAND ...
#
# Its compiler and scheduler differ from PoCL's, so it finds faults that PoCL tolerates. The first run installs it from
# PyPI into .intel-opencl/ (1 GB); it also runs on x86 processors of other makers. INTEL_OPENCL_VENV names a virtual
# environment that already has the packages.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/.intel-opencl
venv=${INTEL_OPENCL_VENV:-$folder/venv}
if ! ls "$venv"/lib/libintelocl.so.* > /dev/null 2>&1; then
    python3 -m venv "$venv" || { echo "Install python3 with its venv module: apt-get install python3-venv" >&2; exit 1; }
    "$venv/bin/pip" install --quiet intel-opencl-rt intel-cmplr-lib-rt
fi
# Its libraries without its libOpenCL, which would replace the system's, and an .icd file with their location.
rm -rf "$folder/lib" "$folder/vendors"
mkdir -p "$folder/lib" "$folder/vendors"
for file in "$venv"/lib/*; do
    case $file in
        */libOpenCL.* | */python*) ;;
        *) ln -s "$file" "$folder/lib/" ;;
    esac
done
ls "$venv"/lib/libintelocl.so.* | grep '[0-9]$' > "$folder/vendors/intel.icd"
export OCL_ICD_VENDORS="$folder/vendors" LD_LIBRARY_PATH="$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$@"
