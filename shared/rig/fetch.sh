#!/usr/bin/env bash
# fetch.sh FOLDER PACKAGE…: Debian's packages, unpacked into FOLDER. Nothing is installed on the machine, no service is
# started. Where they are there already it does nothing; where two come at once, the second waits for the first.
set -uo pipefail

folder=$1
shift
for program in apt-get dpkg-deb flock; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not here, so Debian's packages ($*) cannot be fetched: install the programs that they bring" >&2
        exit 1
    fi
done
mkdir -p "$folder/package" && cd "$folder" || exit 1
exec 9>lock || exit 1
flock 9
if [[ $(cat complete 2>/dev/null) == "$*" ]]; then
    echo "$folder holds $* already"
    exit
fi
rm -f complete package/*.deb
download() { (cd package && apt-get -q -o APT::Sandbox::User=root download "$@" 2>&1); }
echo "fetching Debian's $*"
if ! said=$(download "$@"); then
    # Lists that are missing or too old: only root can fetch them.
    echo "fetching the lists of packages"
    apt-get -q update >/dev/null 2>&1
    rm -f package/*.deb
    echo "fetching Debian's $*"
    if ! said=$(download "$@"); then
        printf '%s\napt-get download %s does not work; the lines above say why\n' "$said" "$*" >&2
        exit 1
    fi
fi
for package in package/*.deb; do
    dpkg-deb -x "$package" . || exit 1
done
rm -rf package
printf '%s' "$*" >complete
echo "$folder holds $*"
