#!/bin/sh
# Runs a command on Mesa's rusticl over llvmpipe, a third OpenCL compiler, on Debian: scripts/rusticl.sh COMMAND ...
#
# Nothing is installed: the first run downloads the packages that the system lacks and unpacks them into .rusticl/
# (330 MB). Mesa looks for its OpenCL library in /usr/lib/clc, so the command runs in a mount namespace where that is the
# unpacked one.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/.rusticl
packages="mesa-opencl-icd libclc-15 libclang-cpp15 libdrm-amdgpu1 libdrm-nouveau2 libdrm-radeon1 libdrm2 libelf1 libllvm15
    libllvmspirvlib15 libsensors5"
fail() { echo "rusticl: $*" >&2; exit 1; }

library=$folder/root/usr/lib/$(uname -m)-linux-gnu
if [ ! -e "$library/libRusticlOpenCL.so.1" ]; then
    command -v dpkg-deb > /dev/null || fail "not a Debian system"
    mkdir -p "$folder/packages"
    # shellcheck disable=SC2086
    (cd "$folder/packages" && apt-get download -qq $packages 2>&1 | grep -v unsandboxed || true)
    for package in "$folder"/packages/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
    [ -e "$library/libRusticlOpenCL.so.1" ] || fail "this release's mesa-opencl-icd has no rusticl, or no download"
fi
mkdir -p "$folder/vendors" /usr/lib/clc 2> /dev/null || fail "/usr/lib/clc cannot be made"
echo "$library/libRusticlOpenCL.so.1" > "$folder/vendors/rusticl.icd"
user=
[ "$(id -u)" = 0 ] || user="--user --map-root-user"
export OCL_ICD_VENDORS="$folder/vendors" LD_LIBRARY_PATH="$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" \
    GALLIUM_PIPE_SEARCH_DIR="$library/gallium-pipe" RUSTICL_ENABLE=llvmpipe
# shellcheck disable=SC2086
exec unshare $user --mount sh -c 'mount --bind "$0" /usr/lib/clc && exec "$@"' "$folder/root/usr/lib/clc" "$@"
