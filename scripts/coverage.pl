# SPDX-License-Identifier: GPL-2.0-only
# usage: perl coverage.pl BUILD UNCOVERED FILE.gcov.json.gz...
#
# Prints a table of what gcov counted for the sources in the folder BUILD; part of
# scripts/coverage. The format is that of gcov's option --json-format, see gcov(1).

use strict;
use warnings;
use JSON::PP;

my $MINIMUM = 90;
my $UNEXPLAINED = 1;	# chance decides of some lines, where processes race
my ($build, $explained_file, @files) = @ARGV;
my (%lines, %branches, %function);

# A line of a header counts once for all that include it, as often as it ran in any.
sub add_file
{
	my ($name, $file) = @_;

	for my $line (@{$file->{lines}}) {
		my $number = $line->{line_number};
		my $i = 0;

		$lines{$name}{$number} = ($lines{$name}{$number} // 0) + $line->{count};
		$function{$name}{$number} = $line->{function_name} // '-';
		for my $branch (@{$line->{branches}}) {
			$branches{$name}{$number . '.' . $i++} += $branch->{count};
		}
	}
}

sub load
{
	my ($path) = @_;
	open my $in, '-|', 'gzip', '-dc', $path or die "$path: $!\n";
	my $data = decode_json(join '', <$in>);

	for my $file (@{$data->{files}}) {
		my $name = $file->{file};
		next unless $name =~ s{^\Q$build\E/}{};
		next if $name eq 'trace.h';
		add_file($name, $file);
	}
}

# Functions by FILE:NAME, each with a reason.
sub explained
{
	my %reason;

	open my $in, '<', $explained_file or die "$explained_file: $!\n";
	while (<$in>) {
		next if /^#/ || /^\s*$/;
		/^(\S+:\S+)\s+(\S.*)$/ or die "$explained_file:$.: not FILE:FUNCTION REASON\n";
		$reason{$1} = $2;
	}
	return %reason;
}

sub share
{
	my ($ran, $all) = @_;

	return $all ? 100 * $ran / $all : 100;
}

load($_) for @files;
my %reason = explained();
my (%missed, @sum);
printf "%-20s %15s %17s\n", 'FILE', 'LINES', 'BRANCHES';
for my $name (sort keys %lines) {
	my @all = keys %{$lines{$name}};
	my @ran = grep { $lines{$name}{$_} } @all;
	my @ways = keys %{$branches{$name} // {}};
	my @taken = grep { $branches{$name}{$_} } @ways;

	for my $number (sort { $a <=> $b } grep { !$lines{$name}{$_} } @all) {
		push @{$missed{"$name:$function{$name}{$number}"}}, $number;
	}
	printf "%-20s %4d/%4d %4.0f %% %5d/%5d %4.0f %%\n", $name, scalar @ran, scalar @all,
		share(scalar @ran, scalar @all), scalar @taken, scalar @ways,
		share(scalar @taken, scalar @ways);
	$sum[0] += @ran;
	$sum[1] += @all;
	$sum[2] += @taken;
	$sum[3] += @ways;
}
printf "%-20s %4d/%4d %4.0f %% %5d/%5d %4.0f %%\n", 'all', @sum[0, 1], share(@sum[0, 1]),
	@sum[2, 3], share(@sum[2, 3]);
my $unexplained = 0;
for my $where (sort keys %missed) {
	my $why = $reason{$where};

	$unexplained += @{$missed{$where}} unless $why;
	printf "%s did not run: line %s: %s\n", $where, join(', ', @{$missed{$where}}),
		$why // 'NOT EXPLAINED';
}
printf "not explained: %.1f %%\n", share($unexplained, $sum[1]);
exit(share(@sum[0, 1]) < $MINIMUM || share($unexplained, $sum[1]) > $UNEXPLAINED);
