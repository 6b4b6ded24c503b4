#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes each target (tests/fuzz) for so many seconds, two at a time, from the committed corpora.
# usage: [FUZZ_SEED=NUMBER] [FUZZ_TIMEOUT=SECONDS] tools/fuzz.sh SECONDS [TARGET...]
# Without FUZZ_SEED each run draws another seed.  With it a run draws the same numbers again, and starts from the committed corpus alone.
# What was found stays in build-fuzz/found; new inputs that cover more stay in build-fuzz/corpus.
set -eu
cd "$(dirname "$0")/.."
. tools/setup.sh

seconds=$1
shift
[ $# -gt 0 ] || set -- decode capture rules pinhole flow confirm classify audit report store merge diff notify evidence
folder=${FUZZ_FOLDER:-build-fuzz}
CC=clang build_in "$folder" -Dtests=enabled -Dfuzz=true -Db_lundef=false
python3 tests/fuzz/seeds.py . "$folder/seeds"
mkdir -p "$folder/found" "$folder/log"

# Limits: an input that takes over 2 s (FUZZ_TIMEOUT) by the clock, or 512 MB, is a fault.
run_one() {
	extra="-seed=${FUZZ_SEED:-0}"
	[ -z "${FUZZ_SEED:-}" ] || rm -rf "$2/corpus/$1"
	mkdir -p "$2/corpus/$1" "$2/seeds/$1" # not every target has generated seeds
	[ "$1" != rules ] || extra="$extra -dict=tests/fuzz/rules.dict"
	# shellcheck disable=SC2086
	"$2/tests/fuzz/fuzz_$1" -max_total_time="$3" -timeout="${FUZZ_TIMEOUT:-2}" -rss_limit_mb=512 -max_len=16384 -print_final_stats=1 \
		-artifact_prefix="$2/found/$1-" $extra "$2/corpus/$1" "tests/fuzz/corpus/$1" "$2/seeds/$1" >"$2/log/$1" 2>&1 || {
		echo "$1: a fault:"
		tail -n 40 "$2/log/$1"
		return 1
	}
	awk -v name="$1" '/^stat::number_of_executed_units/ {n = $2} /^stat::average_exec_per_sec/ {rate = $2} /cov: / {for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1)}
		END {printf "%-9s %d runs, %d a second, %d edges, no fault\n", name, n, rate, cov}' "$2/log/$1"
}

status=0
while [ $# -gt 0 ]; do
	first=$1
	shift
	run_one "$first" "$folder" "$seconds" &
	one=$!
	if [ $# -gt 0 ]; then
		run_one "$1" "$folder" "$seconds" || status=1
		shift
	fi
	wait $one || status=1
done
exit $status
