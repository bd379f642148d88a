# SPDX-License-Identifier: GPL-2.0-only
# usage: perl bench.pl table|plot FILE
#        perl bench.pl json FILE KERNEL
#        perl bench.pl compare|json|plot FILE
#        perl bench.pl compare FILE FILE PERCENT
#
# Shows the rows that the programs of tests/bench print; part of scripts/bench. A row is
# the word row, what, size, value, unit and budget (or -), separated by tabs. plot writes
# a program for gnuplot.

use strict;
use warnings;
use JSON::PP;

# What of ours answers the same as what of a peer.
my %peers = (
	'who holds what: allocations' => ['who holds what: bufinfo', 'who holds what: fdinfo'],
	'totals of each tenant: agents' => ['totals of each tenant: fdinfo'],
	'lock and unlock' => ['lock and unlock: fcntl'],
	'contended hand-over of a lock' => ['contended hand-over of a lock: fcntl'],
);

sub rows
{
	my ($name) = @_;
	my @rows;

	open(my $file, '<', $name) or die "$name: $!\n";
	while (<$file>) {
		chomp;
		my (undef, $what, $size, $value, $unit, $budget) = split /\t/;
		push @rows, {what => $what, size => $size + 0, value => $value + 0, unit => $unit,
			$budget eq '-' ? () : (budget => $budget + 0,
				met => $value <= $budget ? JSON::PP::true : JSON::PP::false)};
	}
	add_peers(@rows);
	return @rows;
}

sub add_peers
{
	my %value = map { ("$_->{what}\t$_->{size}" => $_->{value}) } @_;

	for my $row (@_) {
		for my $peer (@{$peers{$row->{what}} // []}) {
			my $value = $value{"$peer\t$row->{size}"} // next;
			$row->{peers}{$peer} = sprintf('%.1f', $value / $row->{value}) + 0;
		}
	}
}

sub grouped
{
	my ($n) = @_;

	1 while $n =~ s/^(-?\d+)(\d{3})/$1,$2/;
	return $n;
}

sub peers_text
{
	my ($peers) = @_;

	return join(', ', map { /([^ ]+)$/; "$1 $peers->{$_} x" } sort keys %$peers);
}

sub table
{
	my $format = "%-52s %10s %14s %-13s %9s %-4s %s\n";

	printf $format, 'WHAT', 'SIZE', 'COST', 'UNIT', 'BUDGET', 'MET', 'PEERS';
	for my $row (@_) {
		printf $format, $row->{what}, grouped($row->{size}), grouped($row->{value}),
			$row->{unit}, grouped($row->{budget} // '-'),
			exists $row->{met} ? $row->{met} ? 'yes' : 'NO' : '-',
			$row->{peers} ? peers_text($row->{peers}) : '-';
	}
}

# Lines of what was counted at several sizes.
sub plot
{
	my (%points, @names);

	for my $row (grep { $_->{unit} eq 'instructions' } @_) {
		push @names, $row->{what} if !$points{$row->{what}};
		push @{$points{$row->{what}}}, "$row->{size} $row->{value}";
	}
	@names = grep { @{$points{$_}} > 1 } @names;
	print <<'END';
set terminal svg size 1100,700 noenhanced font "sans,12"
set title "gpu_dma_lock: instructions against how many there are"
set xlabel "buffers, agents or rules"
set ylabel "instructions"
set logscale xy
set format x "10^%T"
set grid
set key outside right
END
	for my $i (0 .. $#names) {
		print "\$d$i << EOD\n", map({ "$_\n" } @{$points{$names[$i]}}), "EOD\n";
	}
	print 'plot ', @names ? join(', ', map { "\$d$_ with linespoints title \"$names[$_]\"" } 0 .. $#names)
		: '[1:10] [0.1:10] 1 title "nothing was counted at several sizes"', "\n";
}

# virtio-gpu leaves to the host when its work is done, so how that mixes with the guest's
# differs from run to run.
sub compare
{
	my ($first, $second, $percent) = @_;
	my %then = map { ("$_->{what}\t$_->{size}" => $_->{value}) } rows($first);
	my ($worst, $of, $bad) = (0, '', 0);

	for my $row (grep { $_->{unit} eq 'instructions' && $_->{what} !~ /virtio/ } rows($second)) {
		my $then = $then{"$row->{what}\t$row->{size}"} // die "$row->{what}: only once\n";
		my $differs = 100 * abs($row->{value} - $then) / ($then || 1);
		($worst, $of) = ($differs, "$row->{what}, $row->{size}") if $differs > $worst;
		next if $differs <= $percent;
		$bad++;
		printf "%s, %d: %s and %s differ by %.1f %%\n", $row->{what}, $row->{size},
			grouped($then), grouped($row->{value}), $differs;
	}
	printf "two runs differ by at most %.2f %% (%s)\n", $worst, $of;
	exit($bad ? 1 : 0);
}

my ($command, @arguments) = @ARGV;

if ($command eq 'table') {
	table(rows(@arguments));
} elsif ($command eq 'json') {
	my ($file, $kernel) = @arguments;
	print JSON::PP->new->canonical->pretty->encode({kernel => $kernel, rows => [rows($file)]});
} elsif ($command eq 'plot') {
	plot(rows(@arguments));
} elsif ($command eq 'compare') {
	compare(@arguments);
} else {
	die "bench.pl: no command $command\n";
}
