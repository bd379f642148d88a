// SPDX-License-Identifier: GPL-2.0-only
/* Words: how commands have numbers, sizes, names and agents. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ctype.h>
#include <linux/kstrtox.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "gpu_dma_lock.h"

/* Digits that fit a u64 whatever they are. */
#define SHORT_NUMBER	18

/*
 * Is @word a short decimal number? Nearly all are. In a fifth of what kstrtou64()
 * takes, an eighth of a command.
 */
static bool is_short(const char *word, u64 *value)
{
	const char *c;
	u64 n = 0;
	u8 digit;

	for (c = word; c < word + SHORT_NUMBER; c++) {
		digit = *c - '0';
		if (digit > 9)
			break;
		n = n * 10 + digit;
	}
	*value = n;
	return !*c && c > word;
}

/**
 * gdl_word_u64() - read a number: decimal, or hex with 0x; no sign, no octal
 * @word: the word
 * @value: receives it
 *
 * Context: Any.
 * Return: 0, -EINVAL it is none, -ERANGE it does not fit.
 */
int gdl_word_u64(const char *word, u64 *value)
{
	bool hex;

	if (is_short(word, value))
		return 0;
	if (!isdigit(word[0]))
		return -EINVAL;
	hex = word[0] == '0' && tolower(word[1]) == 'x';
	return kstrtou64(word, hex ? 16 : 10, value);
}

#define UNITS	"KMGTkmgt"
#define NR_UNITS	4

/* K, Ki or KiB, also with a small k: all are 1024. And so on up to T; 0 for another word. */
static u64 unit_bytes(const char *word)
{
	const char *behind = word + 1;

	if (*behind && strcmp(behind, "i") && strcmp(behind, "iB"))
		return 0;
	return 1ULL << 10 * ((strchr(UNITS, *word) - UNITS) % NR_UNITS + 1);
}

/**
 * gdl_word_bytes() - read a number of bytes, or of units, without a blank between
 * @word: the word, which stays as it is
 * @bytes: receives it
 *
 * Context: Any.
 * Return: As gdl_word_u64().
 */
int gdl_word_bytes(char *word, u64 *bytes)
{
	u64 unit = 1;
	char *suffix, letter;
	int ret;

	if (is_short(word, bytes))
		return 0;
	suffix = word + strcspn(word, UNITS);
	letter = *suffix;
	if (letter)
		unit = unit_bytes(suffix);
	if (!unit)
		return -EINVAL;
	*suffix = '\0';
	ret = gdl_word_u64(word, bytes);
	*suffix = letter;
	if (ret)
		return ret;
	return check_mul_overflow(*bytes, unit, bytes) ? -ERANGE : 0;
}

/**
 * gdl_word_limit() - read a quota or capacity: a number of bytes, or "max"
 * @word: the word, which stays as it is
 * @limit: receives it; GDL_UNLIMITED for "max"
 *
 * Context: Any.
 * Return: As gdl_word_u64().
 */
int gdl_word_limit(char *word, u64 *limit)
{
	if (!strcmp(word, "max")) {
		*limit = GDL_UNLIMITED;
		return 0;
	}
	return gdl_word_bytes(word, limit);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The byte that \ooo stands for, or 0 if @c begins no such. */
static char octal_byte(const char *c)
{
	if (c[0] != '\\' || c[1] < '0' || c[1] > '3' || !is_octal(c[2]) ||
	    !is_octal(c[3]))
		return 0;
	return (c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0');
}

/**
 * gdl_word_unescape() - turn \ooo, as names are shown, into what it stands for
 * @word: the word, which is changed in place
 *
 * Any other backslash is itself: systemd has them in the names of its cgroups.
 *
 * Context: Any.
 */
void gdl_word_unescape(char *word)
{
	char *to, byte;

	for (to = word; *word; to++) {
		byte = octal_byte(word);
		*to = byte ?: *word;
		word += byte ? 4 : 1;
	}
	*to = '\0';
}

#define LETTERS		GDL_CAPITALS "abcdefghijklmnopqrstuvwxyz_"
#define NAME_MAX_LEN	63

/**
 * gdl_word_is_name() - may a command give this name to an agent?
 * @word: the word; no id, and no path, is such a name
 *
 * Context: Any.
 * Return: Whether it may.
 */
bool gdl_word_is_name(const char *word)
{
	size_t len = strspn(word, LETTERS "0123456789.:@-");

	return strspn(word, LETTERS) && !word[len] && len <= NAME_MAX_LEN;
}

/* The agent of that name. One that is a path, which no command gives, is as shown. */
static int find_agent(char *word, u64 *id)
{
	if (*word == '/')
		gdl_word_unescape(word);
	else if (!gdl_word_is_name(word))
		return -EINVAL;
	return gdl_agent_find_name(word, id);
}

/**
 * gdl_word_agent() - read an agent: its id, of which there may be none, or its name
 * @word: the word; the name of a template's agent, which is a path, is unescaped
 * @id: receives the agent's id
 *
 * Context: Any.
 * Return: As gdl_word_u64(), or -ENOENT no agent has that name.
 */
int gdl_word_agent(char *word, u64 *id)
{
	if (is_short(word, id))
		return 0;
	return isdigit(word[0]) ? gdl_word_u64(word, id) : find_agent(word, id);
}
