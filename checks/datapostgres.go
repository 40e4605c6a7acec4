//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// hbaLine is a line of pg_hba.conf about connections by TCP.
type hbaLine struct {
	kind      string // host, hostssl, hostnossl, hostgssenc
	databases []string
	accounts  []string
	from      netip.Prefix
	where     string // samenet, a name; "" for from
	method    string
	certs     bool // it asks for a certificate besides
	alone     bool // it is about all connections, as the server has no TLS
	text      string
}

// unasked says that a line lets in who shows nothing: whom the host that connects says they are, its own service of names says (ident).
func (l hbaLine) unasked() bool {
	return (l.method == "trust" || l.method == "ident") && !l.certs
}

// named is what would have to have a name for anybody to be of a line: a word of the format is one in quotes or in large letters.
func (l hbaLine) named() string {
	word := func(w string) bool {
		bare := strings.Trim(w, `"`)
		return slices.Contains(hbaWords, strings.ToLower(bare)) && (bare != w || !slices.Contains(hbaWords, bare))
	}
	for _, list := range [][]string{l.databases, l.accounts, {l.where}} {
		if !slices.ContainsFunc(list, func(w string) bool { return !word(w) }) {
			return list[0]
		}
	}
	return ""
}

// hbaWords are the words of pg_hba.conf that are no names.
var hbaWords = []string{"all", "replication", "sameuser", "samerole", "samegroup"}

// ofHost says of a line that it is about connections of the host itself.
func (l hbaLine) ofHost() bool {
	return l.where == "samehost" || l.where == "" && l.from.Addr().IsLoopback()
}

// postgresAccess reads pg_hba.conf, of which the first line counts that is about a connection: trust asks for nothing.
func postgresAccess(d *dataFiles) access {
	lines, err := d.hba()
	if err != nil {
		return access{err: err}
	}
	a := access{login: dataAsks}
	var from []string
	known, named := true, ""
	for i, l := range lines {
		if !l.unasked() || slices.ContainsFunc(lines[:i], l.shadowed) {
			continue
		}
		login := dataSome
		switch {
		case l.named() != "":
			named = l.named()
			continue
		case l.ofHost() && l.method == "ident":
			continue // the host's own service of names says it, where there is one
		case l.ofHost():
			login = dataLocal
		case l.where == "" && l.from.Bits() == 0:
			login = dataNone
		case l.where == "":
			from = append(from, l.from.String())
		default:
			known = false // samenet, a name
		}
		if slices.Index(openness, login) > slices.Index(openness, a.login) {
			a = access{login: login, how: l.text, gives: l.gives()}
		}
	}
	if named != "" && a.login != dataNone {
		return access{err: fmt.Errorf("pg_hba.conf lets in %s, and whether something has that name is in the database", named)}
	}
	if known {
		a.sources = networkList(from)
	}
	return a
}

// gives is what the accounts of a line may do; replication is a copy of all.
func (l hbaLine) gives() string {
	if len(l.databases) == 1 && l.databases[0] == "replication" {
		return "copies all of its data (replication)"
	}
	return "is each of the accounts of that line, and as a superuser runs commands as its account of the host"
}

// networkList is networks as the setting sources has them.
func networkList(words []string) string {
	slices.Sort(words)
	return strings.Join(slices.Compact(words), ", ")
}

// shadowed says that an earlier line decides of all connections that this one is about.
func (l hbaLine) shadowed(before hbaLine) bool {
	all := func(a, b []string) bool { return slices.Contains(a, "all") || slices.Equal(a, b) }
	who := all(before.accounts, l.accounts) && all(before.databases, l.databases) && (!slices.Contains(l.databases, "replication") || slices.Equal(before.databases, l.databases))
	return who && (before.kind == "host" || before.kind == l.kind || before.alone) && before.where == "" && l.where == "" && before.from.Bits() <= l.from.Bits() && before.from.Contains(l.from.Addr())
}

// setting is a setting of PostgreSQL by its arguments, of which the last counts. Names are the same in large letters, and with dashes (ParseLongOption).
func (d *dataFiles) setting(name string) (v string) {
	for i, a := range d.argv {
		option, ok := strings.CutPrefix(a, "--")
		if !ok {
			option, ok = strings.CutPrefix(a, "-c")
		}
		if ok && option == "" && i+1 < len(d.argv) {
			option = d.argv[i+1]
		}
		key, value, told := strings.Cut(option, "=")
		if ok && told && strings.EqualFold(strings.ReplaceAll(key, "-", "_"), name) {
			v = value
		}
	}
	return v
}

// hba are the lines of pg_hba.conf that are about TCP.
func (d *dataFiles) hba() (list []hbaLine, err error) {
	dir := cmp.Or(last(optionValues(d.argv, "-D")), d.setting("data_directory"), d.env["PGDATA"])
	told, err := d.postgresFile(cmp.Or(d.setting("config_file"), path.Join(dir, "postgresql.conf")), 0)
	if err != nil {
		return nil, err
	}
	dir = cmp.Or(told["data_directory"], dir)
	set, err := d.postgresFile(path.Join(dir, "postgresql.auto.conf"), 0) // by ALTER SYSTEM
	if err != nil && !gone(err) {
		return nil, err
	}
	maps.Copy(told, set)
	file := cmp.Or(d.setting("hba_file"), told["hba_file"], path.Join(dir, "pg_hba.conf"))
	ssl := hasFlag(d.argv, "-l") || postgresOn(cmp.Or(d.setting("ssl"), told["ssl"]))
	return d.hbaFile(file, ssl)
}

// postgresOn says of a setting whether it is on, which beginnings of the words say too (parse_bool).
func postgresOn(value string) bool {
	value = strings.ToLower(value)
	return value != "" && (strings.HasPrefix("true", value) || strings.HasPrefix("yes", value) || value == "on" || value == "1")
}

// hbaFields are the fields of a line of pg_hba.conf, each a list with commas. A word in quotes that is one of the format keeps them, as it is a name.
func hbaFields(line string) (fields [][]string) {
	more, rest := false, line
	for {
		if rest = strings.TrimLeft(rest, " \t\r\n,"); rest == "" || rest[0] == '#' {
			return fields
		}
		quoted, in, end := false, false, 0
		for end < len(rest) && (in || !strings.ContainsRune(" \t\r\n,#", rune(rest[end]))) {
			if rest[end] == '"' {
				quoted, in = true, !in
			}
			end++
		}
		word := strings.ReplaceAll(rest[:end], `"`, "")
		if quoted && slices.Contains(hbaWords, word) {
			word = rest[:end]
		}
		if more {
			fields[len(fields)-1] = append(fields[len(fields)-1], word)
		} else {
			fields = append(fields, []string{word})
		}
		more = end < len(rest) && rest[end] == ','
		rest = rest[end:]
	}
}

// hbaFile reads pg_hba.conf. Lines of hostssl are about nobody where the server has no TLS, and those of hostgssenc about who has a ticket.
func (d *dataFiles) hbaFile(file string, ssl bool) (list []hbaLine, err error) {
	text, err := d.text(file)
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		f := hbaFields(line)
		switch {
		case len(f) == 0:
			continue
		case strings.HasPrefix(f[0][0], "include"):
			return nil, errors.New(file + " includes other files, which are not read")
		case !strings.HasPrefix(f[0][0], "host") || len(f) < 5 || f[0][0] == "hostgssenc" || f[0][0] == "hostssl" && !ssl:
			continue
		}
		h := hbaLine{kind: f[0][0], databases: f[1], accounts: f[2], method: f[4][0], text: strings.Join(strings.Fields(line), " ")}
		h.alone = h.kind == "hostnossl" && !ssl
		h.certs = slices.ContainsFunc(f[4:], func(o []string) bool {
			return strings.HasPrefix(o[0], "clientcert=") && !slices.Contains([]string{"0", "no-verify"}, o[0][len("clientcert="):])
		})
		p, perr := netip.ParsePrefix(f[3][0])
		a, aerr := netip.ParseAddr(f[3][0])
		switch {
		case perr == nil:
			h.from = p.Masked()
		case f[3][0] == "all":
			h.from = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
			list = append(list, h)
			h.from = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		case aerr == nil && len(f) > 5:
			m, merr := netip.ParseAddr(f[4][0])
			if merr != nil {
				return nil, errors.New(file + " has a line that is not known")
			}
			h.from, h.method = netip.PrefixFrom(a, ones(m)).Masked(), f[5][0]
		default:
			h.where = f[3][0]
		}
		if list = append(list, h); len(list) > maxServices {
			return nil, errManyFiles
		}
	}
	return list, err
}

// ones is how many bits a mask has.
func ones(mask netip.Addr) (n int) {
	for _, b := range mask.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			n++
		}
	}
	return n
}

// postgresFile is hba_file, data_directory and ssl of postgresql.conf and what it includes.
func (d *dataFiles) postgresFile(file string, depth int) (map[string]string, error) {
	text, err := d.text(file)
	if err != nil {
		return nil, err
	}
	told := map[string]string{}
	for _, l := range keyLines(strings.ReplaceAll(text, "=", " ")) {
		value, _, _ := strings.Cut(l[1], "#")
		value = strings.Trim(strings.TrimSpace(value), "'")
		switch key := strings.ToLower(l[0]); key {
		case "hba_file", "data_directory", "ssl":
			told[key] = value
		case "include", "include_if_exists", "include_dir":
			if !path.IsAbs(value) {
				value = path.Join(path.Dir(file), value)
			}
			files, more := []string{value}, depth > 4
			if key == "include_dir" {
				files, more = d.s.globIn(d.p, path.Join(value, "*.conf"))
			}
			if more {
				return nil, errManyFiles
			}
			for _, f := range files {
				in, err := d.postgresFile(f, depth+1)
				if err != nil && (key == "include" || !gone(err)) {
					return nil, err
				}
				maps.Copy(told, in)
			}
		}
	}
	return told, nil
}
