# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a kernel log says about a run; sourced after lib.sh.

# stall_arguments: for the kernel. A guest whose host is busy, or stops for a while, may
# rightly seem to stand still; two minutes are a bug.
stall_arguments()
{
	echo watchdog_thresh=60 workqueue.watchdog_thresh=120 rcupdate.rcu_cpu_stall_timeout=120
}

# Lines that mean trouble, as extended regular expressions, one a line.
TROUBLE='Kernel panic
WARNING:
\<BUG\>
\<Oops\>
KASAN:
KCSAN:
UBSAN:
unreferenced object
Call Trace
general protection
possible circular locking
possible recursive locking
possible irq lock inversion
inconsistent lock state
suspicious RCU
Invalid wait context
bad unlock balance
held lock freed
lock held when returning
rcu.*(detected stalls|self-detected stall)
rcu.*kthread starved
blocked for more than [0-9]+ seconds
soft lockup
hard LOCKUP
scheduling while atomic
sleeping function called from invalid context
refcount_t:
list_(add|del) corruption
Objects remaining
ODEBUG:
DMA-API:
Unable to handle kernel
invalid opcode:
Bad page state
double free
slab.*[Cc]orrupt
kobject.*initialized'

# Lines that look like trouble and are not.
HARMLESS='Spectre V2 : WARNING: Unprivileged eBPF
DMA-API: preallocated
DMA-API: debugging enabled'

# full_log CONSOLE DMESG: the log read at the guest's end, and the console's
# copy if there was no orderly end. A serial console ends its lines in CR LF.
full_log()
{
	if [[ -s $2 ]]; then
		cat -- "$2"
	else
		tr -d '\r' <"$1"
	fi
}

# without_memory LOG: what the kernel says, with a stack, when memory is out, and it
# chooses whom to kill or lets an allocation fail, is no report; as many lines as there
# were remain. A stack soon after an allocation failed is that failure's, up to what has a
# name of its own.
without_memory()
{
	awk '/invoked oom-killer:/ { oom = 1 }
		/ failed with error -12$|vmalloc error: |page allocation failure: / { soon = NR + 12 }
		/Call Trace/ && NR < soon { stack = 1 }
		/WARNING:|BUG[: ]|Oops|KASAN:|UBSAN:|INFO: |<\/TASK>/ { soon = stack = 0 }
		/Out of memory: Killed|Memory cgroup out of memory: Killed/ { oom = 0 }
		/Kernel panic/ { oom = soon = stack = 0 }
		{ print oom || stack ? "" : $0 }' "$1"
}

# without_vivid: filters what vivid's output thread reports of itself: late, as under
# emulation, it asks for a negative timeout (6.1). Another's negative timeout remains.
without_vivid()
{
	awk 'function show(i) {
			for (i = 1; i <= held; i++)
				print vivid ? "" : lines[i]
			held = vivid = 0
		}
		/schedule_timeout: wrong timeout value/ { show(); holding = 1 }
		holding { lines[++held] = $0 }
		/vivid_thread_vid_out/ { vivid = holding }
		!holding { print }
		/<\/TASK>/ || held >= 60 { show(); holding = 0 }
		END { show() }'
}

# report_in LOG: shows LOG from shortly before its first line of trouble on;
# fails if there is none.
report_in()
{
	local first

	first=$(without_memory "$1" | without_vivid | grep -nE "$TROUBLE" | grep -vE "$HARMLESS" | head -n 1 | cut -d : -f 1)
	[[ $first ]] || return 1
	tail -n "+$((first > 5 ? first - 5 : 1))" "$1" | head -n 200
}
