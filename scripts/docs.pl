# SPDX-License-Identifier: GPL-2.0-only
# usage: perl docs.pl guest|host DIR FILE.md...
#        perl docs.pl names FILE.md...
#
# guest and host take the commands out of documents, for tests/docs.sh and
# scripts/check-docs. Each becomes DIR/FILE/LINE.cmd, and beside it LINE.out: what the
# document says that it prints. CONTRIBUTING.md tells how a document is written.
#
# names complains of links that lead nowhere, and of files and programs of the checkout
# that documents name and that are not there.

use strict;
use warnings;

# Fences whose content is no command.
my %SILENT = map { $_ => 1 } qw(text c diff);

my $usage = "usage: perl docs.pl guest|host DIR FILE.md..., or names FILE.md...\n";
my $side = shift // die $usage;
my $dir = $side eq 'names' ? undef : shift;
my @files = @ARGV or die $usage;
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

# Files of the checkout, by path and by name.
my (%is_path, %is_name);

# As git hosts make an anchor of a heading.
sub anchor {
	my ($heading) = @_;

	$heading =~ s/[^\w\s-]//g;
	$heading =~ s/ /-/g;
	return lc $heading;
}

sub has_anchor {
	my ($path, $wanted) = @_;
	my $found = 0;

	open my $file, '<', $path or return 0;
	while (<$file>) {
		$found = 1 if /^#+ (.*)/ && anchor($1) eq $wanted;
	}
	close $file;
	return $found;
}

sub check_link {
	my ($where, $path, $link) = @_;
	my ($target, $anchor) = split /#/, $link, 2;
	my $folder = $path =~ m{(.*/)} ? $1 : '';

	return if $link =~ /^https?:/;
	$target = length $target ? "$folder$target" : $path;
	if (!-e $target) {
		print "$where: no $target\n";
	} elsif (defined $anchor && !has_anchor($target, $anchor)) {
		print "$where: no heading for #$anchor in $target\n";
	}
}

# A word of code: a path with a known folder, or a name with a known ending. Words
# with capitals stand for names.
sub check_word {
	my ($where, $word) = @_;

	return if $word =~ m{[*<>\$]|[A-Z]{3}} && $word !~ /^[A-Z]+\.md$/;
	return unless $word =~ m{^(\.ci|debian|docs|man|scripts|tests)/[\w./-]+$}
		|| $word =~ /^[\w-]+\.(c|h|md|pl|sh|svg|awk|patch|config)$/;
	(my $path = $word) =~ s{/$}{};
	return if $is_path{$path} || $is_name{$path};
	# What a build makes is not in the checkout.
	return if $path =~ /\.mod\.c$/;
	print "$where: no $word\n";
}

# A fence after `<!-- file: PATH -->` is that file without the line of its license.
sub check_file {
	my ($where, $file, $shown) = @_;
	my $is = '';

	if (open my $in, '<', $file) {
		<$in>;
		local $/;
		$is = <$in>;
	}
	print "$where: not as $file\n" if $is ne $shown;
}

sub check_names {
	my ($path) = @_;

	open my $file, '<', $path or die "$path: $!\n";
	while (my $line = <$file>) {
		my $where = "$path:$.";

		if ($line =~ /^<!-- file: (\S+) -->/) {
			my ($source, $shown) = ($1, '');

			<$file>;
			while (defined($line = <$file>) && $line ne "```\n") {
				$shown .= $line;
			}
			check_file($where, $source, $shown);
			next;
		}
		chomp $line;
		check_link($where, $path, $1) while $line =~ /\]\(([^)\s]+)\)/g;
		while ($line =~ /`([^`]+)`/g) {
			check_word($where, $_) for split ' ', $1;
		}
		if ($line =~ /^(    |\$ |scripts\/|make )/) {
			check_word($where, $_) for split /[ ,]+/, $line;
		}
	}
	close $file;
}

if ($side eq 'names') {
	open my $list, '-|', qw(git ls-files --cached --others --exclude-standard) or die "git: $!\n";
	while (my $path = <$list>) {
		chomp $path;
		$is_name{$1} = 1 if $path =~ m{([^/]+)$};
		do {
			$is_path{$path} = 1;
		} while $path =~ s{/[^/]+$}{};
	}
	close $list;
	check_names($_) for @files;
} elsif ($prompt{$side}) {
	my $number = 0;

	read_file($_, $number++) for @files;
} else {
	die $usage;
}
