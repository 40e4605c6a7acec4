//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ringfence/ringfence/snapshot"
)

// settingsOf reads what is judged of a server's configuration, by its name.
var settingsOf = map[string]func(*Scan, *process) map[string]snapshot.Fact{
	"kubelet": (*Scan).kubeletSettings, "etcd": (*Scan).etcdSettings, "kube-apiserver": apiServerSettings,
	"NRPE": (*Scan).nrpeSettings, "Zabbix agent": (*Scan).zabbixSettings, "snmpd": (*Scan).snmpdSettings, "Prometheus": prometheusSettings,
	"Pushgateway": prometheusSettings,
	"TigerVNC":    desktopSettings(tigerOpen), "Xvnc": desktopSettings(tigerOpen), "x11vnc": x11vncSettings,
	"Xvfb": desktopSettings(displayOpen), "X server": desktopSettings(displayOpen),
	"ttyd": shellSettings(ttydAsks), "GoTTY": shellSettings(gottyAsks), "Shell In A Box": shellSettings(shellinaboxAsks), "WeTTY": shellSettings(wettyAsks),
	"socat": netcatSettings, "ncat": netcatSettings, "netcat": netcatSettings,
}

var errCutArgs = errors.New("it has more arguments than are read")

// unreadSettings says of settings why they are not known.
func unreadSettings(err error, names ...string) map[string]snapshot.Fact {
	m := map[string]snapshot.Fact{}
	for _, n := range names {
		f := toFact("", err)
		if f.State == snapshot.Absent { // the file is
			f = snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
		}
		m[n] = f
	}
	return m
}

func given(m map[string]string) map[string]snapshot.Fact {
	facts := map[string]snapshot.Fact{}
	for k, v := range m {
		facts[k] = present("%s", v)
	}
	return facts
}

// readYAML reads a file of YAML that a process has read when it was started.
func (s *Scan) readYAML(p *process, file string) (map[string]any, error) {
	b, err := s.readAtStart(p, file)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if len(b) > maxYAML || yaml.Unmarshal(b, &m) != nil {
		return nil, fmt.Errorf("%s: %w", file, errMalformed)
	}
	return m, nil
}

// kubeletSettings are anonymous, authorization and readOnlyPort.
func (s *Scan) kubeletSettings(p *process) map[string]snapshot.Fact {
	k, _, err := s.kubeletTold(p, p.argv, kubeletByFlags)
	return k.facts(err)
}

// apiServerSettings are the flags of the API server that decide who may do what, with their defaults (kube-apiserver --help).
func apiServerSettings(_ *Scan, p *process) map[string]snapshot.Fact {
	v := map[string]string{"authorization": "AlwaysAllow", "tokens": "", "admission": "", "audit": "", "encryption": ""}
	if p.cut {
		return unreadSettings(errCutArgs, sortedKeys(v)...)
	}
	if argument(p.argv, "--authorization-config") != "" {
		v["authorization"] = "file"
	}
	for name, flags := range map[string][]string{
		"authorization": {"--authorization-mode"}, "tokens": {"--token-auth-file"}, "admission": {"--enable-admission-plugins", "--admission-control"},
		"audit": {"--audit-log-path", "--audit-webhook-config-file"}, "encryption": {"--encryption-provider-config"},
	} {
		for _, f := range flags {
			if x := optionValues(p.argv, f); len(x) > 0 { // lists, which several of an option add to
				v[name] = strings.Join(x, ",")
			}
		}
	}
	return given(v)
}

// nrpeLine is a setting of nrpe.cfg.
var nrpeLine = lazily(`(?m)^\s*(dont_blame_nrpe|include|include_file|include_dir)\s*=\s*(\S+)`)

// nrpeSettings are remoteCommands: whether who connects gives arguments to the commands (dont_blame_nrpe of nrpe.cfg).
func (s *Scan) nrpeSettings(p *process) map[string]snapshot.Fact {
	file := last(optionValues(p.argv, "-c", "--config"))
	if file == "" {
		file = "/etc/nagios/nrpe.cfg"
	}
	b, err := s.readAtStart(p, file)
	if err != nil {
		return unreadSettings(err, "remoteCommands")
	}
	on, more := "no", false
	for _, m := range nrpeLine.FindAllStringSubmatch(string(b), -1) {
		if m[1] == "dont_blame_nrpe" {
			on = map[bool]string{true: "dont_blame_nrpe=1", false: "no"}[m[2] == "1"]
		} else {
			more = true
		}
	}
	if on == "no" && more {
		return s.included(p, string(b), nrpeLine, func(key, value string) string {
			if key == "dont_blame_nrpe" && value == "1" {
				return "dont_blame_nrpe=1"
			}
			return ""
		})
	}
	return given(map[string]string{"remoteCommands": on})
}

// included reads the files that lines named include, include_dir or Include lead to, one level deep, and says what of them lets commands in.
func (s *Scan) included(p *process, text string, line *lazyRegexp, lets func(key, value string) string) map[string]snapshot.Fact {
	n := 0
	for _, m := range line.FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(strings.ToLower(m[1]), "include") {
			continue
		}
		pattern := m[2]
		if !path.IsAbs(pattern) {
			return unreadSettings(errors.New("it includes "+pattern+", which is no whole path"), "remoteCommands")
		}
		if m[1] == "include_dir" || !strings.Contains(path.Base(pattern), ".") && !strings.ContainsAny(pattern, "*?") {
			pattern = path.Join(pattern, "*")
		}
		files, more := s.globIn(p, pattern)
		if n += len(files); more || n > maxIncluded {
			return unreadSettings(errors.New("it includes more files than are read"), "remoteCommands")
		}
		for _, f := range files {
			b, err := s.readAtStart(p, f)
			if err != nil {
				return unreadSettings(err, "remoteCommands")
			}
			for _, m := range line.FindAllStringSubmatch(string(b), -1) {
				if strings.HasPrefix(strings.ToLower(m[1]), "include") {
					return unreadSettings(errors.New(f+" includes more, which is not read"), "remoteCommands")
				}
				if what := lets(m[1], m[2]); what != "" {
					return given(map[string]string{"remoteCommands": what})
				}
			}
		}
	}
	return given(map[string]string{"remoteCommands": "no"})
}

// zabbixLine is a setting of zabbix_agentd.conf.
var zabbixLine = lazily(`(?m)^\s*(EnableRemoteCommands|AllowKey|Include)\s*=\s*(\S+)`)

// zabbixSettings are remoteCommands: whether the server runs any command (EnableRemoteCommands=1, or AllowKey=system.run).
func (s *Scan) zabbixSettings(p *process) map[string]snapshot.Fact {
	file := last(optionValues(p.argv, "-c", "--config"))
	if file == "" {
		file = "/etc/zabbix/" + p.exeBase() + ".conf"
	}
	b, err := s.readAtStart(p, file)
	if err != nil {
		return unreadSettings(err, "remoteCommands")
	}
	lets := func(key, value string) string {
		switch {
		case key == "EnableRemoteCommands" && value == "1":
			return key + "=1"
		case key == "AllowKey" && (strings.HasPrefix(value, "system.run") || value == "*"):
			return key + "=" + value
		}
		return ""
	}
	for _, m := range zabbixLine.FindAllStringSubmatch(string(b), -1) {
		if what := lets(m[1], m[2]); what != "" {
			return given(map[string]string{"remoteCommands": what})
		}
	}
	return s.included(p, string(b), zabbixLine, lets)
}

// snmpdDirs are where snmpd looks for its files, unless SNMPCONFPATH says where (snmp_config(5)).
var snmpdDirs = []string{"/etc/snmp", "/usr/share/snmp", "/usr/lib/snmp", "/usr/lib/x86_64-linux-gnu/snmp", "/usr/lib/aarch64-linux-gnu/snmp", "/root/.snmp"}

// snmpdSettings are remoteCommands: whether a community or a user without authentication may set values, which can start programs
// (NET-SNMP-EXTEND-MIB); and community: the one that anybody guesses. What -c names is read besides, and with -C alone (snmpd(8)).
func (s *Scan) snmpdSettings(p *process) map[string]snapshot.Fact {
	names := []string{"remoteCommands", "community"}
	env, err := s.environ(p)
	switch {
	case err != nil:
		return unreadSettings(err, names...)
	case p.cut:
		return unreadSettings(errCutArgs, names...)
	}
	dirs := snmpdDirs
	if v := env["SNMPCONFPATH"]; v != "" {
		dirs = strings.Split(v, ":")
	}
	var files []string
	if !slices.Contains(p.argv, "-C") {
		for _, dir := range dirs {
			files = append(files, path.Join(dir, "snmpd.conf"), path.Join(dir, "snmpd.local.conf"))
		}
	}
	for _, v := range optionValues(p.argv, "-c") {
		files = append(files, strings.Split(v, ",")...)
	}
	v, more, read := map[string]string{"remoteCommands": "no", "community": ""}, false, 0
	for i := 0; i < len(files); i++ {
		b, err := s.readAtStart(p, files[i])
		if gone(err) {
			continue
		}
		if err != nil {
			return unreadSettings(err, names...)
		}
		read++
		for _, inc := range snmpdLines(string(b), v) {
			list, whole := s.snmpdIncluded(p, inc)
			files, more = append(files, list...), more || !whole
		}
		if read > maxIncluded || len(files) > 2*maxIncluded {
			more = true
			break
		}
	}
	if read == 0 {
		return unreadSettings(errors.New("no file of its configuration is there"), names...)
	}
	facts := given(v)
	if more && v["remoteCommands"] == "no" {
		maps.Copy(facts, unreadSettings(errors.New("it includes more files, which are not read"), "remoteCommands"))
	}
	return facts
}

// snmpdIncluded are the files that a line leads to (snmp_config(5)): includeFile names one, includeDir a directory of which those with .conf count.
// What is not a whole path, and what includeSearch looks for, is not followed.
func (s *Scan) snmpdIncluded(p *process, line [2]string) (files []string, whole bool) {
	switch {
	case !path.IsAbs(line[1]):
	case line[0] == "includefile":
		return []string{line[1]}, true
	case line[0] == "includedir":
		files, more := s.globIn(p, path.Join(line[1], "*.conf"))
		return files, !more
	}
	return nil, false
}

// snmpdLines reads the settings of snmpd.conf(5) that let somebody in, in any of their forms, and the lines by which it includes other files.
func snmpdLines(text string, v map[string]string) (included [][2]string) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0][0] == '#' {
			continue
		}
		for i := range f {
			f[i] = strings.Trim(f[i], `"`)
		}
		key, noauth := strings.ToLower(f[0]), slices.Contains(f[2:], "noauth")
		writes := slices.Contains(strings.Split(f[1], ","), "write")
		switch {
		case ofLoopback(key, f):
		case strings.HasPrefix(key, "include"):
			included = append(included, [2]string{key, f[1]})
		case strings.HasPrefix(key, "rwcommunity"), key == "authcommunity" && writes:
			v["remoteCommands"] = key // the community itself is a secret
		case key == "rwuser" && noauth, (key == "authuser" || key == "authgroup" || key == "authaccess") && writes && noauth,
			key == "access" && len(f) > 7 && f[4] == "noauth" && f[7] != "none":
			v["remoteCommands"] = key + " noauth"
		case strings.HasPrefix(key, "rocommunity"), strings.HasPrefix(key, "com2sec"), key == "authcommunity":
			for _, c := range f[1:] {
				if c == "public" || c == "private" {
					v["community"] = c
				}
			}
		}
	}
	return included
}

// ofLoopback says of a line of snmpd.conf(5) that it gives a community to the host itself alone, by the source that it names.
func ofLoopback(key string, f []string) bool {
	at := 2
	switch {
	case strings.HasPrefix(key, "com2sec"):
		if f[1] == "-Cn" { // the name of a context
			at = 4
		}
	case !strings.HasPrefix(key, "rocommunity") && !strings.HasPrefix(key, "rwcommunity"):
		return false
	}
	return at < len(f) && slices.Contains([]string{"localhost", "127.0.0.1", "127.0.0.1/32", "127.0.0.1/8", "127.0.0.0/8", "::1", "::1/128"}, f[at])
}

// prometheusSettings are remoteCommands: whether who connects may stop it or delete what it keeps (--web.enable-lifecycle, -admin-api). An argument with
// "@" names a file of more of them, one in a line (kingpin).
func prometheusSettings(s *Scan, p *process) map[string]snapshot.Fact {
	argv, cut := p.argv, p.cut
	for _, a := range p.argv[min(1, len(p.argv)):] {
		file, ok := strings.CutPrefix(a, "@")
		if !ok {
			continue
		}
		b, err := s.readAtStart(p, file)
		if err != nil {
			return unreadSettings(err, "remoteCommands")
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		argv, cut = slices.Concat(argv, lines[:min(len(lines), maxManaged)]), cut || len(lines) > maxManaged
	}
	on := "no"
	for _, f := range []string{"--web.enable-admin-api", "--web.enable-lifecycle"} {
		if hasFlag(argv, f) {
			on = f
		}
	}
	switch {
	case cut && on == "no":
		return unreadSettings(errCutArgs, "remoteCommands")
	case on == "no":
	default:
		asks, err := s.prometheusAsks(p, argument(argv, "--web.config.file"))
		if err != nil {
			return unreadSettings(err, "remoteCommands")
		}
		if asks {
			on = "no"
		}
	}
	return given(map[string]string{"remoteCommands": on})
}

// prometheusAsks says whether the web configuration of Prometheus asks who comes, by a password or a certificate. It is read again for each
// request (exporter-toolkit).
func (s *Scan) prometheusAsks(p *process, file string) (bool, error) {
	if file == "" {
		return false, nil
	}
	b, _, err := s.readNamed(p, file)
	if err != nil {
		return false, err
	}
	var m map[string]any
	if len(b) > maxYAML || yaml.Unmarshal(b, &m) != nil {
		return false, fmt.Errorf("%s: %w", file, errMalformed)
	}
	users, _ := valueAt(m, "basic_auth_users").(map[string]any)
	return len(users) > 0 || valueAt(m, "tls_server_config", "client_auth_type") == "RequireAndVerifyClientCert", nil
}
