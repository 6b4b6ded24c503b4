#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing (Debian packages), builds, and judges the sample incident, ending with its report.
set -eu
cd "$(dirname "$0")"
. tools/setup.sh

# shellcheck disable=SC2086
need_packages $build_packages
build_in build -Db_lto=true -Dtests=disabled

say "Judging samples/incident.pcapng against samples/incident.yaml"
rm -f build/incident.db
status=0
build/flowaudit check -s samples/incident.yaml -o build/incident.db samples/incident.pcapng || status=$?
# The sample is an incident: findings, and so status 1, are what is to be seen.
[ "$status" -eq 1 ] || die "flowaudit ended with status $status; 1 (findings) was to be expected"
say "The record is build/incident.db; your own capture: build/flowaudit check -s SITE.yaml CAPTURE"
