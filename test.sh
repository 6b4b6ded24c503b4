#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing (Debian packages), builds with gcc, and with clang under the address and undefined-behaviour
# sanitizers, runs all tests in the one and what looks for faults in the other, and fuzzes each parser for 30 seconds.  The last lines are the test runner's own counts.
set -eu
cd "$(dirname "$0")"
. tools/setup.sh

# shellcheck disable=SC2086
need_packages $build_packages check clang libclang-rt-14-dev mandoc python3 shellcheck libfaketime

build_in build-test -Db_lto=true -Dtests=enabled
CC=clang build_in build-asan -Dtests=enabled -Db_sanitize=address,undefined -Db_lundef=false

# What looks for faults runs under the sanitizers alone; what compares results runs once, in the build that is shipped.
say "Tests, clang with sanitizers"
meson test -C build-asan --no-rebuild --print-errorlogs unit-1 unit-2 samples robust errors
meson test -C build-asan --no-rebuild --print-errorlogs --suite fuzz
say "Fuzzing" # the same seed each time: a new find is for who looks for one (tools/fuzz.sh), not for who changed something else;
# a machine that does other work meanwhile is slow, not an input
FUZZ_SEED=${FUZZ_SEED:-7} FUZZ_TIMEOUT=${FUZZ_TIMEOUT:-20} tools/fuzz.sh 30
say "Tests, gcc"
meson test -C build-test --no-rebuild --print-errorlogs --no-suite unit --no-suite hostile
build-test/tests/check_all
