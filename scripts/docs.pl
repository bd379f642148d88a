# SPDX-License-Identifier: GPL-2.0-only
# usage: perl docs.pl guest|host DIR FILE.md...
#
# Takes the commands out of documents, for tests/docs.sh (guest) and
# scripts/check-docs (host). Each becomes DIR/FILE/LINE.cmd, and beside it LINE.out:
# what the document says that it prints. CONTRIBUTING.md tells how a document is written.

use strict;
use warnings;

# Fences whose content is no command.
my %SILENT = map { $_ => 1 } qw(text c diff);

my ($side, $dir, @files) = @ARGV;
die "usage: perl docs.pl guest|host DIR FILE.md...\n"
	unless @files && $side =~ /^(guest|host)$/;
my %prompt = (guest => '# ', host => '$ ');

my ($out, $current);

sub put {
	my ($name, $text) = @_;

	open my $file, '>', "$out/$name" or die "$out/$name: $!\n";
	print $file $text;
	close $file or die "$out/$name: $!\n";
}

sub flush_command {
	return unless $current;
	put(sprintf('%05d.cmd', $current->{line}), $current->{command});
	put(sprintf('%05d.out', $current->{line}), $current->{output});
	undef $current;
}

sub begin {
	my ($line, $command, $output) = @_;

	flush_command();
	$current = { line => $line, command => "$command\n", output => $output };
}

# A line of a fence `console`, of which all prompts are the same.
sub console_line {
	my ($where, $line, $state) = @_;

	if ($line =~ /^([#\$] )(.*)/) {
		die "$where: two prompts in one block\n" if $state->{prompt} && $state->{prompt} ne $1;
		$state->{prompt} = $1;
		flush_command();
		begin($., $2, '') if $1 eq $prompt{$side};
	} elsif (!$state->{prompt}) {
		die "$where: a block `console` begins with a prompt\n";
	} elsif ($line =~ /^> (.*)/ && $current && !$current->{output}) {
		$current->{command} .= "$1\n";
	} elsif ($current) {
		$current->{output} .= "$line\n";
	}
}

# A line of commands without prompts, for the host.
sub shell_line {
	my ($line) = @_;

	begin($., $line, "...\n") if $side eq 'host' && $line =~ /^[^#\s]/;
}

sub read_file {
	my ($path, $number) = @_;
	my ($fence, $blank, $indented, %state) = (undef, 1, 0);

	(my $name = $path) =~ s{.*/}{};
	$out = sprintf('%s/%02d-%s', $dir, $number, $name);
	mkdir $out or die "$out: $!\n";
	open my $file, '<', $path or die "$path: $!\n";
	while (my $line = <$file>) {
		chomp $line;
		if (defined $fence) {
			if ($line eq '```') {
				undef $fence;
				flush_command();
			} elsif ($fence eq 'console') {
				console_line("$path:$.", $line, \%state);
			} elsif ($fence eq 'sh') {
				shell_line($line);
			}
		} elsif ($line =~ /^```(.*)/) {
			$fence = $1;
			%state = ();
			die "$path:$.: a fence `$fence`\n"
				unless $SILENT{$fence} || $fence =~ /^(console|sh)$/;
		} elsif ($line =~ /^<!-- run: (.*) -->$/) {
			begin($., $1, "...\n") if $side eq 'guest';
			flush_command();
		} elsif ($line =~ /^    (\S.*)/ && ($blank || $indented)) {
			shell_line($1);
			$indented = 1;
		} else {
			$indented = 0;
		}
		$blank = $line eq '';
	}
	die "$path: a fence is open at the end\n" if defined $fence;
	flush_command();
	close $file;
}

my $number = 0;
read_file($_, $number++) for @files;
