//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
)

// section is a part of a file of the form of smb.conf: its name and its settings, the last of which counts.
type section struct {
	name string
	set  map[string]string
}

// sambaNames are settings of Samba that have other names, of which the last that is written counts; those of which the value is turned round begin
// with "!".
var sambaNames = map[string]string{
	"public": "guestok", "writeable": "!readonly", "writable": "!readonly", "writeok": "!readonly", "printok": "printable", "directory": "path",
	"allowhosts": "hostsallow", "denyhosts": "hostsdeny", "serversmbencrypt": "smbencrypt",
}

// sections reads a file of sections, with names of settings without blanks. What stands before the first is of the section "". Shares of one
// name are one; what is global after a share is not of that.
func sections(text string) []section {
	list := []section{{set: map[string]string{}}}
	at, places := 0, map[string]int{"": 0}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '&' || line[0] == '[' && !strings.HasSuffix(line, "]"):
			list[0].set["include"] = line
		case line[0] == '[':
			name := strings.Trim(line, "[] ")
			key := strings.ToLower(name)
			var again bool
			if at, again = places[key]; !again || key == "global" {
				at = len(list)
				places[key] = at
				list = append(list, section{name: name, set: map[string]string{}})
			}
		default:
			key, value, _ := strings.Cut(line, "=")
			name, turned := strings.CutPrefix(cmp.Or(sambaNames[settingName(key)], settingName(key)), "!")
			if value = strings.TrimSpace(value); turned {
				value = map[bool]string{true: "no", false: "yes"}[isYes(value)]
			}
			list[at].set[name] = value
		}
	}
	return list
}

// settingName is a name of a setting as it is compared: without blanks, and in small letters. A dash or an underscore makes it another.
func settingName(key string) string { return strings.ToLower(strings.Join(strings.Fields(key), "")) }

// isYes says of a setting whether it is on.
func isYes(value string) bool {
	return slices.Contains([]string{"yes", "true", "1", "on"}, strings.ToLower(value))
}

// moreOpen is the one of two that lets more in; of the same, the one that writes.
func moreOpen(a, b access) access {
	ra, rb := slices.Index(openness, a.login), slices.Index(openness, b.login)
	if rb > ra || rb == ra && strings.Contains(b.gives, "writes") && !strings.Contains(a.gives, "writes") {
		return b
	}
	return a
}

// openness has the values of login, from who lets the fewest in.
var openness = []string{dataAsks, dataLocal, dataSome, dataNone}

// lessOpen is the one of two values of login that lets fewer in.
func lessOpen(a, b string) string {
	return openness[min(slices.Index(openness, a), slices.Index(openness, b))]
}

// sambaAccess reads smb.conf(5): a share with guest ok lets in who gives no name, whatever map to guest says of those who give one.
func sambaAccess(d *dataFiles) access {
	file := cmp.Or(last(optionValues(d.argv, "-s", "--configfile")), "/etc/samba/smb.conf")
	text, err := d.text(file)
	if err != nil {
		return access{err: err}
	}
	all, a, more := map[string]string{}, access{login: dataAsks}, ""
	for _, sh := range sections(text) {
		if v := sh.set["include"]; v != "" || sh.set["copy"] != "" || sh.set["configfile"] != "" || strings.EqualFold(sh.set["configbackend"], "registry") {
			more = cmp.Or(v, "other settings")
		}
		if sh.name == "" || strings.EqualFold(sh.name, "global") {
			maps.Copy(all, sh.set)
			continue
		}
		get := func(key string) string {
			if v, told := sh.set[key]; told {
				return v
			}
			return all[key]
		}
		available, guest := get("available"), cmp.Or(all["guestaccount"], "nobody")
		denied := slices.Contains(strings.FieldsFunc(get("invalidusers"), func(r rune) bool { return strings.ContainsRune(", \t", r) }), guest)
		encrypted := slices.Contains([]string{"required", "mandatory", "force", "forced", "enforced"}, strings.ToLower(get("smbencrypt"))) // guests have no key
		if !isYes(get("guestok")) || available != "" && !isYes(available) || get("validusers") != "" || denied || encrypted || strings.EqualFold(sh.name, "IPC$") {
			continue
		}
		v := access{login: dataNone, gives: "reads the files of " + get("path"), how: "guest ok of the share " + sh.name}
		if ro := get("readonly"); ro != "" && !isYes(ro) {
			v.gives = "reads and writes the files of " + get("path")
		}
		if isYes(get("printable")) {
			v.gives = "prints at " + sh.name
		}
		if someHosts(get("hostsallow"), get("hostsdeny"), "ALL") {
			v.login, v.how = dataSome, v.how+", and some hosts alone"
		}
		a = moreOpen(a, v)
	}
	if a.login != dataNone {
		a = d.usershares(all, a)
	}
	if more != "" && a.login != dataNone && a.err == nil {
		return access{err: errors.New(file + " includes " + more + ", which is not read")}
	}
	return a
}

// usershares are the shares that accounts have added themselves (net usershare), if guests may use them.
func (d *dataFiles) usershares(all map[string]string, a access) access {
	if !isYes(all["usershareallowguests"]) || all["usersharemaxshares"] == "0" {
		return a
	}
	files, more := d.s.globIn(d.p, path.Join(cmp.Or(all["usersharepath"], "/var/lib/samba/usershares"), "*"))
	if more || len(files) > maxServices {
		return access{err: errManyFiles}
	}
	for _, f := range files {
		b, _, err := d.s.readNamed(d.p, f)
		if err != nil {
			return access{err: err}
		}
		if strings.Contains(strings.ToLower(string(b)), "guest_ok=y") {
			a = access{login: dataNone, gives: "uses the files of a share that an account has added", how: "guest_ok=y of the share " + path.Base(f)}
		}
	}
	return a
}
