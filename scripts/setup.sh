#!/bin/sh
# Installs what vitpatch needs besides Swift, on Debian and Ubuntu. If nothing is missing it needs neither the network
# nor root.
set -eu

# binutils: PoCL calls ld to link its kernels, `make bundle` strip and readelf. librsvg2-2: for `report --png` and `--pdf`.
packages="ocl-icd-opencl-dev opencl-headers libclblast-dev pocl-opencl-icd libjpeg-dev libpng-dev libwebp-dev libgif-dev
    libtiff-dev zlib1g-dev libsqlite3-dev libssl-dev binutils xz-utils pkg-config librsvg2-2"

fail() { echo "setup: $*" >&2; exit 1; }

command -v git > /dev/null || fail "git is not installed; apt-get install git"
command -v "${SWIFT:-swift}" > /dev/null ||
    fail "Swift is not installed (6.1 or later): https://www.swift.org/install/linux"
set -- $("${SWIFT:-swift}" --version 2> /dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
[ $# -eq 2 ] || fail "cannot tell the version from '${SWIFT:-swift} --version'"
[ "$1" -gt 6 ] || { [ "$1" -eq 6 ] && [ "$2" -ge 1 ]; } || fail "Swift $1.$2 is too old; 6.1 or later is needed"

if ! command -v dpkg-query > /dev/null; then
    echo "setup: not a Debian or Ubuntu system; these packages or their equals must be there:" $packages >&2
    exit 0
fi

# Installed packages and the names they provide (libjpeg-dev and pkg-config are provided names on some releases).
present=$(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' |
    sed -n 's/^installed //p' | sed 's/([^)]*)//g' | tr -s ',\n' ' ')
missing=
for package in $packages; do
    case " $present " in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || fail "run this as root first: apt-get install$missing"
    sudo=sudo
fi
echo "setup: installing$missing"
$sudo apt-get update -q
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing ||
    fail "apt-get could not install$missing (on Ubuntu they need the 'universe' component)"
