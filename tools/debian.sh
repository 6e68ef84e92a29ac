# Roots of Debian, in which packages are built, installed and tried; sourced by scripts here, in the
# topmost folder, after tools/shared.sh. As root: a root is made by mmdebstrap, and entered by chroot.
# shellcheck shell=bash

mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

# in_root FOLDER COMMAND...: runs it in that root, with /proc and /dev there, and mounts and processes of its
# own, so that nothing is left of them at its end.
in_root() {
    # shellcheck disable=SC2016 # the inner shell's
    unshare --mount --pid --fork --kill-child sh -c '
        root=$1; shift
        mount --rbind /dev "$root/dev" && mount -t proc proc "$root/proc" && cp /etc/resolv.conf "$root/etc" || exit
        exec env -i PATH=/usr/lib/ccache:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"' sh "$@"
}

# With mounts that nobody else sees, without what nobody reads there, and without a sync of each file: what is
# half made is made anew.
make_root() {
    local folder=$1 release=$2 architectures=$3 packages=$4
    unshare --mount --pid --fork --kill-child \
        mmdebstrap --quiet --mode=root --variant=minbase --architectures="$architectures" \
        --dpkgopt=force-unsafe-io --dpkgopt=path-exclude='/usr/share/man/*' \
        --dpkgopt=path-exclude='/usr/share/locale/*' --dpkgopt=path-exclude='/usr/share/doc/*' \
        --include="$packages" "$release" "$folder/root" "$mirror" || return
    # No service starts in it.
    printf '#!/bin/sh\nexit 101\n' >"$folder/root/usr/sbin/policy-rc.d"
    chmod 755 "$folder/root/usr/sbin/policy-rc.d"
}

# What debian/control says a build needs: libraries of architecture $1, and tools that run here.
build_packages() {
    sed -n '/^Build-Depends:/,/^$/ s/^ \([a-z][a-z0-9.+-]*\).*/\1/p' debian/control |
        sed -e 's/^debhelper-compat$/debhelper/' -e "s/^\(lib.*\|pkg-config\|zlib1g-dev\)\$/\1:$1/"
    echo build-essential
    echo ccache
    echo "libcmocka-dev:$1"
    [ "$1" = amd64 ] || echo "crossbuild-essential-$1"
}

# Prints a script that makes /newer ($3) on Debian 12, for architecture $2, from Debian 13's archive, mirror $1:
# llhttp and yyjson are newer than Debian 12, and linked statically, so that what is built needs Debian 12 and
# no more. Of yyjson Debian has no such library; it is made of Debian's source. Where $4 is install, the
# packages are installed first, as tools/bootstrap does it.
newer_libraries() {
    cat <<'END'
set -eu
mkdir -p "$3/lists/partial" "$3/lib/pkgconfig"
cd "$3"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
printf 'deb%s [signed-by='$keys'] %s trixie main\n' '' "$1" -src "$1" >sources.list
apt() {
    apt-get -q -o Dir::Etc::SourceList="$PWD/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$PWD/lists" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Update::Error-Mode=any \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Sandbox::User=root "$@"
}
apt update
[ "$4" != install ] || apt install -y --no-install-recommends --no-remove "libllhttp-dev:$2" "libyyjson-dev:$2"
apt source --download-only --tar-only yyjson
mkdir source
tar xf yyjson_*.orig.tar.xz -C source --strip-components=1
host=$(dpkg-architecture -a"$2" -qDEB_HOST_MULTIARCH 2>/dev/null)
"$host-gcc" -O3 -fPIC -fstack-protector-strong -D_FORTIFY_SOURCE=2 -c source/src/yyjson.c -o yyjson.o
ar rcs lib/libyyjson.a yyjson.o
cp "/usr/lib/$host/libllhttp.a" lib
for name in libllhttp yyjson; do
    sed "s|^libdir=.*|libdir=$PWD/lib|" "/usr/lib/$host/pkgconfig/$name.pc" >"lib/pkgconfig/$name.pc"
done
rm -rf lists source yyjson_* yyjson.o
END
}

make_build_root() {
    local folder=$1 release=$2 architecture=$3 packages
    packages=$(build_packages "$architecture")
    if [ "$release" = bookworm ]; then
        packages=$(grep -v -e '^libllhttp' -e '^libyyjson' <<<"$packages")
    fi
    [ "$architecture" = amd64 ] && all=amd64 || all=amd64,$architecture
    make_root "$folder" "$release" "$all" "$(paste -s -d , <<<"$packages")" || return
    if [ "$release" = bookworm ]; then
        newer_libraries | in_root "$folder/root" sh -s "$mirror" "$architecture" /newer install
    fi
}

# build_root RELEASE ARCHITECTURE: prints where a root is in which packages for these are built.
build_root() {
    local folder=build/debian/build-$1-$2
    install_once "$folder" "$(declare -f make_root make_build_root newer_libraries; build_packages "$2")" \
        make_build_root "$folder" "$1" "$2" && echo "$folder/root"
}

# build_across ROOT NAME ARCHITECTURE OPTION...: builds ROOT/NAME/build, for that architecture, of tracked files as
# they are here, by Meson's options. Of libraries in ROOT/NAME/lib those are taken.
build_across() {
    local root=$1 place=$1/$2
    rm -rf "$place/logmill"
    mkdir -p "$place/logmill/prebuilt"
    git ls-files -co --exclude-standard -z | tar c --null --files-from=- | tar x -C "$place/logmill"
    cp -p build/src/web/web_assets.c "$place/logmill/prebuilt"
    # shellcheck disable=SC2016 # the inner shell's
    in_root "$root" sh -c '
        cd "/$1/logmill" && meson env2mfile --cross --debarch "$2" -o ../cross >/dev/null 2>&1 || exit
        export PKG_CONFIG_PATH="/$1/lib/pkgconfig:/newer/lib/pkgconfig"
        shift 2
        exec tools/build ../build --cross-file=../cross "$@"' sh "${@:2}"
}

make_test_root() {
    local folder=$1 build=$2
    cp -a "$build" "$folder/root"
    in_root "$folder/root" sh -c 'apt-get -q update -o Acquire::Languages=none &&
        apt-get -q -y --no-install-recommends install openssl pgbouncer postgresql qemu-user redis-server zstd'
}

# test_root RELEASE ARCHITECTURE: prints where a copy of that root is that has what unit tests of another
# architecture need to run.
test_root() {
    local build
    build=$(build_root "$1" "$2")
    install_once "build/debian/test-$1-$2" "$(declare -f make_test_root; cat "${build%/root}/complete")" \
        make_test_root "build/debian/test-$1-$2" "$build" && echo "build/debian/test-$1-$2/root"
}

# run_programs_of ARCHITECTURE: has this machine's kernel give programs of it to qemu-user, by the line that
# Debian's package of that has for systemd, which may not be there. What was done to the machine is undone by
# run_programs_no_more.
run_programs_of() {
    local name
    case $1 in
    arm64) name=qemu-aarch64 ;;
    *) return ;;
    esac
    [ "$(dpkg --print-architecture)" != "$1" ] || return 0
    if [ ! -e "$binfmt/register" ]; then
        mount -t binfmt_misc binfmt_misc "$binfmt" || return
        undo="umount $binfmt"
    fi
    if [ ! -e "$binfmt/$name" ]; then
        cat "/usr/lib/binfmt.d/$name.conf" >"$binfmt/register" || return
        undo="echo -1 >$binfmt/$name; ${undo-}"
    fi
}
binfmt=/proc/sys/fs/binfmt_misc

run_programs_no_more() {
    eval "${undo-}"
    undo=
}

make_plain_root() {
    local folder=$1 release=$2 architecture=$3 package=$4
    make_root "$folder" "$release" "$architecture" apt || return
    cp "$package" "$folder/root/package.deb"
    in_root "$folder/root" sh -c 'apt-get -q update -o Acquire::Languages=none &&
        apt-get -q -y --no-install-recommends --download-only install /package.deb' || return
    rm "$folder/root/package.deb"
}

# plain_root RELEASE PACKAGE: prints where a root of that release is that has no more than each Debian has, and
# beside it what PACKAGE depends on, not yet installed, so that PACKAGE can be without a network.
plain_root() {
    local architecture folder
    architecture=$(dpkg-deb --field "$2" Architecture)
    folder=build/debian/plain-$1-$architecture
    install_once "$folder" "$(declare -f make_root make_plain_root; dpkg-deb --field "$2" Depends)" \
        make_plain_root "$folder" "$1" "$architecture" "$2" && echo "$folder/root"
}
