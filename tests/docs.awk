# SPDX-License-Identifier: GPL-2.0-only
# usage: awk -f docs.awk SHOWN PRINTED
#
# Compares what a document shows with what a command printed; if they differ, prints
# both and exits with 1. Only these may differ, which no two runs have alike:
# - the values in columns DMA_ADDR, INODE, PID and AGE_MS of a table
# - the values of keys that end in _ns or _hits
# - what precedes the message in a line of the kernel's log or of a trace
# - versions of kernels
# - any lines, where the document has a line `...`

function varies(name)
{
	return name ~ /^(DMA_ADDR|INODE|PID|AGE_MS)$/
}

# The line without what differs from run to run; keeps the columns of the table.
function masked(line, table,   word, n, i, text)
{
	sub(/^\[ *[0-9]+\.[0-9]+\] /, "", line)
	sub(/^ *[^ ]+-[0-9]+ +\[[0-9]+\] [^ ]+ +[0-9]+\.[0-9]+: /, "", line)
	gsub(/[0-9]+\.[0-9]+\.[0-9]+[-+][-+.~a-z0-9]+/, "VERSION", line)
	if (line ~ /^[a-z_]+_(ns|hits) [0-9]+$/)
		sub(/[0-9]+$/, "N", line)
	n = split(line, word, " ")
	if (n > 1 && line ~ /^[A-Z_0-9 ]+$/ && line ~ /^[A-Z]/) {
		columns[table] = n
		for (i = 1; i <= n; i++)
			column[table, i] = word[i]
		return line
	}
	if (n != columns[table]) {
		columns[table] = 0
		return line
	}
	for (i = 1; i <= n; i++)
		text = text (i > 1 ? " " : "") (varies(column[table, i]) ? "*" : word[i])
	return text
}

# Do the shown lines from i on match the printed ones from j on?
function same(i, j)
{
	for (; i <= nr_shown && shown[i] != "..."; i++) {
		if (j > nr_printed || shown[i] != printed[j])
			return 0
		j++
	}
	if (i > nr_shown)
		return j > nr_printed
	for (; j <= nr_printed + 1; j++)
		if (same(i + 1, j))
			return 1
	return 0
}

FILENAME == ARGV[1] {
	shown[++nr_shown] = masked($0, "shown")
	next
}

{
	printed[++nr_printed] = masked($0, "printed")
	text[nr_printed] = $0
}

END {
	if (same(1, 1))
		exit 0
	print "shown:"
	for (i = 1; i <= nr_shown; i++)
		print "  " shown[i]
	print "printed:"
	for (i = 1; i <= nr_printed; i++)
		print "  " text[i]
	exit 1
}
