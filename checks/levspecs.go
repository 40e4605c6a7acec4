//go:build linux && !ringfence_portable

package checks

import (
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// specifiers are what systemd puts in the places of specifiers in the settings of a unit of the system (systemd.unit(5)), as far as files tell.
func specifiers(unit string) map[byte]string {
	name := strings.TrimSuffix(unit, path.Ext(unit))
	prefix, instance, is := strings.Cut(name, "@")
	m := map[byte]string{
		'n': unit, 'N': name, 'p': prefix, 'P': unescapeUnit(prefix), 'j': prefix[strings.LastIndex(prefix, "-")+1:], '%': "%", 't': "/run", 'S': "/var/lib",
		'C': "/var/cache", 'L': "/var/log", 'E': "/etc", 'T': "/tmp", 'V': "/var/tmp", 'h': "/root", 'u': "root", 'U': "0", 'g': "root", 'G': "0",
	}
	m['J'] = unescapeUnit(m['j'])
	switch {
	case !is:
		m['i'], m['I'], m['f'] = "", "", "/"+m['P']
	case instance != "":
		m['i'], m['I'] = instance, unescapeUnit(instance)
		m['f'] = "/" + m['I']
	}
	return m
}

// specified are lines of a unit with its specifiers in their places; what one stands for that is not known is left as any text.
func specified(lines []unitLine, unit string) []unitLine {
	known := specifiers(unit)
	lines = slices.Clone(lines)
	for n := range lines {
		v := lines[n].value
		if !strings.Contains(v, "%") {
			continue
		}
		var b strings.Builder
		for i := 0; i < len(v); i++ {
			if v[i] != '%' || i+1 == len(v) {
				b.WriteByte(v[i])
				continue
			}
			i++
			if text, ok := known[v[i]]; ok {
				if key := lines[n].key; strings.HasPrefix(key, "Exec") || key == "Environment" { // words are taken apart before
					text = inWords.Replace(text)
				}
				b.WriteString(text)
			} else {
				b.WriteByte('*')
			}
		}
		lines[n].value = b.String()
	}
	return lines
}

// inWords makes a text a part of a word as it is.
var inWords = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`, " ", `\s`, "\t", `\t`, "\n", `\n`)

// unescapeUnit undoes the escapes of names of units (systemd-escape(1)).
func unescapeUnit(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if n := hexByte(s[i:]); n >= 0 {
			b.WriteByte(byte(n))
			i += 3
		} else if s[i] == '-' {
			b.WriteByte('/')
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// hexByte is the byte that an escape at the beginning of a text stands for, or -1.
func hexByte(s string) int {
	if len(s) < 4 || s[0] != '\\' || s[1] != 'x' {
		return -1
	}
	const digits = "0123456789abcdef"
	high, low := strings.IndexByte(digits, s[2]|0x20), strings.IndexByte(digits, s[3]|0x20)
	if high < 0 || low < 0 {
		return -1
	}
	return high<<4 | low
}

// instances are the units that are made of a template: those that others start or that run.
func (b *startedBy) instances(template string) (list []string) {
	prefix, ext, ok := strings.Cut(template, "@.")
	if !ok {
		return nil
	}
	for _, from := range []map[string]bool{b.linked, b.running} {
		for _, n := range sortedKeys(from) {
			if strings.HasPrefix(n, prefix+"@") && strings.HasSuffix(n, "."+ext) && n != template && !slices.Contains(list, n) && len(list) < maxInDir {
				list = append(list, n)
			}
		}
	}
	return list
}

// variableFiles adds the files of variables that a pattern has, and the directory of the pattern, and says which they are.
func (l *levers) variableFiles(pattern string, lever snapshot.LeverFile) []string {
	i := strings.IndexAny(pattern, "*?[")
	if i < 0 {
		return []string{pattern}
	}
	lever.Kind, lever.Path, lever.By = snapshot.LeverSearch, path.Dir(pattern[:i]+"x"), "variables of "+lever.By
	l.add(lever)
	return l.glob(pattern)
}
