# SPDX-License-Identifier: GPL-2.0-only
# Test Anything Protocol for the shell tests (busybox ash), the twin of tap.h:
# one line a check, the plan last. Source it: . "$(dirname "$0")/tap.sh"

tap_count=0
tap_failed=0

# ok STATUS NAME: passes when STATUS is 0
ok() {
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
	fi
	return "$1"
}

# is GOT WANT NAME
is() {
	if [ "$1" = "$2" ]; then
		ok 0 "$3"
	else
		ok 1 "$3"
		note "got '$1', want '$2'"
		return 1
	fi
}

# succeeds NAME COMMAND...: passes when the command does; its output is shown when not
succeeds() {
	tap_name=$1
	shift
	if tap_out=$("$@" 2>&1); then
		ok 0 "$tap_name"
	else
		ok 1 "$tap_name"
		note "$* failed: $tap_out"
		return 1
	fi
}

# fails NAME COMMAND...
fails() {
	tap_name=$1
	shift
	if tap_out=$("$@" 2>&1); then
		ok 1 "$tap_name"
		note "$* succeeded: $tap_out"
		return 1
	else
		ok 0 "$tap_name"
	fi
}

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# skip WHY: one check that this kernel or machine cannot do
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count # SKIP $1"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

bail() {
	echo "Bail out! $1"
	exit 1
}

# scaled N: of which a test does so many when it is run in full; see tap.h
scaled() {
	scaled=$(awk "BEGIN { print int($1 * ${PERCENT:-100} / 100) }")
	echo $((scaled > 0 ? scaled : 1))
}

# wait_until COMMAND...: true as soon as it is, false after a minute and more
wait_until() {
	wait_tries=1200
	until "$@"; do
		wait_tries=$((wait_tries - 1))
		[ "$wait_tries" -gt 0 ] || return 1
		usleep 50000
	done
}

# sleeps_with PID FILE: the process has the file open, and sleeps
sleeps_with() {
	for tap_fd in "/proc/$1/fd/"*; do
		[ "$(readlink "$tap_fd")" = "$2" ] || continue
		grep -q '^State:.*S' "/proc/$1/status"
		return
	done
	return 1
}

# logged WORDS: how many lines of the kernel's log have them since the test began
logged() {
	dmesg | awk -v words="$1" '/run-tests: begin / { n = 0 }
		index($0, words) { n++ }
		END { print n + 0 }'
}

# reports: how many lines of trouble the kernel's log has since the test began
reports() {
	dmesg | awk '/run-tests: begin / { n = 0 }
		/WARNING|BUG:|Oops|Call Trace|general protection/ { n++ }
		END { print n + 0 }'
}

# tap_done: prints the plan and exits
tap_done() {
	echo "1..$tap_count"
	[ "$tap_count" -gt 0 ] && [ "$tap_failed" -eq 0 ]
	exit $?
}
