# SPDX-License-Identifier: GPL-2.0-only
# usage: perl driver-survey.pl NAME=DIR...
#
# Prints a table, for scripts/driver-survey: which of the functions that make, share and
# end a buffer the code of each DRM and accel driver calls that a kernel's configuration
# builds. Each DIR has a kernel's drivers/gpu/drm, drivers/accel (if it has one),
# include/drm, and config.ARCH of one or more architectures.
#
# A driver is a module that has a struct drm_driver, or that makes a buffer. Its sources
# are those that its Makefile lists; where the list cannot be told, all of its folder.

use strict;
use warnings;

# What is looked for, in the order of the columns. Two patterns are quicker than one of
# two branches.
my @SITES = (
	['drm_gem_object_init', qr/\bdrm_gem_object_init(?:_with_mnt)?\s*\(/],
	['drm_gem_private_object_init', qr/\bdrm_gem_private_object_init\s*\(/],
	['ttm_bo_init', qr/\bttm_bo_init(?:_reserved|_validate)?\s*\(/],
	['ttm_bo_validate', qr/\bttm_bo_validate\s*\(/],
	['drm_gem_handle_create', qr/\bdrm_gem_handle_create\s*\(/],
	['import', qr/\.gem_prime_import(?:_sg_table)?\s*=/, qr/\bdrm_gem_prime_fd_to_handle\s*\(/],
	['dma_buf_export', qr/\b(?:virtio_)?dma_buf_export\s*\(/],
	['drm_gem_dmabuf_export', qr/\bdrm_gem_dmabuf_export\s*\(/],
	['drm_gem_object_release', qr/\bdrm_gem_object_release\s*\(/],
);
my @MAKES = qw(drm_gem_object_init drm_gem_private_object_init ttm_bo_init dma_buf_export);

# Libraries of DRM that make buffers for drivers: their code, and how their use is told.
my %HELPERS = (
	shmem => ['drm_gem_shmem_helper', qr/\bdrm_gem_shmem_(?:create|init|dumb_create|prime_import)/,
		qr/\bDRM_GEM_SHMEM_DRIVER/],
	dma => ['drm_gem_dma_helper', qr/\bdrm_gem_dma_(?:create|dumb_create|prime_import)/,
		qr/\bDRM_GEM_DMA_DRIVER/],
	vram => ['drm_gem_vram_helper', qr/\bdrm_gem_vram_(?:create|fill_create|driver_dumb)/,
		qr/\bDRM_GEM_VRAM_DRIVER/],
	ttm => ['drm_gem_ttm_helper', qr/\bdrm_gem_ttm_/],
);
my @HELPERS = qw(shmem dma vram ttm);

# Modules that are no drivers; drm_gpuvm makes an object, but it is of size 0.
my $LIBRARY = qr/^(?:drm|ttm|gpu-sched|drm_\w*helper|drm_client_lib|drm_gpuvm)$/;

# Files without any of these need no closer look, which would take long.
my @INTERESTING = ('drm_gem_', 'DRM_GEM_', 'ttm_bo_', 'dma_buf_export', 'gem_prime_import',
	'struct drm_driver', 'drm::Driver');
my @DRIVER = (qr/\bstruct\s+drm_driver\s+\w+\s*=/, qr/\bimpl\s+drm::Driver\s+for\b/);

# Of the kernel that is read: options that are set, and modules that are built, both with
# the architectures as a mask of bits.
my (%config, %modules);

sub slurp {
	my ($path) = @_;

	open my $file, '<:raw', $path or die "$path: $!\n";
	local $/;
	return scalar <$file>;
}

# For which architectures an option is set.
sub built {
	my ($option) = @_;

	return $config{$option} // 0;
}

sub read_configs {
	my ($dir) = @_;
	my ($bit, @archs) = (1);

	%config = ();
	for my $path (sort glob "$dir/config.*") {
		push @archs, $path =~ /\.([^.]+)$/;
		for (split /\n/, slurp($path)) {
			$config{$1} |= $bit if /^(CONFIG_\w+)=[ym]$/;
		}
		$bit <<= 1;
	}
	die "$dir: no config.ARCH\n" unless @archs;
	return @archs;
}

# A Makefile as one text without comments, continuations and includes.
sub makefile {
	my ($dir, $path) = @_;

	($path) = grep { -e } "$dir/Kbuild", "$dir/Makefile" unless defined $path;
	return '' unless defined $path;
	my $text = slurp($path);
	$text =~ s/\\\n/ /g;
	$text =~ s/#.*//g;
	$text =~ s{^include\s+\$\(src\)/(\S+)}{-e "$dir/$1" ? makefile($dir, "$dir/$1") : ''}gem;
	return $text;
}

# The lists of a Makefile by the name they are for, as far as the options are set.
sub lists {
	my ($text) = @_;
	my %list;

	while ($text =~ /^\s*([\w-]+?)(?:-(?:y|m|objs|\$\((CONFIG_\w+)\)))?\s*[:+?]?=\s*(.*)/gm) {
		$list{$1} .= " $3" if !defined $2 || built($2);
	}
	return \%list;
}

# The files of a list; undef stands among them for what is not known.
sub expand {
	my ($list, $name, $seen) = @_;
	my @files;

	return if $seen->{$name}++;
	for my $word (split ' ', $list->{$name}) {
		if ($word =~ /^\$\(([\w-]+?)(?:-y)?\)$/ && defined $list->{$1}) {
			push @files, expand($list, $1, $seen);
		} elsif ($word =~ /^[\w.\/-]+\.o$/) {
			push @files, $word =~ s/\.o$//r;
		} elsif ($word =~ /\$/) {
			push @files, undef;
		}
	}
	return @files;
}

sub tree {
	my ($dir) = @_;
	my @files;

	for my $path (glob "$dir/*") {
		if (-d $path) {
			push @files, tree($path) unless $path =~ m{/(?:self)?tests$};
		} elsif ($path =~ /\.(?:c|rs)$/) {
			push @files, $path;
		}
	}
	return @files;
}

sub sources {
	my ($dir, $text, $name) = @_;
	my $list = lists($text);
	my @files = defined $list->{$name} ? expand($list, $name, {}) : ($name);

	return tree($text =~ m{\$\(src\)/\.\.} ? $dir =~ s{/[^/]+$}{}r : $dir)
		if grep { !defined } @files;
	return grep { -e } map { ("$dir/$_.c", "$dir/$_.rs") } @files;
}

# All modules that the Makefile of a folder builds, and those of the folders it names.
sub walk {
	my ($dir, $archs) = @_;
	my $text = makefile($dir);

	while ($text =~ /^\s*obj-(?:y|\$\((CONFIG_\w+)\))\s*[:+]?=\s*(.*)/gm) {
		my $on = defined $1 ? $archs & built($1) : $archs;

		next unless $on;
		for my $word (split ' ', $2) {
			if ($word =~ m{^([\w./-]+)/$}) {
				walk("$dir/$1", $on) if -d "$dir/$1";
			} elsif ($word =~ /^([\w-]+)\.o$/ && $1 !~ $LIBRARY) {
				$modules{$1} //= { archs => 0, files => [sources($dir, $text, $1)] };
				$modules{$1}{archs} |= $on;
			}
		}
	}
}

# The code of files, without comments, as far as it is of interest.
sub code {
	my $all = '';

	for my $path (@_) {
		my $text = slurp($path);

		next unless grep { index($text, $_) >= 0 } @INTERESTING;
		$text =~ s{/\*.*?\*/}{ }gs;
		$text =~ s{//.*}{}g;
		$all .= $text;
	}
	return $all;
}

# Whether code has any of some patterns.
sub has {
	my ($code, @patterns) = @_;

	return scalar grep { $code =~ $_ } @patterns;
}

# What code calls: each site, and at {types} the types of TTM's objects it names.
sub calls {
	my ($code) = @_;
	my %calls;
	my %types = map { $_ => 1 } $code =~ /\bttm_bo_type_(device|kernel|sg)\b/g;

	for (@SITES) {
		my ($name, @patterns) = @$_;

		$calls{$name} = 1 if has($code, @patterns);
	}
	$calls{types} = join ' ', grep { $types{$_} } qw(device kernel sg);
	return \%calls;
}

# Whether all hooks by which a driver imports are functions of the helpers.
sub imports_by_helper {
	my ($code) = @_;

	return !has($code, qr/\bdrm_gem_prime_fd_to_handle\s*\(/,
		qr/\.gem_prime_import(?:_sg_table)?\s*=\s*(?!drm_gem_)\w/);
}

# How a driver does it: the cells of its row, from what it calls and what helpers call.
sub cells {
	my ($code, $own, $helper) = @_;
	my @used = grep { my (undef, @patterns) = @{$HELPERS{$_}}; has($code, @patterns) } @HELPERS;
	my @cells = (join(', ', @used) || '-');
	my %calls = (own => { %$own }, map { $_ => $helper->{$_} } @used);

	delete $calls{own}{import} if imports_by_helper($code);
	for my $site (map { $_->[0] } @SITES) {
		my @who = grep { $calls{$_}{$site} } 'own', @used;

		@who = map { "$_ ($calls{$_}{types})" } @who if $site eq 'ttm_bo_init';
		push @cells, join(', ', @who) || '-';
	}
	return @cells;
}

sub survey {
	my ($dir) = @_;
	my @archs = read_configs($dir);
	my (%helper, %rows);

	%modules = ();
	for my $top ("$dir/drivers/gpu/drm", "$dir/drivers/accel") {
		walk($top, (1 << @archs) - 1) if -d $top;
	}
	for (@HELPERS) {
		my $file = $HELPERS{$_}[0];

		$helper{$_} = calls(code(grep { -e }
			"$dir/drivers/gpu/drm/$file.c", "$dir/include/drm/$file.h"));
	}
	for my $name (sort keys %modules) {
		my $code = code(@{$modules{$name}{files}});
		my $own = calls($code);
		my $built_for = join ', ', map { $archs[$_] }
			grep { $modules{$name}{archs} & 1 << $_ } 0 .. $#archs;

		next unless has($code, @DRIVER) || grep { $own->{$_} } @MAKES;
		$rows{$name} = [$built_for, cells($code, $own, \%helper)];
	}
	return \%rows;
}

sub print_row {
	print '| ', join(' | ', @_), " |\n";
}

my (%table, @names);

for (@ARGV) {
	my ($name, $dir) = /^([^=]+)=(.+)$/ or die "usage: perl driver-survey.pl NAME=DIR...\n";
	my $rows = survey($dir);

	push @names, $name;
	$table{$_}{$name} = $rows->{$_} for keys %$rows;
}
print_row('driver', 'kernels', 'built for', 'helpers', map { $_->[0] =~ /_/ ? "`$_->[0]`" : $_->[0] } @SITES);
print_row(map { '---' } 1 .. 4 + @SITES);
for my $driver (sort keys %table) {
	my (%kernels, @order);

	# Kernels that do it alike share a row.
	for my $name (grep { $table{$driver}{$_} } @names) {
		my $how = join '|', @{$table{$driver}{$name}};

		push @order, $how unless $kernels{$how};
		push @{$kernels{$how}}, $name;
	}
	print_row("`$driver`", join(', ', @{$kernels{$_}}), split /\|/, $_) for @order;
}
