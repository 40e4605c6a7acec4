//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// maxOpenSecrets bounds what is kept, maxUnitsRead the units that are read.
const (
	maxOpenSecrets = 300
	maxUnitsRead   = 3000
)

var (
	// secretOption is an option whose value is a secret. Its name ends there: --token-file and --max-tokens have none.
	secretOption = lazily(`(?i)^--?(?:[a-z0-9]+[-_.])*(?:api[-_]?key|apikey|token|password|passwd|secret|secret[-_]?key|access[-_]?key|passphrase|requirepass|masterauth|master[-_]?key|auth[-_]?key)$`)
	// noSecret are options of such names that have none.
	noSecret = lazily(`(?i)(pad|eos|bos|unk|stop|mask|sep|cls|csrf|next|page|continuation|speculative|special|image|no|skip|ask|prompt|use|require|enable|disable|with)[-_.](token|password|secret|key)$`)
	// secretVariable is a variable whose value is a secret.
	secretVariable = lazily(`(?i)^(?:[A-Z0-9]+_)*(?:PGPASSWORD|API_?KEY|TOKEN|PASSWORD|PASSWD|PASS|SECRET|SECRET_KEY|ACCESS_KEY|PRIVATE_KEY|MASTER_KEY|CREDENTIALS)$`)
	bearer         = lazily(`(?i)^authorization:\s*(bearer|basic)\s+\S{8,}`)
	reference      = lazily(`^[$%<{@]|^(true|false|none|null|auto|default|env|yes|no|stdin|prompt|x+|\*+|changeme)$|^[0-9.]+$`)
)

// isSecret says of a value that it can be one: no path, reference, number or switch.
func isSecret(v string) bool {
	v = strings.Trim(v, `"'`)
	return len(v) >= 6 && !strings.HasPrefix(v, "-") && !path.IsAbs(v) && !strings.HasPrefix(v, "./") && !strings.Contains(v, "://") && !reference.MatchString(strings.ToLower(v))
}

// secretIn names the option of arguments that has a secret, "" where none was seen.
func secretIn(argv []string) string {
	for i, a := range argv {
		name, value, given := strings.Cut(a, "=")
		if !given && i+1 < len(argv) {
			value = argv[i+1]
		}
		switch {
		case i == 0:
		case bearer.MatchString(a):
			return "a header Authorization"
		case secretOption.MatchString(name) && !noSecret.MatchString(name) && isSecret(value):
			return name
		case urlSecret(value), urlSecret(a):
			return "the password of a URL"
		case shapedToken.MatchString(a), shapedToken.MatchString(value):
			return "a token"
		case shortSecret(path.Base(argv[0]), argv[i:]):
			return a[:min(len(a), 2)]
		case given && i > 0 && secretVariable.MatchString(name) && !strings.HasPrefix(name, "-") && isSecret(value):
			return name
		}
	}
	return ""
}

var (
	// inURL is a URL with a user and a password.
	inURL = lazily(`^["']?[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*:([^/\s@]+)@`)
	// shapedToken is a token that shows by its beginning whose it is: of GitHub, GitLab, Slack, Anthropic, OpenAI, Hugging Face.
	shapedToken = lazily(`^["']?(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,}|glpat-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{20,}|` +
		`sk-(ant|proj)-[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{30,})["']?$`)
	// shortOptions are those of programs that take a password in an option of one letter: after ":" or "%" of a name, or with "-" in the same argument alone.
	shortOptions = map[string]struct{ option, after string }{
		"sshpass": {"-p", ""}, "redis-cli": {"-a", ""}, "ipmitool": {"-P", ""}, "mosquitto_pub": {"-P", ""}, "mosquitto_sub": {"-P", ""},
		"ldapsearch": {"-w", ""}, "ldapmodify": {"-w", ""}, "ldapadd": {"-w", ""}, "mongosh": {"-p", ""}, "mongodump": {"-p", ""}, "sqlcmd": {"-P", ""},
		"curl": {"-u", ":"}, "ttyd": {"-c", ":"}, "gotty": {"-c", ":"}, "smbclient": {"-U", "%"}, "rpcclient": {"-U", "%"},
		"mysql": {"-p", "-"}, "mysqldump": {"-p", "-"}, "mysqladmin": {"-p", "-"}, "mariadb": {"-p", "-"}, "mariadb-dump": {"-p", "-"},
	}
)

// urlSecret says of a value that it is a URL with a password.
func urlSecret(v string) bool {
	m := inURL.FindStringSubmatch(v)
	return m != nil && isSecret(m[1])
}

// shortSecret says of an argument of a program that it has a password in an option of one letter: after it, or as the next one.
func shortSecret(program string, argv []string) bool {
	k, ok := shortOptions[program]
	value, given := strings.CutPrefix(argv[0], k.option)
	if !ok || !given {
		return false
	}
	if value == "" && k.after != "-" && len(argv) > 1 { // mysql(1) asks if nothing follows at once
		value = argv[1]
	}
	if k.after == ":" || k.after == "%" {
		_, value, _ = strings.Cut(value, k.after)
	}
	return isSecret(value)
}

// findSecrets adds the secrets in arguments, which every account reads (proc_pid_cmdline(5)), and those that units have in their settings or in
// files that everybody may read.
func (s *Scan) findSecrets(sec *snapshot.Processes) {
	read := present("processes and units")
	procs, _ := s.processes()
	add := func(o snapshot.OpenSecret) {
		if len(sec.Secrets) >= maxOpenSecrets {
			read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d secrets", maxOpenSecrets)}
			return
		}
		sec.Secrets = append(sec.Secrets, o)
		s.mu.Lock()
		s.redacted++
		s.mu.Unlock()
	}
	for _, p := range procs {
		if p.Leader != 0 || p.setID {
			continue
		}
		if name := secretIn(p.argv); name != "" {
			add(snapshot.OpenSecret{
				Kind: "argument", Name: name, Program: p.exeBase(), PID: p.PID, UID: p.UID, Unit: p.Unit, Container: p.Container,
			})
		}
	}
	names, more := s.unitNames()
	if more {
		read = snapshot.Fact{State: snapshot.Error, Reason: fmt.Sprintf("there are more than %d units", maxUnitsRead)}
	}
	for _, unit := range names {
		lines, why := s.unitLines(unit)
		if why == unitAbsent {
			continue // drop-ins of what is not there, or of an instance of a template
		}
		if why != "" && why != unitMasked {
			read = snapshot.Fact{State: snapshot.Error, Reason: unit + ": " + why}
			continue
		}
		for _, o := range s.unitSecrets(unit, lines) {
			add(o)
		}
	}
	sec.SecretsRead = &read
}

// unitNames are the services whose files the administrator has, or has changed: what packages bring has no secret.
func (s *Scan) unitNames() (list []string, more bool) {
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"} {
		names, err := s.Host.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, n := range names {
			n = strings.TrimSuffix(n, ".d")
			if !strings.HasSuffix(n, ".service") || slices.Contains(list, n) {
				continue
			}
			if len(list) >= maxUnitsRead {
				return list, true
			}
			if file, err := s.Host.Readlink(path.Join(dir, n)); err == nil && strings.HasPrefix(file, "/usr/lib/") || err == nil && strings.HasPrefix(file, "/lib/") {
				continue // an alias of what a package brings
			}
			list = append(list, n)
		}
	}
	return list, false
}

// unitSecrets are those in the settings of a unit, which the manager tells every account (org.freedesktop.systemd1(5), Environment), and in
// files of variables that everybody may read.
func (s *Scan) unitSecrets(unit string, lines []unitLine) (list []snapshot.OpenSecret) {
	note := func(kind, name, file string) {
		o := snapshot.OpenSecret{Kind: kind, Name: name, Unit: unit, File: file}
		if !slices.Contains(list, o) {
			list = append(list, o)
		}
	}
	for _, v := range listOfKey(lines, "[Service]", "Environment") {
		for _, kv := range sshd.Words(v) {
			if name, value, ok := strings.Cut(kv, "="); ok && (secretVariable.MatchString(name) && isSecret(value) || urlSecret(value) || shapedToken.MatchString(value)) {
				note("unit", name, "")
			}
		}
	}
	for _, v := range listOfKey(lines, "[Service]", "ExecStart") {
		if name := secretIn(sshd.Words(v)); name != "" {
			note("unit", name, "")
		}
	}
	for _, file := range listOfKey(lines, "[Service]", "EnvironmentFile") {
		file = strings.TrimPrefix(file, "-")
		if !path.IsAbs(file) || strings.ContainsAny(file, "%*?[") {
			continue
		}
		st, err := s.Host.Stat(file)
		if err != nil || st.Perm&0o004 == 0 || s.closedTo(file) {
			continue
		}
		b, err := patient(s, uidParty(st.UID), func() ([]byte, error) { return s.Host.ReadFile(file) })
		if err != nil {
			continue
		}
		vars := envFile(string(b))
		for _, name := range sortedKeys(vars) {
			if secretVariable.MatchString(name) && isSecret(vars[name]) || urlSecret(vars[name]) || shapedToken.MatchString(vars[name]) {
				note("environment-file", name, file)
			}
		}
	}
	return list
}

// closedTo says whether a directory on the way to a file keeps others out.
func (s *Scan) closedTo(file string) bool {
	for dir := path.Dir(file); dir != "/"; dir = path.Dir(dir) {
		if st, err := s.Host.Stat(dir); err == nil && st.Perm&0o001 == 0 {
			return true
		}
	}
	return false
}
