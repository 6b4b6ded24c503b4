# SPDX-License-Identifier: Apache-2.0
# Shared by run.sh and test.sh: installs what is missing, and builds.  Sourced, not run.

# What the build needs; each earns its place in README.md.
# shellcheck disable=SC2034
build_packages="gcc libc6-dev meson ninja-build pkg-config libpcap-dev libndpi-dev libsqlite3-dev libfyaml-dev zlib1g-dev libzstd-dev libgcrypt20-dev libxlsxwriter-dev libmicrohttpd-dev libseccomp-dev libcap-ng-dev"

say() {
	printf '==> %s\n' "$*"
}

die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# need_packages PACKAGE...: installs those that are not there; touches neither the network nor the package lists otherwise.
need_packages() {
	missing=
	for package in "$@"; do
		status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) || status=
		[ "$status" = "install ok installed" ] || missing="$missing $package"
	done
	if [ -z "$missing" ]; then
		say "Packages: all there"
		return
	fi
	command -v apt-get >/dev/null || die "there is no apt-get here; install what these Debian packages hold:$missing"
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || die "packages are missing, and there is no sudo; as root: apt-get install --no-install-recommends$missing"
		as_root=sudo
	fi
	say "Installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	# The package lists of a fresh system are empty, and those of an old one may name versions that are gone.
	# shellcheck disable=SC2086
	$as_root apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 || {
		$as_root apt-get update -q || die "the package lists could not be fetched"
		$as_root apt-get install -y -q --no-install-recommends $missing || die "not all packages could be installed:$missing"
	}
}

# build_in FOLDER [MESON OPTION...]: configures once, then compiles what changed.
build_in() {
	folder=$1
	shift
	if [ ! -f "$folder/build.ninja" ]; then
		say "Configuring $folder"
		rm -rf "$folder"
		meson setup "$folder" "$@" >"$folder.log" 2>&1 || {
			cat "$folder.log" >&2
			die "meson setup failed"
		}
		mv "$folder.log" "$folder/setup.log"
	fi
	say "Building $folder"
	ninja -C "$folder" >"$folder/build.log" 2>&1 || {
		grep -v '^\[[0-9]*/[0-9]*\] [CL]' "$folder/build.log" | tail -n 60 >&2
		die "the build failed; the whole log is $folder/build.log"
	}
}
