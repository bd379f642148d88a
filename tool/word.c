// SPDX-License-Identifier: GPL-2.0-only
/*
 * Words: cells of tables, as the module writes them, and as people read them.
 */

#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "message.h"
#include "word.h"

/**
 * word_is_unknown() - whether a cell says nothing
 * @word: the cell
 *
 * Return: true if it is "-".
 */
bool word_is_unknown(const char *word)
{
	return word[0] == '-' && !word[1];
}

static size_t digits(const char *word)
{
	return strspn(word, "0123456789");
}

/**
 * word_is_number() - whether a word is a decimal number of 64 bits
 * @word: the word
 *
 * Return: true if it is.
 */
bool word_is_number(const char *word)
{
	uint64_t number;

	return word_number(word, &number);
}

/**
 * word_lower() - a small letter
 * @c: a letter of ASCII, or another byte
 *
 * Not tolower(), which does what LC_CTYPE says: in Turkish an I has no small i.
 *
 * Return: @c, as a small letter if it is a capital one.
 */
char word_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

/**
 * word_is_name() - compare names of columns
 * @word: a name
 * @name: another one
 *
 * Return: true if they are the same, but for small and capital letters.
 */
bool word_is_name(const char *word, const char *name)
{
	while (*word && word_lower(*word) == word_lower(*name)) {
		word++;
		name++;
	}
	return word_lower(*word) == word_lower(*name);
}

/**
 * word_number() - read a decimal number
 * @word: nothing but digits
 * @number: receives it
 *
 * Return: false if it is none, or does not fit into 64 bits.
 */
bool word_number(const char *word, uint64_t *number)
{
	size_t len = digits(word);

	if (!len || word[len])
		return false;
	errno = 0;
	*number = strtoull(word, NULL, 10);
	return !errno;
}

/* What precedes the number in a cell of kind CAPACITY: its length. */
static size_t capacity_prefix(const char *word)
{
	if (!strncmp(word, "vram:", 5))
		return 5;
	return strncmp(word, "bar:", 4) ? 0 : 4;
}

static bool fits_each(const char *list, enum kind kind)
{
	char *copy = must(strdup(list)), *rest = copy, *part, *colon;
	bool fits = true;

	while (fits && (part = strsep(&rest, ","))) {
		if (kind == KIND_LIST) {
			fits = word_is_number(part) || !strcmp(part, "...");
			continue;
		}
		colon = strrchr(part, ':');
		fits = colon && colon > part && word_is_number(colon + 1);
	}
	free(copy);
	return fits;
}

/**
 * word_fits() - whether a cell is what its column says
 * @word: the cell
 * @kind: of its column
 *
 * Return: true if it is.
 */
bool word_fits(const char *word, enum kind kind)
{
	if (kind == KIND_TEXT || kind == KIND_ANY)
		return *word;
	if (word_is_unknown(word))
		return true;
	switch (kind) {
	case KIND_LIMIT:
		return !strcmp(word, "max") || word_is_number(word);
	case KIND_CAPACITY:
		return word_is_number(word + capacity_prefix(word));
	case KIND_SIZES:
	case KIND_LIST:
		return fits_each(word, kind);
	default:
		return word_is_number(word);
	}
}

/**
 * word_kind() - what a kind is called in messages
 * @kind: the kind
 *
 * Return: as "a number".
 */
const char *word_kind(enum kind kind)
{
	switch (kind) {
	case KIND_NUMBER:
		return "a number";
	case KIND_SIZE:
		return "a size";
	case KIND_LIMIT:
		return "a size or max";
	case KIND_CAPACITY:
		return "a size, vram:SIZE or bar:SIZE";
	case KIND_SIZES:
		return "NAME:SIZE, separated by commas";
	case KIND_LIST:
		return "numbers, separated by commas";
	default:
		return "a word";
	}
}

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' &&
	       s[2] >= '0' && s[2] <= '7';
}

/**
 * word_unescape() - the bytes that a word stands for
 * @to: receives them; has room for the whole word and a NUL, and may be @word
 * @word: the word, where \ooo is a byte
 *
 * Return: their number; a NUL follows them.
 */
size_t word_unescape(char *to, const char *word)
{
	char *start = to;

	while (*word) {
		if (*word == '\\' && is_octal(word + 1)) {
			*to++ = (word[1] - '0') << 6 | (word[2] - '0') << 3 | (word[3] - '0');
			word += 4;
		} else {
			*to++ = *word++;
		}
	}
	*to = '\0';
	return to - start;
}

/**
 * utf8_length() - the character that some bytes begin with
 * @bytes: the bytes
 * @len: their number, at least 1
 * @character: receives it, or may be NULL
 *
 * Return: of how many bytes it is; 0 if they are no UTF-8.
 */
size_t utf8_length(const char *bytes, size_t len, uint32_t *character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *b = (const unsigned char *)bytes;
	size_t n = *b < 0x80 ? 1 : *b < 0xc2 ? 0 : *b < 0xe0 ? 2 : *b < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? *b : *b & (0x7f >> n);
	size_t i;

	if (!n || n > len || *b > 0xf4)
		return 0;
	for (i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	if (c < least[n] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	if (character)
		*character = c;
	return n;
}

/* Whether a terminal shows it as one letter, and does nothing else. */
static bool is_shown(uint32_t c)
{
	if (c < 0x80)
		return c > ' ' && c < 0x7f && c != '\\';
	if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0xad)
		return false;
	return iswgraph(c);
}

/* Writes len bytes as a word. Returns where it ends. */
static char *escape(char *to, const char *bytes, size_t len, bool utf8)
{
	size_t n;

	for (; len; bytes += n, len -= n) {
		uint32_t c;

		n = utf8_length(bytes, len, &c);
		if (n && (utf8 || n == 1) && is_shown(c)) {
			to = mempcpy(to, bytes, n);
			continue;
		}
		n = 1;
		to += sprintf(to, "\\%03o", (unsigned char)*bytes);
	}
	*to = '\0';
	return to;
}

/**
 * word_escape() - the word that stands for some bytes
 * @bytes: the bytes
 * @len: their number
 *
 * Return: as the module writes names, with \ooo for what is not graphic ASCII, and for \;
 * to be given to free().
 */
char *word_escape(const char *bytes, size_t len)
{
	char *word = make(len * 4 + 1, 1);

	escape(word, bytes, len, false);
	return word;
}

/**
 * word_shown() - a word for people's eyes
 * @word: as the module writes it; or several, as in stats
 *
 * Return: the same with the letters of other scripts instead of \ooo, if the terminal takes
 * UTF-8. The module takes that as the same name. To be given to free().
 */
char *word_shown(const char *word)
{
	char *copy = must(strdup(word)), *rest = copy, *part;
	char *shown = make(strlen(word) * 4 + 1, 1), *to = shown;
	bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");

	while ((part = strsep(&rest, " "))) {
		if (part != copy)
			*to++ = ' ';
		to = escape(to, part, word_unescape(part, part), utf8);
	}
	free(copy);
	return shown;
}

/**
 * word_human() - a size as people read it
 * @to: receives it; of WORD_SHORT bytes
 * @bytes: the size
 *
 * Return: @to, as 1.5G, in powers of 1024.
 */
const char *word_human(char *to, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double size = bytes;
	int i, len;

	for (i = 0; size >= 1023.5 && i < 6; i++)
		size /= 1024;
	len = snprintf(to, WORD_SHORT - 1, i && size < 9.95 ? "%.1f" : "%.0f", size);
	if (len > 2 && !strcmp(to + len - 2, ".0"))
		len -= 2;
	if (i)
		to[len++] = units[i - 1];
	to[len] = '\0';
	return to;
}

static char *sized_list(const char *list)
{
	char *copy = must(strdup(list)), *rest = copy, *part, *sized = must(strdup(""));

	while ((part = strsep(&rest, ","))) {
		char *colon = strrchr(part, ':'), number[WORD_SHORT], *longer;
		uint64_t bytes;

		if (!colon || !word_number(colon + 1, &bytes))
			continue;
		longer = text("%s%s%.*s%s", sized, *sized ? "," : "", (int)(colon + 1 - part), part,
			      word_human(number, bytes));
		free(sized);
		sized = longer;
	}
	free(copy);
	return sized;
}

/**
 * word_sized() - a cell with its sizes as people read them
 * @word: the cell
 * @kind: of its column
 *
 * Return: a string to be given to free(); that of a column without sizes is as it was.
 */
char *word_sized(const char *word, enum kind kind)
{
	size_t prefix = kind == KIND_CAPACITY ? capacity_prefix(word) : 0;
	char number[WORD_SHORT];
	uint64_t bytes;

	switch (kind) {
	case KIND_SIZES:
		return word_is_unknown(word) ? must(strdup(word)) : sized_list(word);
	case KIND_SIZE:
	case KIND_LIMIT:
	case KIND_CAPACITY:
		if (word_number(word + prefix, &bytes))
			return text("%.*s%s", (int)prefix, word, word_human(number, bytes));
		return must(strdup(word));
	default:
		return must(strdup(word));
	}
}

/**
 * word_age() - a time as people read it
 * @to: receives it; of WORD_SHORT bytes
 * @ms: a cell of milliseconds
 *
 * Return: @to, as 5s; or "-" if it is unknown.
 */
const char *word_age(char *to, const char *ms)
{
	static const struct {
		double below, unit;
		const char *name;
	} units[] = {
		{ 1e3, 1, "ms" }, { 1e5, 1e3, "s" }, { 6e6, 6e4, "m" }, { 36e7, 36e5, "h" },
	};
	uint64_t number;
	size_t i;

	if (!word_number(ms, &number))
		return "-";
	for (i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (number < units[i].below) {
			snprintf(to, WORD_SHORT, "%.0f%s", number / units[i].unit, units[i].name);
			return to;
		}
	}
	snprintf(to, WORD_SHORT, "%.0fd", number / 864e5);
	return to;
}
