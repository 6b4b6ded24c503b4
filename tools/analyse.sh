#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What looks for faults without a test for them: analysers of the source, and the tests under other tools.  Takes long; by hand.
# usage: tools/analyse.sh [cppcheck|tidy|analyzer|asan|tsan|valgrind]...     (none: all)
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh

[ $# -gt 0 ] || set -- cppcheck tidy analyzer asan tsan valgrind
# shellcheck disable=SC2086,SC2154
need_packages $build_packages check clang libclang-rt-14-dev clang-tidy cppcheck valgrind python3

site=samples/incident.yaml
capture=samples/incident.pcapng
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Headers name no parameters whose type says it all, which cppcheck takes for another order; what it says of a null pointer is where
# a condition before has ended the function; a nested compound literal it cannot read.
run_cppcheck() {
	build_in build-test -Db_lto=true -Dtests=enabled
	cppcheck -q --project=build-test/compile_commands.json --file-filter='*src/*' --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --suppress=funcArgOrderDifferent --suppress=internalAstError --suppress=nullPointerRedundantCheck \
		--suppress=memleak:src/report/diff_site.c --error-exitcode=1 >"$scratch/cppcheck" 2>&1 || {
		cat "$scratch/cppcheck"
		return 1
	}
	if [ -s "$scratch/cppcheck" ]; then # what is said and has no part in the status
		cat "$scratch/cppcheck"
		return 1
	fi
}

# Which warnings are no faults, and why, is in tools/analyse.known.
run_tidy() {
	CC=clang build_in build-clang -Dtests=disabled
	run-clang-tidy -quiet -p build-clang "$PWD/src/" -checks='-*,clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result,-bugprone-branch-clone,-bugprone-macro-parentheses,-bugprone-assignment-in-if-condition,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling' \
		>"$scratch/tidy" 2>"$scratch/tidy.errors" || ! grep -q 'error:' "$scratch/tidy" "$scratch/tidy.errors" || {
		grep 'error:' "$scratch/tidy" "$scratch/tidy.errors"
		return 1
	}
	sed 's/\x1b\[[0-9;]*m//g' "$scratch/tidy" | python3 tools/analyse_known.py tidy
}

run_analyzer() {
	rm -rf build-analyse
	CCACHE_DISABLE=1 build_in build-analyse -Dtests=disabled -Dwerror=false -Dc_args=-fanalyzer
	python3 tools/analyse_known.py analyzer <build-analyse/build.log
}

run_asan() {
	build_in build-gcc-asan -Dtests=enabled -Db_sanitize=address,undefined
	meson test -C build-gcc-asan --no-rebuild --print-errorlogs
}

# Readers, workers, the recorder of a live run and what is told of it: all that has threads.
run_tsan() {
	build_in build-tsan -Dtests=enabled -Db_sanitize=thread
	for workers in 2 4; do
		TSAN_OPTIONS=exitcode=86 build-tsan/flowaudit check -q -j "$workers" -s "$site" -o "$scratch/tsan-$workers.db" "$capture" || [ $? -eq 1 ]
	done
	meson test -C build-tsan --no-rebuild --print-errorlogs unit-1 unit-2 same watch outputs
}

run_valgrind() {
	build_in build-test -Db_lto=true -Dtests=enabled
	for workers in 1 2; do
		valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=86 build-test/flowaudit check -q -j "$workers" -s "$site" \
			-o "$scratch/valgrind-$workers.db" "$capture" || [ $? -eq 1 ]
	done
	for format in text html json csv; do
		valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=86 build-test/flowaudit report --format "$format" "$scratch/valgrind-1.db" >/dev/null || [ $? -eq 1 ]
	done
	valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=86 build-test/flowaudit verify -q "$scratch/valgrind-1.db"
}

status=0
for step in "$@"; do
	say "$step"
	case $step in
	cppcheck) run_cppcheck ;;
	tidy) run_tidy ;;
	analyzer) run_analyzer ;;
	asan) run_asan ;;
	tsan) run_tsan ;;
	valgrind) run_valgrind ;;
	*) die "no such step: $step" ;;
	esac || status=1
done
exit $status
