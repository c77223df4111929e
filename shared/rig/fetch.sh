#!/usr/bin/env bash
# fetch.sh FOLDER PART: Debian's packages of a part (engine, registry, busybox, libraries), unpacked into FOLDER/PART.
# Nothing is installed on the machine, no service is started. Where they are there already it does and says nothing; where
# two come at once, the second waits for the first.
set -uo pipefail

folder=$1 part=$2
case $part in
# tini is what docker-init is.
engine) packages=(docker.io containerd runc tini) ;;
registry) packages=(docker-registry) ;;
busybox) packages=(busybox-static) ;;
# What the engine's programs need and small machines lack.
libraries) packages=(libdevmapper1.02.1 libseccomp2 libsystemd0) ;;
*)
    echo "there is no part $part" >&2
    exit 2
    ;;
esac

[[ $(cat "$folder/$part/complete" 2>/dev/null) == "${packages[*]}" ]] && exit
for program in apt-get dpkg-deb flock; do
    if ! command -v "$program" >/dev/null; then
        echo "$program is not here, so Debian's packages cannot be fetched: install what ${packages[*]} bring" >&2
        exit 1
    fi
done
mkdir -p "$folder/$part/package" || exit 1
exec 9>"$folder/fetch.lock" || exit 1
flock 9
cd "$folder/$part" || exit 1
[[ $(cat complete 2>/dev/null) == "${packages[*]}" ]] && exit

download() {
    echo "fetching Debian's ${packages[*]}"
    mkdir -p package && rm -f package/*.deb
    said=$(cd package && apt-get -q -o APT::Sandbox::User=root download "${packages[@]}" 2>&1)
}
rm -f complete
if ! download; then
    # Lists that are missing or too old: only root can fetch them.
    echo "fetching the lists of packages"
    apt-get -q update >/dev/null 2>&1
    if ! download; then
        printf '%s\napt-get download %s does not work: the lines above say why\n' "$said" "${packages[*]}" >&2
        exit 1
    fi
fi
for package in package/*.deb; do
    dpkg-deb -x "$package" . || exit 1
done
rm -rf package
printf '%s' "${packages[*]}" >complete
