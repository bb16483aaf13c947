#!/bin/bash
# Puts the C compiler of this machine with all that it needs to make static programs, and a busybox shell, below a folder, as
# the files of an image: examples build from it, and no registry is asked. Files that are the same are left as they are.
#
# usage: hack/toolchain.sh DIRECTORY
set -euo pipefail

fail() {
  echo "toolchain.sh: $*" >&2
  exit 1
}

[ $# -eq 1 ] || fail "usage: hack/toolchain.sh DIRECTORY"
readonly root="$1"
command -v gcc >/dev/null || fail "there is no gcc: install Debian's gcc and libc6-dev"
[ -x /bin/busybox ] || fail "there is no /bin/busybox: install Debian's busybox-static"

# Where gcc itself finds a part of it, and `as` and `ld` by the path.
part() {
  local found
  found="$(gcc "-print-$1=$2")"
  case "$found" in
    /*) realpath --no-symlinks "$found" ;;
    *) command -v "$found" || fail "gcc has no $2" ;;
  esac
}

programs=("$(command -v gcc)")
for name in cc1 collect2 as ld; do programs+=("$(part prog-name "$name")"); done
programs+=("$(part file-name liblto_plugin.so)")
parts=()
for name in crt1.o crti.o crtn.o crtbeginT.o crtend.o libgcc.a libgcc_eh.a libc.a; do
  parts+=("$(part file-name "$name")")
done
mapfile -t libraries < <(ldd "${programs[@]}" | grep -oE '/[^ ]+\.so[^ ]*' | grep -v ':$' | sort -u)
mapfile -t headers < <(gcc -E -v -x c /dev/null 2>&1 >/dev/null |
  sed -n '/^#include </,/^End/ s|^ ||p' | grep -v '^/usr/local')

mkdir -p "$root/bin"
# What a program is called is part of how it finds its own files, so each is put where it is, and links become files.
cp --parents --dereference --update "${programs[@]}" "${parts[@]}" "${libraries[@]}" "$root"
for folder in "${headers[@]}"; do
  case "$folder" in
    # Of /usr/include only what C is: other libraries of the machine are not the compiler's.
    /usr/include) cp --parents --dereference --update --recursive /usr/include/{arpa,asm-generic,linux,net,netinet} "$root" &&
      find /usr/include -maxdepth 1 -name '*.h' -exec cp --parents --dereference --update --target-directory "$root" {} + ;;
    /usr/include/*) for each in asm bits gnu sys; do
      cp --parents --dereference --update --recursive "$folder/$each" "$root"
    done ;;
    *) cp --parents --dereference --update --recursive "$folder" "$root" ;;
  esac
done
cp --update /bin/busybox "$root/bin/busybox"
ln -sf busybox "$root/bin/sh"
