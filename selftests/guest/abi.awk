# SPDX-License-Identifier: GPL-2.0-only
#
# Compares the reference of what user space sees (include/mmkit/ABI, which explains its fields) with
# what there is. Prints a line for each difference and ends with 1 when there is one.
#
#   awk -v loaded="mmkit mmkit_allocprof" [-v fresh=1] -f abi.awk ABI FILES
#
# FILES has a line "mode path" for each file that exists. Entries of modules that are not loaded are
# left out. fresh=1: the suite was loaded without parameters and is at work, so defaults hold, every
# key is there and no table is empty.

function differ(text)
{
	print text
	differences++
}

function whole(ere) { return "^(" ere ")$" }

FNR == 1 { input++ }

input == 1 && (/^#/ || /^[ \t]/ || /^$/) { next }

input == 1 {
	name = $1
	value = $0
	sub(/^[^ \t]*[ \t]*/, "", value)
	if (name == "What:") {
		what = value
		if (what in entry)
			differ(what " has two entries")
		entry[what]
		order[++entries] = what
	} else if (name == "Format:") {
		format[what] = format[what] (what in format ? "|" : "") value
	} else if (name ~ /^(Key|Optional|Column):$/) {
		key = $2
		sub(/^[^ \t]*[ \t]*/, "", value)
		keys[what]++
		key_name[what, keys[what]] = key
		key_kind[what, key] = name
		key_ere[what, key] = value
		kind[what] = name == "Optional:" ? "Key:" : name
	} else if (name ~ /^(Module|Mode|Values|Default|Stable|Description):$/) {
		field[what, name] = value
	} else {
		differ("line " FNR " is not understood: " $0)
	}
	next
}

{
	path[++paths] = $2
	mode[$2] = $1
}

function check_entry(what,    i, need)
{
	split("Module: Mode: Values: Stable: Description:", need, " ")
	for (i in need)
		if (field[what, need[i]] == "")
			differ(what " has no " need[i])
	if (!(what in format) && !(what in kind))
		differ(what " has neither Format nor Key nor Column")
	if (field[what, "Stable:"] !~ /^(yes|grows|no)$/)
		differ(what ": Stable is yes, grows or no")
	if (what ~ /\/parameters\// && field[what, "Default:"] == "")
		differ(what " has no Default:")
}

# The described key that a key is: <...> in a name stands for a number.
function described_key(what, key,    k, pattern)
{
	for (k = 1; k <= keys[what]; k++) {
		pattern = key_name[what, k]
		if (gsub(/<[^>]*>/, "[0-9]+", pattern) && key ~ whole(pattern))
			return key_name[what, k]
	}
	return key
}

function check_key(what, file, line,    key, value, name)
{
	key = value = line
	sub(/ .*/, "", key)
	sub(/^[^ ]* /, "", value)
	met[key]++
	name = described_key(what, key)
	if (!((what, name) in key_ere))
		differ(file ": key " key " is not described")
	else if (value !~ whole(key_ere[what, name]))
		differ(file ": key " key " is \"" value "\", described as " key_ere[what, name])
	if (met[key] == 2)
		differ(file ": key " key " is there twice")
}

# Takes the header apart and notes which described column each of its columns is.
function check_header(what, file, line,    i, k, pattern, want)
{
	separator = index(line, "\t") ? "\t" : " "
	gsub(/ +/, " ", line)
	columns = split(line, header, separator)
	for (k = 1; k <= keys[what]; k++) {
		pattern = key_name[what, k]
		if (gsub(/<[^>]*>/, "[0-9]+", pattern))
			pattern = pattern "(" separator pattern ")*"
		for (i = 1; i <= columns; i++)
			if (header[i] ~ whole(pattern))
				column_key[i] = key_name[what, k]
		want = want (k > 1 ? separator : "") pattern
	}
	if (line ~ whole(want))
		return 1
	differ(file ": columns are \"" line "\", described as \"" want "\"")
	return 0
}

function check_row(what, file, line,    i, cell, rest, ere)
{
	rest = line
	for (i = 1; i <= columns; i++) {
		if (separator == " ")
			sub(/^ +/, "", rest)
		cell = rest
		if (i < columns || separator == "\t")
			cell = substr(rest, 1, index(rest separator, separator) - 1)
		rest = substr(rest, length(cell) + 2)
		ere = key_ere[what, column_key[i]]
		if (cell !~ whole(ere)) {
			differ(file ": " header[i] " is \"" cell "\", described as " ere)
			return
		}
	}
	if (rest != "")
		differ(file ": more columns than the header has: " line)
}

function check_file(what, file,    line, last, lines, got, i, want)
{
	want = field[what, "Mode:"]
	if (want != "0" mode[file])
		differ(file " has mode 0" mode[file] ", described as " want)
	if (want == "0200")
		return
	split("", met)
	lines = 0
	while ((got = (getline line < file)) > 0) {
		lines++
		last = line
		if (kind[what] == "Key:")
			check_key(what, file, line)
		else if (kind[what] == "Column:" && lines > 1)
			check_row(what, file, line)
		else if (kind[what] == "Column:" && !check_header(what, file, line)) {
			close(file)
			return
		}
		if (what in format && line !~ whole(format[what]))
			differ(file ": \"" line "\" is not of the format")
	}
	close(file)
	if (got < 0)
		differ(file " cannot be read")
	if (!fresh)
		return
	if (!lines || (kind[what] == "Column:" && lines < 2))
		differ(file " has nothing to compare")
	if ((what, "Default:") in field && last != field[what, "Default:"])
		differ(file " is \"" last "\", default described as " field[what, "Default:"])
	for (i = 1; i <= keys[what] && kind[what] == "Key:"; i++)
		if (!met[key_name[what, i]] && key_kind[what, key_name[what, i]] == "Key:")
			differ(file ": key " key_name[what, i] " is described and not there")
}

END {
	for (i = 1; i <= entries; i++) {
		what = order[i]
		check_entry(what)
		if (!index(" " loaded " ", " " field[what, "Module:"] " "))
			continue
		pattern = what
		gsub(/<[^>]*>/, "[^/]+", pattern)
		found = 0
		for (j = 1; j <= paths; j++) {
			if (path[j] !~ whole(pattern))
				continue
			found++
			described[path[j]]++
			check_file(what, path[j])
		}
		if (!found)
			differ(what " is described and does not exist")
	}
	for (j = 1; j <= paths; j++)
		if (described[path[j]] != 1)
			differ(path[j] (described[path[j]] ? " is described twice" : " exists and is not described"))
	exit differences > 0
}
