#!/bin/sh
# Makes dist/vitpatch-VERSION-linux-ARCH.tar.xz: the release binary, with Swift and every C library except libc and the
# OpenCL loader linked statically, and the loader beside it.
#
# How the C libraries become static: the linker takes `-lclblast` from the first folder on its search path that has a
# libclblast.so or .a. pkg-config's flags come first on that path, so our own .pc files name a folder with only .a
# files. Package.swift stays as it is. The flags differ from `make build`, hence the separate build folder.
set -eu
cd "$(dirname "$0")/.."

scratch=.build-bundle
static=$PWD/$scratch/static
name=vitpatch-$(sh scripts/version.sh)-linux-$(uname -m)

fail() { echo "bundle: $*" >&2; exit 1; }
for tool in clang readelf objdump strip xz; do
    command -v $tool > /dev/null || fail "$tool is missing (packages: binutils, xz-utils; clang comes with Swift)"
done

# clang prints the full path of a file that it finds, and the bare name of one that it does not.
find_library() {
    path=$(clang -print-file-name="$1")
    [ "$path" != "$1" ] || fail "$1 is missing; run 'make setup'"
    readlink -f "$path"
}

mkdir -p "$static"
# libtiff's own libraries except JBIG-KIT (scripts/bundle-jbig.c), and libwebp's libsharpyuv, which older releases lack.
below="zstd lzma deflate Lerc"
[ "$(clang -print-file-name=libsharpyuv.a)" = libsharpyuv.a ] || below="$below sharpyuv"
below_flags=
for library in clblast jpeg png16 z webpdemux webp gif tiff $below sqlite3 crypto stdc++; do
    archive=$(find_library "lib$library.a") || exit 1
    ln -sf "$archive" "$static/lib$library.a"
done
# After libtiff.a and libwebp.a on the command line, in whatever order the package manager puts these; Lerc is C++.
for library in tiff webpdemux webp jpeg $below z stdc++ m; do below_flags="$below_flags -Xlinker -l$library"; done
for module in OpenCL:OpenCL clblast:clblast libcrypto:crypto; do
    printf 'Name: %s\nDescription: static\nVersion: 1\nLibs: -L%s -l%s\n' \
        "${module%:*}" "$static" "${module#*:}" > "$static/${module%:*}.pc"
done
clang -O2 -c scripts/bundle-arc4random.c -o "$static/arc4random.o"
clang -O2 -c scripts/bundle-jbig.c -o "$static/jbig.o"

swift build -c release --product vitpatch --scratch-path "$scratch" --static-swift-stdlib \
    --pkg-config-path "$static" -Xlinker "$static/arc4random.o" -Xlinker "$static/jbig.o" \
    $below_flags -Xswiftc -Xclang-linker -Xswiftc -static-libgcc

binary=$scratch/release/vitpatch
for library in $(readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'); do
    case $library in
    libc.so.* | libm.so.* | libdl.so.* | libpthread.so.* | librt.so.* | ld-linux* | libOpenCL.so.1) ;;
    *) fail "$library is still linked dynamically" ;;
    esac
done
readelf -d "$binary" | grep -q 'R.*PATH.*\$ORIGIN' || fail "the binary does not search its own folder for libOpenCL.so.1"

folder=dist/$name
rm -rf "$folder"
mkdir -p "$folder/licenses"
strip -o "$folder/vitpatch" "$binary"
cp "$(find_library libOpenCL.so.1)" "$folder/libOpenCL.so.1"
# With what the README and docs/ link to
for file in README.md CHANGELOG.md CONTRIBUTING.md LICENSE THIRD_PARTY.md Benchmarks/results.md scripts/mask.sed; do
    [ ! -f "$file" ] || cp --parents "$file" "$folder/"
done
find docs examples -type f -not -path '*/.*' -exec cp --parents -t "$folder/" {} +

sh scripts/man.sh "$folder/vitpatch" "$folder/man/man1"

# The licences of everything linked in: Debian's copyright files, the Swift packages' and the toolchain's own.
for file in "$static"/*.a "$folder/libOpenCL.so.1"; do
    case $file in
    */libOpenCL.so.1) origin=$(find_library libOpenCL.so.1) ;;
    *) origin=$(readlink -f "$file") ;;
    esac
    package=$(dpkg -S "$origin" 2> /dev/null | sed -n '1s/[:,].*//p')
    copyright=/usr/share/doc/$package/copyright
    [ -n "$package" ] && [ -f "$copyright" ] || fail "no licence text for $origin"
    cp -L "$copyright" "$folder/licenses/$package.txt"
done
for checkout in "$scratch"/checkouts/*/; do
    cp "$checkout"LICENSE* "$folder/licenses/$(basename "$checkout").txt"
done
toolchain=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")
cp "$toolchain/share/swift/LICENSE.txt" "$folder/licenses/swift.txt"

# The newest glibc interface in use.
libc=$(objdump -T "$folder/vitpatch" | sed -n 's/.*(\{0,1\}GLIBC_\([0-9.]*\).*/\1/p' | sort -uV | tail -n 1)
sed "s/@LIBC@/$libc/" scripts/bundle-run.txt > "$folder/RUN.txt"

rm -f "$folder.tar.xz"
tar -C dist --sort=name --owner=0 --group=0 --numeric-owner -c "$name" | xz -6 -T0 > "$folder.tar.xz"
echo "$folder.tar.xz: $(du -h "$folder.tar.xz" | cut -f 1), the binary $(du -h "$folder/vitpatch" | cut -f 1)," \
    "needs glibc $libc or later"
