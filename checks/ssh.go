//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/sshd"
)

// serverPrograms maps the program file of an SSH server to its kind.
var serverPrograms = map[string]string{
	"sshd": "openssh", "dropbear": "dropbear", "dropbearmulti": "dropbear", "tinysshd": "tinyssh", "tinysshnoneauthd": "tinyssh",
}

// defaultSSHDConfig is compiled into sshd (sshd(8), FILES).
const defaultSSHDConfig = "/etc/ssh/sshd_config"

func collectSSH(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	procs, err := s.processes()
	if err != nil {
		out.fail("list processes", err)
		return out
	}
	sec := &snap.SSH
	byPID := map[int]*process{}
	for _, p := range procs {
		byPID[p.PID] = p
		if slices.Contains(p.Unread, "exe") && slices.Contains(p.Unread, "cmdline") {
			out.partialIn("servers", "a process could be an SSH server that is not seen (needs CAP_SYS_PTRACE)")
		}
	}
	s.tableGap(out)
	found := configsFound{by: map[configKey]*process{}, options: map[configKey][]string{}, opened: map[configKey]bool{}}
	sockets := append(s.sshSockets(out), s.sshOfSuperServers(procs, out)...)
	for _, p := range procs {
		kind := serverPrograms[p.exeBase()]
		if kind == "" || p.Leader != 0 || s.ofConnection(p, byPID, 0) || p.PPID == 1 && accepted(p.Unit, sockets) || startedBySuperServer(p, byPID, sockets) {
			continue
		}
		srv := snapshot.SSHServer{
			Kind: kind, PID: p.PID, Exe: p.Exe, Unit: p.Unit, Container: p.Container, Word: s.serverWord(p),
		}
		switch kind {
		case "openssh":
			c := sshdArguments(p.argv, p.cut).by(p.Exe)
			srv.Config, srv.Mntns, srv.Options, srv.Unread = c.config, p.NS.Mnt, keptOptions(c.options), c.why
			found.note(p, &srv, c.options)
		default:
			srv.Config, srv.Mntns = kind+commandLine, p.NS.Mnt
			if p.cut {
				srv.Unread = "it has more arguments than are read"
			}
			sec.Configs = append(sec.Configs, s.withoutFile(p, p.argv, &srv))
		}
		sec.Servers = append(sec.Servers, srv)
	}
	s.activated(sec, sockets, found)
	sec.KeyFiles = s.keyFiles(ctx, out)
	s.readConfigs(ctx, sec, found, out, func(k configKey, c *snapshot.SSHConfig) {
		if k.word.By == snapshot.ByRoot && c.Word.Trusted() && (k.mntns == s.initNS().Mnt || own(byPID, k.mntns)) {
			sec.Accounts = append(sec.Accounts, s.sshAccounts(ctx, k.path, found.options[k], len(c.Contexts) > 1, procs)...)
		}
	})
	held := map[int][]string{}
	for _, v := range sec.Servers {
		if v.Holder != 0 && v.Word.Trusted() {
			held[v.Holder] = append(held[v.Holder], v.Listen...)
		}
	}
	sec.Sessions = s.sshSessions(procs, held, slices.ContainsFunc(sec.Servers, func(v snapshot.SSHServer) bool {
		return v.Activated && slices.ContainsFunc(v.Listen, ofPort22)
	}), out)
	return out
}

// configKey tells configurations apart: a path means another file in each mount namespace, the command line adds to it, and the host's
// own is never replaced by what somebody's program of that name reads.
type configKey struct {
	mntns   uint64
	path    string
	word    snapshot.Word
	options string
}

// configsFound is the configurations that servers read, each with one of the servers, nil where none runs yet.
type configsFound struct {
	by      map[configKey]*process
	options map[configKey][]string
	opened  map[configKey]bool // somebody else opens sockets for one of them
}

func keyOf(srv *snapshot.SSHServer, options []string) configKey {
	return configKey{srv.Mntns, srv.Config, srv.Word, strings.Join(options, "\n")}
}

func (c configsFound) note(p *process, srv *snapshot.SSHServer, options []string) {
	k := keyOf(srv, options)
	if c.by[k] == nil {
		c.by[k], c.options[k] = p, options
	}
}

// activated adds the servers that systemd starts when somebody connects.
func (s *Scan) activated(sec *snapshot.SSH, sockets []sshSocket, found configsFound) {
	for _, sock := range sockets {
		srv := s.listensAs(&sock)
		running := slices.IndexFunc(sec.Servers, func(v snapshot.SSHServer) bool {
			return sock.holder == nil && v.Unit == sock.service && v.Word.Trusted() && v.PID != 0
		})
		switch {
		case running >= 0: // it has been started, and says itself how
			v := &sec.Servers[running]
			srv.Config, srv.Mntns, srv.Options, srv.Unread = v.Config, v.Mntns, v.Options, v.Unread
		case sock.kind == "openssh":
			found.note(s.apart(sock.holder), &srv, sock.command.options)
			found.opened[keyOf(&srv, sock.command.options)] = true
		default:
			sec.Configs = append(sec.Configs, s.withoutFile(s.apart(sock.holder), sock.argv, &srv))
		}
		sec.Servers = append(sec.Servers, srv)
	}
}

// sourceArguments is the source of a configuration that is a command line alone, commandLine the end of its name.
const (
	sourceArguments = "arguments"
	commandLine     = " command line"
)

// apart is a process whose files are not those of the host: then it is asked for them. What it starts reads them anew each time.
func (s *Scan) apart(p *process) *process {
	if p == nil || p.NS.Mnt == s.initNS().Mnt && !s.separate(p) {
		return nil
	}
	return p
}

// startedBySuperServer says of an SSH server that it is one connection of inetd or its like, and told there.
func startedBySuperServer(p *process, byPID map[int]*process, sockets []sshSocket) bool {
	parent := byPID[p.PPID]
	return slices.ContainsFunc(sockets, func(k sshSocket) bool {
		return k.holder != nil && parent != nil && (k.holder == parent || k.holder == byPID[parent.PPID] && k.holder.Exe == parent.Exe)
	})
}

// withoutFile is the configuration of a server that has no file.
func (s *Scan) withoutFile(p *process, argv []string, srv *snapshot.SSHServer) snapshot.SSHConfig {
	cfg := snapshot.SSHConfig{
		Path: srv.Config, Source: sourceArguments, Mntns: srv.Mntns, Container: srv.Container, Word: srv.Word, Server: srv.Word,
	}
	settings, r := tinySettings(), s.sshReader(p, keyOf(srv, nil))
	if srv.Kind == "dropbear" {
		settings = dropbearSettings(argv)
	}
	switch command := givenToAll(argv); {
	case givesShell(command):
		cfg.Contexts = []snapshot.SSHContext{{Settings: noneSettings(srv.Word), Logins: s.loginsOfAll(srv.Word)}}
		return cfg
	case command != "" && srv.Unread == "":
		srv.Unread = "it asks nobody, and what the program of its -e lets everybody do is not known"
	}
	accounts := loginFiles(r.lookup)
	g := &sshd.Group{Users: new(sshd.File).Principals(accounts.users)}
	cfg.Contexts = []snapshot.SSHContext{{Settings: settings, Logins: accounts.logins(g, settings)}}
	return cfg
}

// opensItself says of an SSH server that it opens the sockets that it listens on by what it is configured with: neither systemd (sd_listen_fds(3))
// nor inetd (sshd(8), -i) hands it one.
func (s *Scan) opensItself(p *process) bool {
	if p == nil || p.cut || slices.Contains(p.argv, "-i") {
		return false
	}
	env, err := s.environ(p)
	_, handed := env["LISTEN_FDS"]
	return err == nil && !handed
}

// readConfigs reads the configurations, those of the host first, and hands each over.
func (s *Scan) readConfigs(ctx context.Context, sec *snapshot.SSH, found configsFound, out *Outcome, each func(configKey, *snapshot.SSHConfig)) {
	clock := newClock()
	for _, k := range sortedConfigs(found.by) {
		p := found.by[k]
		if !k.word.Trusted() && (ctx.Err() != nil || !clock.has(s.party(p))) {
			continue // as one that cannot be read
		}
		start := time.Now()
		cfg, r, err := s.sshConfig(ctx, p, k, found.options[k], !found.opened[k] && s.opensItself(p))
		if err == nil {
			sec.Configs = append(sec.Configs, cfg)
			s.staleServers(sec, &cfg, r)
			s.placedKeys(ctx, sec, r, out)
			each(k, &cfg)
		} else if k.word.Trusted() { // what else runs as a server is without a configuration, and unknown by name
			out.partialIn("configs", "configuration of sshd: %v", err)
		}
		if !k.word.Trusted() {
			clock.charge(s.party(p), start)
		}
	}
}

// staleServers notes of the servers of a configuration which of its files were changed after they read it: sshd reads it once, and again
// when it is told to (sshd(8), SIGHUP).
func (s *Scan) staleServers(sec *snapshot.SSH, cfg *snapshot.SSHConfig, r *sshReader) {
	if !s.Host.Live() {
		return
	}
	for i := range sec.Servers {
		v := &sec.Servers[i]
		if v.PID == 0 || v.Unread != "" || v.Config != cfg.Path || v.Mntns != cfg.Mntns || v.Word != cfg.Server || !slices.Equal(v.Options, cfg.Options) {
			continue
		}
		v.Unread = changedSince(s.readSince(v.PID, r), r)
	}
}

// changedSince says which file of a configuration was changed after it was read, or why that is not known; "" if none was.
func changedSince(read time.Time, r *sshReader) string {
	if read.IsZero() {
		return "when the server read its configuration is not known"
	}
	for _, f := range r.paths {
		st, err := r.stat(f)
		switch {
		case err == nil && st.Changed.After(read):
			return f + " was changed after the server read its configuration: reload it"
		case err != nil && !gone(err):
			return "when " + f + " was changed was not seen"
		}
	}
	return ""
}

// startSlack is how far the start of a process and the time of a file can be apart that are of one moment: both are counted in ticks.
const startSlack = 50 * time.Millisecond

// readSince is when a server read its configuration at the latest: at its start, or when it wrote its pid file again, as it does after
// each reload.
func (s *Scan) readSince(pid int, r *sshReader) time.Time {
	at := s.startOf(pid)
	status, err := s.Host.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return at
	}
	ids := strings.Fields(statusField(status, "NSpid"))
	for _, file := range []string{"/run/sshd.pid", "/var/run/sshd.pid"} {
		b, err := r.lookup(file)
		if err != nil || len(ids) == 0 || strings.TrimSpace(string(b)) != ids[len(ids)-1] {
			continue
		}
		if st, err := r.stat(file); err == nil && st.Changed.After(at) {
			at = st.Changed
		}
	}
	return at
}

func sortedConfigs(m map[configKey]*process) []configKey {
	rank := func(k configKey) int { // those of the host first
		if k.word.Trusted() {
			return 0
		}
		return 1
	}
	return slices.SortedFunc(maps.Keys(m), func(a, b configKey) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.path, b.path), cmp.Compare(a.word.String(), b.word.String()), cmp.Compare(a.mntns, b.mntns),
			cmp.Compare(a.options, b.options))
	})
}

// ofConnection says whether a process of an SSH server's program serves one connection: it was started by a server. What
// somebody who is logged in starts has the process of their own connection above it, and is a server of its own.
func (s *Scan) ofConnection(p *process, byPID map[int]*process, depth int) bool {
	q := byPID[p.PPID]
	if q == nil || serverPrograms[q.exeBase()] == "" && !strings.HasPrefix(q.exeBase(), "sshd-") || depth > 8 {
		return false
	}
	word := s.serverWord(q)
	if word.By == snapshot.ByRoot {
		return p.ExeWord.Trusted() || !s.Host.Live()
	}
	return s.serverWord(p) == word && !s.ofConnection(q, byPID, depth+1)
}

// serverWord is whose server a process is. The host's own runs root's program as root; what runs in a container is the
// container's, else it is its user's, whatever its program is called.
func (s *Scan) serverWord(p *process) snapshot.Word {
	switch {
	case p.Container != "":
		return snapshot.Word{By: snapshot.ByContainer, Container: p.Container}
	case s.separate(p):
		return snapshot.Word{By: snapshot.ByContainer, Container: fmt.Sprintf("mount namespace %d", p.NS.Mnt)}
	case p.UID != 0:
		return snapshot.WordOf(p.UID)
	case p.ExeWord.Trusted() || !s.Host.Live():
		return snapshot.Word{By: snapshot.ByRoot}
	}
	return p.ExeWord
}

// keyFiles finds authorized_keys files that others than their user and root can write, directly or
// through a directory above them.
func (s *Scan) keyFiles(ctx context.Context, out *Outcome) []snapshot.KeyFile {
	var files []snapshot.KeyFile
	w := s.newPermitWalker()
	for _, u := range s.users() {
		if u.home == "" || u.home == "/" {
			continue
		}
		for _, path := range defaultKeyFiles(&u) {
			if ctx.Err() != nil {
				out.partialIn("keys", "there was no time to look at all authorized keys")
				return files
			}
			why, err := patient(s, uidParty(u.uid), func() (string, error) {
				if _, err := s.Host.Stat(path); err != nil {
					return "", err
				}
				return s.othersWrite(w, path, u.uid)
			})
			if err != nil {
				if !gone(err) {
					out.partialIn("keys", "authorized keys of %s: %v", u.name, err)
				}
				continue
			}
			if why != "" {
				files = append(files, snapshot.KeyFile{Path: path, User: u.name, Writable: why})
			}
		}
	}
	return files
}

// othersWrite says who besides a user and root decides what is at a path, the widest of them: by the file or a directory on the way. A group that
// nobody else is in is the user's own.
func (s *Scan) othersWrite(w *permitWalker, file string, uid int) (why string, err error) {
	list, _, _, err := w.writers(file)
	if err != nil {
		return "", err
	}
	for _, p := range list {
		switch {
		case p.Who == snapshot.PermitAll:
			return p.At + " is writable by everybody", nil
		case p.Who == snapshot.PermitGroup && s.groupHasOthers(p.ID, uid):
			why = cmp.Or(why, fmt.Sprintf("%s is writable by group %d", p.At, p.ID))
		case p.Who == snapshot.PermitUser && p.ID != uid:
			why = cmp.Or(why, fmt.Sprintf("%s is writable by uid %d", p.At, p.ID))
		}
	}
	return why, nil
}

// heldPort says whether one of these addresses has that port.
func heldPort(listen []string, port int) bool {
	return slices.ContainsFunc(listen, func(l string) bool {
		return l == strconv.Itoa(port) || strings.HasSuffix(l, ":"+strconv.Itoa(port))
	})
}

// ofPort22 says of an address of a socket unit that it has the port of SSH.
func ofPort22(listen string) bool {
	return listen == "22" || strings.HasSuffix(listen, ":22") && !strings.HasPrefix(listen, "vsock:")
}

// sshSessions lists the established connections to the ports that SSH servers listen on, or did before they were started again with another: the
// administrators whom a fix must not lock out. held is where super servers listen for one, by their pids, and activated22 says that systemd listens for one on port 22.
func (s *Scan) sshSessions(procs []*process, held map[int][]string, activated22 bool, out *Outcome) []snapshot.SSHSession {
	if !s.Host.Live() {
		return nil
	}
	inodes, _ := s.socketOwners()
	server, serves, byPID, parents := map[int]bool{}, map[int]bool{}, map[int]*process{}, map[int]bool{}
	for _, p := range procs {
		// Whoever logs in by somebody's own program of that name administers nothing.
		server[p.PID] = serverPrograms[p.exeBase()] != "" && s.serverWord(p).By == snapshot.ByRoot
		serves[p.PID] = server[p.PID] || p.exeBase() == "sshd-session" && s.serverWord(p).By == snapshot.ByRoot
		byPID[p.PID], parents[p.PPID] = p, true
	}
	ports, first := map[int]bool{22: true}, s.firstGiven()
	var sessions []snapshot.SSHSession
	connected := map[netip.AddrPort][]netip.AddrPort{} // of the host, by the other end
	for _, states := range []uint32{1 << wire.StateListen, 1 << wire.StateEstablished} {
		for _, k := range socketKinds[:2] {
			k.states = states
			err := s.diagEach(k, func(m []byte) error {
				in, err := wire.ParseInet(m)
				if err != nil {
					return err
				}
				local, remote := unmapped(in.Local), onLink(unmapped(in.Peer), in.Device)
				pids := inodes[uint64(in.Inode)]
				if states == 1<<wire.StateEstablished && len(connected) < maxConnected {
					connected[remote] = append(connected[remote], local)
				}
				if states == 1<<wire.StateListen {
					recognised := activated22 && (len(pids) == 0 || slices.Contains(pids, 1))
					for _, pid := range pids {
						if server[pid] || heldPort(held[pid], int(local.Port())) {
							ports[int(local.Port())], recognised = true, true
						}
					}
					if local.Port() == 22 && !recognised {
						out.partialIn("servers", "what listens on port 22 is no SSH server that is known")
					}
				} else if ports[int(local.Port())] || local.Port() < first && slices.ContainsFunc(pids, func(pid int) bool { return serves[pid] }) {
					sessions = append(sessions, snapshot.SSHSession{
						Local: local.String(), Remote: remote.String(), LoggedIn: loggedIn(pids, byPID, parents),
					})
				}
				return nil
			})
			if err != nil {
				out.partialIn("sessions", "SSH sessions: %v", err)
			}
		}
	}
	relayed(sessions, connected)
	slices.SortFunc(sessions, func(a, b snapshot.SSHSession) int {
		return strings.Compare(a.Local+a.Remote, b.Local+b.Remote)
	})
	return sessions
}

// firstGiven is the first port that a connection gets which asks for none, such as those that an SSH server opens for who is logged in.
func (s *Scan) firstGiven() uint16 {
	first := uint16(32768) // ip_local_port_range in Documentation/networking/ip-sysctl.rst
	if b, err := s.Host.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &first)
	}
	return first
}

// loggedIn says of the processes that have a connection whether somebody has logged in by it. OpenSSH writes into their
// titles how far it is, and from 10.0 on has a program for who has not; Dropbear changes the user, or starts a shell
// (sshd.c, monitor.c, auth2.c, sshd-auth.c of OpenSSH; svr-chansession.c of Dropbear).
func loggedIn(pids []int, byPID map[int]*process, parents map[int]bool) snapshot.Login {
	var state snapshot.Login
	for _, pid := range pids {
		p := byPID[pid]
		if p == nil {
			continue
		}
		title := ""
		if len(p.argv) > 0 {
			title = strings.TrimRight(p.argv[0], " ")
		}
		before := slices.ContainsFunc([]string{"[accepted]", "[net]", "[preauth]"}, func(s string) bool { return strings.HasSuffix(title, s) })
		switch exe := p.exeBase(); {
		case exe == "sshd-auth", before && (exe == "sshd" || exe == "sshd-session"):
			return snapshot.No
		case strings.HasSuffix(title, "[priv]"): // the monitor, before as after
		case exe == "sshd", exe == "sshd-session", serverPrograms[exe] == "dropbear" && (p.UID != 0 || parents[pid]):
			state = snapshot.Yes
		}
	}
	return state
}

// unmapped is an end of a connection, of IPv4 where it is one of IPv4 by an IPv6 socket.
func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// onLink gives an address of a link the number of the interface, which the kernel binds a connection from there to (tcp_v6_init_req).
func onLink(a netip.AddrPort, device int) netip.AddrPort {
	if device <= 0 || !a.Addr().Is6() || !a.Addr().IsLinkLocalUnicast() {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(strconv.Itoa(device)), a.Port())
}
