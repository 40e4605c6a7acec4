package dropin

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/escape"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// services are the files for what findings say of sockets, units and daemons. Where there is no place for a file
// of our own, the settings are written with the reason why somebody has to put them in (ByHand).
func (m *maker) services(r *finding.Report, s *snapshot.Snapshot) []File {
	failed := map[string][]finding.Finding{}
	for i := range r.Results {
		if r.Results[i].Status == finding.Fail {
			failed[r.Results[i].ID] = r.Results[i].Findings
		}
	}
	var list []File
	for i := range s.Runtimes.Sockets {
		sock := &s.Runtimes.Sockets[i]
		const check = "runtime/socket-accessible-to-others"
		if sock.Container == "" && slices.ContainsFunc(failed[check], func(f finding.Finding) bool { return f.Resource.Path == sock.Path }) {
			if f, why := socketFile(s, sock, check); why == "" {
				list = append(list, f)
			} else {
				// Nor is root told to change what is at such a path: a command follows links.
				m.left = slices.DeleteFunc(m.left, func(w Manual) bool { return w.Check == check && w.Resource == sock.Path })
				m.leave(check, "control socket "+sock.Path, why)
			}
		}
	}
	if len(failed["runtime/docker-api-on-tcp"]) > 0 {
		if f, ok := m.dockerFile(s); ok {
			list = append(list, f)
		}
	}
	for i := range s.Agents.Instances {
		a := &s.Agents.Instances[i]
		if f, ok := m.confineFile(s, a, failed); ok && !slices.ContainsFunc(list, func(o File) bool { return o.Path == f.Path }) {
			list = append(list, f)
		}
		if f, ok := openClawFile(a, failed); ok && !slices.ContainsFunc(list, func(o File) bool { return o.Path == f.Path }) {
			list = append(list, f)
		}
	}
	for i := range list {
		if list[i].ByHand == "" && len(list[i].Closes) > 0 {
			m.left = slices.DeleteFunc(m.left, func(w Manual) bool {
				return slices.Contains(list[i].Closes, w.Check) && (list[i].Service != serviceSocket || w.Resource == list[i].Socket)
			})
		}
	}
	return list
}

// leave tells people why there is no file for something.
func (m *maker) leave(check, what, why string) {
	w := Manual{Check: check, What: escape.Line(what), Kind: "words", Text: "no file is written for it: " + escape.Line(why)}
	if !slices.ContainsFunc(m.left, func(o Manual) bool { return o.Check == w.Check && o.What == w.What && o.Text == w.Text }) {
		m.left = append(m.left, w)
	}
}

// unitDropIn is our file for a unit. Those of all directories are read in the order of their names, and the last value counts
// (systemd.unit(5)): systemctl edit writes override.conf.
func unitDropIn(unit string) string { return "/etc/systemd/system/" + unit + ".d/zz-ringfence.conf" }

// socketUnits are the units that make the control sockets of runtimes.
var socketUnits = map[string]string{"docker": "docker.socket", "podman": "podman.socket", "libvirt": "libvirtd.socket", "incus": "incus.socket", "lxd": "lxd.socket"}

// socketFile gives a control socket to root and the runtime's own group. A change of the file alone is undone when
// the service starts again, so the unit gets the same as settings. A socket whose path others than root decide about gets
// none: they could put another file in its place.
func socketFile(s *snapshot.Snapshot, sock *snapshot.ControlSocket, check string) (f File, why string) {
	switch {
	case !sock.Word.Trusted():
		return File{}, fmt.Sprintf("who decides what is at the path is %s, not root alone: change its mode as that user", sock.Word)
	case !usablePath(sock.Path):
		return File{}, "its path has characters that mean something else in a file or a command"
	case sock.Dev == 0 && sock.Ino == 0:
		return File{}, "which file it is was not seen"
	}
	group, gid := "root", 0
	for _, g := range s.Runtimes.Groups {
		if g.Runtime == sock.Runtime && groupName.MatchString(g.Name) {
			group, gid = g.Name, g.GID
			break
		}
	}
	f = File{
		Service: serviceSocket, Socket: sock.Path, SocketFile: fmt.Sprintf("%d:%d", sock.Dev, sock.Ino), Want: map[string]string{sock.Path: fmt.Sprintf("0660 0:%d", gid)},
		Content: fmt.Sprintf("# ringfence: %s\n[Socket]\nSocketMode=0660\nSocketUser=root\nSocketGroup=%s\n", check, group),
		Reload:  "systemctl daemon-reload; chmod 660 -- " + sock.Path + "; chown root:" + group + " -- " + sock.Path,
		Inverse: fmt.Sprintf("remove the file; systemctl daemon-reload; chmod %o -- %s; chown %d:%d -- %s", sock.Mode&0o7777, sock.Path, sock.UID, sock.GID, sock.Path),
		Closes:  []string{check}, Disruption: "who is neither root nor in group " + group + " no longer reaches the runtime",
	}
	if unit := socketUnits[sock.Runtime]; unit != "" {
		f.Path = unitDropIn(unit)
		f.Validate = []string{systemdAnalyze, "verify", "--", unit}
	} else {
		f.Path = "/etc/tmpfiles.d/ringfence-" + strings.Trim(strings.ReplaceAll(sock.Path, "/", "-"), "-") + ".conf"
		f.Content = fmt.Sprintf("# ringfence: %s\nz %s 0660 root %s\n", check, sock.Path, group)
		f.Validate = nil
	}
	return f, ""
}

const (
	systemdAnalyze = "/usr/bin/systemd-analyze"
	systemctl      = "/usr/bin/systemctl"
)

// confinement is what a unit of an agent gets: no way to more privilege, and nothing of the kernel and the system to
// write to. It leaves alone what depends on the program: its user, its files, its network.
var confinement = []struct{ name, value string }{
	{"NoNewPrivileges", "yes"},
	{"ProtectKernelTunables", "yes"},
	{"ProtectKernelModules", "yes"},
	{"ProtectControlGroups", "yes"},
	{"RestrictSUIDSGID", "yes"},
	{"LockPersonality", "yes"},
	{"ProtectSystem", "full"},
}

// confineFile confines the unit of an agent that can raise its privileges, or is root already. The agent must be verified
// to be what the unit runs: anybody can name a process like an agent.
func (m *maker) confineFile(s *snapshot.Snapshot, a *snapshot.Agent, failed map[string][]finding.Finding) (File, bool) {
	unit := a.Unit
	if unit == "" || a.Container != "" || !strings.HasSuffix(unit, ".service") || strings.HasPrefix(unit, "user@") {
		return File{}, false
	}
	f := File{
		Service: serviceUnit, Unit: unit, Path: unitDropIn(unit), Want: map[string]string{},
		Validate: []string{systemdAnalyze, "verify", "--", unit}, Effective: []string{systemctl, "show", "--", unit},
		Reload:     "systemctl daemon-reload; systemctl restart -- " + shellWord(unit),
		Inverse:    "remove the file; systemctl daemon-reload; systemctl restart -- " + shellWord(unit),
		Disruption: "the service starts again, and what it does not expect to be refused can fail",
	}
	for i := range s.Processes.List {
		if pr := &s.Processes.List[i]; pr.PID == a.PID && !pr.NoNewPrivs && len(failed["capability/no-new-privs-off"]) > 0 {
			f.Closes = append(f.Closes, "capability/no-new-privs-off")
		}
	}
	// Another user needs files of its own: that stays with people, confined or not.
	if len(f.Closes) == 0 && len(failed["agent/runs-as-root"]) == 0 {
		return File{}, false
	}
	if !a.Runs.Is(unit) || !host.UnitName(unit) {
		m.leave(append(slices.Clone(f.Closes), "agent/runs-as-root")[0], fmt.Sprintf("%s, process %d in unit %s", a.Title, a.PID, unit), unverified(a.Runs))
		return File{}, false
	}
	f.Content = "# ringfence: " + strings.Join(append(slices.Clone(f.Closes), "agent/runs-as-root")[:max(1, len(f.Closes))], ", ") + "\n[Service]\n"
	for _, c := range confinement {
		f.Content += c.name + "=" + c.value + "\n"
		f.Want[c.name] = c.value
	}
	return f, true
}

// unverified is why a process is not known to be what its unit runs.
func unverified(f snapshot.UnitFact) string {
	if f.Why != "" {
		return f.Why
	}
	return "it is not verified to be what a unit of the system runs"
}

const dockerUnit = "docker.service"

// dockerFile starts dockerd without its TCP sockets where its command line opens them; where daemon.json does, that
// is the administrator's file. It is about docker.service alone: the command line is that of its main process, if that is
// root's, and nobody else's.
func (m *maker) dockerFile(s *snapshot.Snapshot) (File, bool) {
	const check = "runtime/docker-api-on-tcp"
	for i := range s.Runtimes.TLS {
		d := &s.Runtimes.TLS[i]
		if len(d.Args) == 0 || path.Base(d.Args[0]) != "dockerd" {
			continue
		}
		switch pr := process(s, d.PID); {
		case !d.Runs.Is(dockerUnit):
			m.leave(check, fmt.Sprintf("dockerd, process %d", d.PID), "for "+dockerUnit+": "+unverified(d.Runs))
			continue
		case pr == nil || pr.UID != 0 || !pr.ExeWord.Trusted():
			m.leave(check, fmt.Sprintf("dockerd, process %d", d.PID), "its command line is not root's")
			continue
		case !usablePath(d.Args[0]) || !plainText(strings.Join(d.Args, "")):
			m.leave(check, fmt.Sprintf("dockerd, process %d", d.PID), "its command line has characters that a unit cannot have")
			continue
		}
		f := File{
			Service: serviceDocker, Unit: dockerUnit, Path: unitDropIn(dockerUnit), Want: map[string]string{},
			Validate: []string{systemdAnalyze, "verify", "--", dockerUnit}, Effective: []string{systemctl, "show", "--", dockerUnit},
			Reload:     "systemctl daemon-reload; systemctl restart " + dockerUnit,
			Inverse:    "remove the file; systemctl daemon-reload; systemctl restart " + dockerUnit,
			Disruption: "containers stop and start again, unless live-restore is on", Closes: []string{check},
		}
		argv, removed := withoutTCP(d.Args)
		if len(removed) > 0 {
			f.Content = "# ringfence: " + check + "\n[Service]\nExecStart=\nExecStart=" + systemdWords(argv) + "\n"
			f.Want["ActiveState"] = "active"
			f.Stops = ports(removed)
			return f, true
		}
		f.Path, f.Content = "/etc/docker/daemon.json", "{\"hosts\": [\"unix:///var/run/docker.sock\"]}\n"
		f.Validate, f.Effective = []string{"/usr/bin/dockerd", "--validate", "--config-file", f.Path}, nil
		f.ByHand = "daemon.json is the administrator's file, and there is no other to put settings in: leave out the tcp:// hosts"
		f.Reload, f.Inverse = "systemctl restart "+dockerUnit, "put the hosts back; systemctl restart "+dockerUnit
		return f, true
	}
	return File{}, false
}

// withoutTCP is a command line of dockerd without -H tcp://..., and the addresses of those that there were.
func withoutTCP(argv []string) (out, removed []string) {
	for i := 0; i < len(argv); i++ {
		a := argv[i]
		_, addr, tcp := strings.Cut(a, "tcp://")
		switch {
		case (a == "-H" || a == "--host") && i+1 < len(argv) && strings.HasPrefix(argv[i+1], "tcp://"):
			removed = append(removed, strings.TrimPrefix(argv[i+1], "tcp://"))
			i++
		case tcp && slices.Contains([]string{"-H", "-H=", "--host="}, strings.TrimSuffix(a, "tcp://"+addr)):
			removed = append(removed, addr)
		default:
			out = append(out, a)
		}
	}
	return out, removed
}

// ports are those of addresses that dockerd is told to serve: without one it is 2375, or 2376 with TLS (dockerd(8)).
func ports(addrs []string) (list []int) {
	for _, a := range addrs {
		a, _, _ = strings.Cut(a, "/")
		if port, err := strconv.Atoi(a[strings.LastIndexByte(a, ':')+1:]); err == nil {
			list = append(list, port)
		} else {
			list = append(list, 2375, 2376)
		}
	}
	return list
}

// systemdWords quotes a command line for a unit (systemd.service(5), COMMAND LINES).
func systemdWords(argv []string) string {
	var out []string
	for _, a := range argv {
		a = strings.NewReplacer("%", "%%", "$", "$$").Replace(a)
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\;") {
			a = strconv.Quote(a)
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}

// configWord is of values that OpenClaw's settings have.
var configWord = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// openClawFile is the settings of a gateway by how it is deployed: on the host they go into its configuration; in a
// container the gateway must listen to the others there, and it is the published port that is bound.
func openClawFile(a *snapshot.Agent, failed map[string][]finding.Finding) (File, bool) {
	if a.Runtime != "openclaw" || a.Kind != "gateway" {
		return File{}, false
	}
	f := File{Service: serviceOpenClaw, Want: map[string]string{}, Disruption: "the gateway reads its settings again; clients on other addresses lose it"}
	has := func(check string) bool {
		if len(failed[check]) == 0 {
			return false
		}
		f.Closes = append(f.Closes, check)
		return true
	}
	beyond := has("agent/gateway-beyond-loopback")
	if a.Container != "" {
		if !beyond {
			return File{}, false
		}
		port := 18789
		if len(a.Ports) > 0 && a.Ports[0] > 0 && a.Ports[0] < 65536 {
			port = a.Ports[0]
		}
		f.Path = "compose.override.yaml"
		f.Content = fmt.Sprintf("services:\n  openclaw-gateway:\n    ports: !override\n      - \"127.0.0.1:%d:%d\"\n", port, port)
		f.ByHand = "the file belongs beside the compose file of the gateway's project, whose service can have another name"
		f.Validate, f.Reload = []string{"docker", "compose", "config"}, "docker compose up -d"
		f.Inverse = "remove the file; docker compose up -d"
		return f, true
	}
	if a.Config == nil {
		return File{}, false
	}
	var set, inverse []string
	add := func(key, value, old string) {
		f.Want[key] = value
		set = append(set, fmt.Sprintf("openclaw config set %s %s", key, value))
		if old = strings.ToLower(old); !configWord.MatchString(old) { // a command that people copy has no words of others
			old = "..."
		}
		inverse = append(inverse, fmt.Sprintf("openclaw config set %s %s", key, old))
	}
	if beyond {
		add("gateway.bind", "loopback", a.Config.Bind)
	}
	if has("agent/gateway-without-authentication") {
		add("gateway.auth.mode", "token", a.Config.AuthMode)
	}
	if has("agent/sandbox-off") {
		add("agents.defaults.sandbox.mode", "all", a.Config.Sandbox)
		if slices.ContainsFunc(a.Config.WeakAgents, func(w string) bool { return strings.Contains(w, "tools.exec.host") }) {
			add("tools.exec.host", "auto", "gateway")
		}
	}
	if len(set) == 0 {
		return File{}, false
	}
	f.Path, f.Content = shellWord(escape.Line(a.Config.Path)), strings.Join(set, "\n")+"\n"
	f.ByHand = "the settings are the gateway's own file: run these commands as its user; a token is a secret that only its owner makes"
	f.Validate, f.Reload = []string{"openclaw", "doctor", "--lint"}, "openclaw gateway restart"
	f.Inverse = strings.Join(inverse, "; ")
	return f, true
}

// process is a process of the snapshot, nil where it was not seen.
func process(s *snapshot.Snapshot, pid int) *snapshot.Process {
	i := slices.IndexFunc(s.Processes.List, func(p snapshot.Process) bool { return p.PID == pid })
	if i < 0 {
		return nil
	}
	return &s.Processes.List[i]
}
