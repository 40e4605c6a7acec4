//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/snapshot"
)

// managers are the programs that manage, by the name of the file that runs or of the script that an interpreter runs.
var managers = map[string]struct {
	name string
	role snapshot.Role
}{
	"in.telnetd": {"telnetd", snapshot.RoleCleartext}, "telnetd": {"telnetd", snapshot.RoleCleartext}, "utelnetd": {"telnetd", snapshot.RoleCleartext},
	"in.rshd": {"rshd", snapshot.RoleCleartext}, "in.rlogind": {"rlogind", snapshot.RoleCleartext}, "in.rexecd": {"rexecd", snapshot.RoleCleartext},
	"rshd": {"rshd", snapshot.RoleCleartext}, "rlogind": {"rlogind", snapshot.RoleCleartext}, "rexecd": {"rexecd", snapshot.RoleCleartext},
	"in.tftpd": {"tftpd", snapshot.RoleCleartext}, "atftpd": {"tftpd", snapshot.RoleCleartext},
	"Xvnc": {"Xvnc", snapshot.RoleDesktop}, "Xtigervnc": {"TigerVNC", snapshot.RoleDesktop}, "Xtightvnc": {"TightVNC", snapshot.RoleDesktop},
	"x11vnc": {"x11vnc", snapshot.RoleDesktop}, "x0vncserver": {"TigerVNC", snapshot.RoleDesktop}, "wayvnc": {"wayvnc", snapshot.RoleDesktop},
	"Xkasmvnc": {"KasmVNC", snapshot.RoleDesktop}, "Xvfb": {"Xvfb", snapshot.RoleDesktop}, "xrdp": {"xrdp", snapshot.RoleDesktop},
	"gnome-remote-desktop-daemon": {"GNOME remote desktop", snapshot.RoleDesktop}, "krdpserver": {"KRDP", snapshot.RoleDesktop}, "krfb": {"krfb", snapshot.RoleDesktop},
	"vino-server": {"Vino", snapshot.RoleDesktop}, "websockify": {"noVNC", snapshot.RoleDesktop}, "novnc_proxy": {"noVNC", snapshot.RoleDesktop},
	"Xorg": {"X server", snapshot.RoleDesktop}, "sunshine": {"Sunshine", snapshot.RoleDesktop}, "nxd": {"NoMachine", snapshot.RoleDesktop}, "nxserver.bin": {"NoMachine", snapshot.RoleDesktop},
	"cockpit-tls": {"Cockpit", snapshot.RoleConsole}, "cockpit-ws": {"Cockpit", snapshot.RoleConsole}, "miniserv.pl": {"Webmin", snapshot.RoleConsole},
	"portainer": {"Portainer", snapshot.RoleConsole}, "pveproxy": {"Proxmox VE", snapshot.RoleConsole}, "rancher": {"Rancher", snapshot.RoleConsole},
	"proxmox-backup-proxy": {"Proxmox Backup", snapshot.RoleConsole}, "AdGuardHome": {"AdGuard Home", snapshot.RoleConsole}, "pihole-FTL": {"Pi-hole", snapshot.RoleConsole},
	"dockge": {"Dockge", snapshot.RoleConsole}, "casaos": {"CasaOS", snapshot.RoleConsole}, "ajenti-panel": {"Ajenti", snapshot.RoleConsole}, "1panel": {"1Panel", snapshot.RoleConsole},
	"sushy-emulator": {"Redfish of virtual machines (sushy-emulator)", snapshot.RoleConsole},
	"ttyd":           {"ttyd", snapshot.RoleShell}, "gotty": {"GoTTY", snapshot.RoleShell}, "shellinaboxd": {"Shell In A Box", snapshot.RoleShell}, "wetty": {"WeTTY", snapshot.RoleShell},
	"socat": {"socat", snapshot.RoleShell}, "socat1": {"socat", snapshot.RoleShell}, "ncat": {"ncat", snapshot.RoleShell},
	"nc.traditional": {"netcat", snapshot.RoleShell}, "nc": {"netcat", snapshot.RoleShell}, "netcat": {"netcat", snapshot.RoleShell},
	"gdbserver": {"gdbserver", snapshot.RoleDebug}, "lldb-server": {"lldb-server", snapshot.RoleDebug}, "dlv": {"Delve", snapshot.RoleDebug}, "rdbg": {"rdbg", snapshot.RoleDebug},
	"nrpe": {"NRPE", snapshot.RoleMonitor}, "zabbix_agentd": {"Zabbix agent", snapshot.RoleMonitor}, "zabbix_agent2": {"Zabbix agent", snapshot.RoleMonitor},
	"snmpd": {"snmpd", snapshot.RoleMonitor}, "prometheus": {"Prometheus", snapshot.RoleMonitor},
	"pushgateway": {"Pushgateway", snapshot.RoleMonitor}, "prometheus-pushgateway": {"Pushgateway", snapshot.RoleMonitor},
	"tmate": {"tmate", snapshot.RoleRemote}, "sshx": {"sshx", snapshot.RoleRemote}, "teamviewerd": {"TeamViewer", snapshot.RoleRemote}, "anydesk": {"AnyDesk", snapshot.RoleRemote},
	"rustdesk": {"RustDesk", snapshot.RoleRemote}, "amazon-ssm-agent": {"AWS Systems Manager", snapshot.RoleRemote}, "meshagent": {"MeshCentral", snapshot.RoleRemote},
	"dwagent": {"DWService", snapshot.RoleRemote}, "tacticalagent": {"Tactical RMM", snapshot.RoleRemote}, "chrome-remote-desktop-host": {"Chrome Remote Desktop", snapshot.RoleRemote},
	"redis-server": {"Redis", snapshot.RoleData}, "redis-check-rdb": {"Redis", snapshot.RoleData}, "valkey-server": {"Valkey", snapshot.RoleData},
	"valkey-check-rdb": {"Valkey", snapshot.RoleData}, "keydb-server": {"KeyDB", snapshot.RoleData}, "memcached": {"memcached", snapshot.RoleData},
	"mosquitto": {"Mosquitto", snapshot.RoleData}, "nats-server": {"NATS", snapshot.RoleData}, "mariadbd": {"MariaDB", snapshot.RoleData},
	"mysqld": {"MariaDB", snapshot.RoleData}, "postgres": {"PostgreSQL", snapshot.RoleData}, "rsync": {"rsync", snapshot.RoleData},
	"smbd": {"Samba", snapshot.RoleData}, "influxd": {"InfluxDB", snapshot.RoleData}, "mongod": {"MongoDB", snapshot.RoleData},
	"squid": {"Squid", snapshot.RoleData}, "tinyproxy": {"Tinyproxy", snapshot.RoleData}, "unbound": {"control of Unbound", snapshot.RoleData},
	"clickhouse": {"ClickHouse", snapshot.RoleData}, "clickhouse-server": {"ClickHouse", snapshot.RoleData}, "minio": {"MinIO", snapshot.RoleData},
	"cockroach": {"CockroachDB", snapshot.RoleData}, "arangod": {"ArangoDB", snapshot.RoleData}, "dragonfly": {"Dragonfly", snapshot.RoleData},
	"mongos": {"mongos", snapshot.RoleData}, "meilisearch": {"Meilisearch", snapshot.RoleData}, "ganesha.nfsd": {"NFS-Ganesha", snapshot.RoleData},
	"beam.smp": {"RabbitMQ", snapshot.RoleData}, "vsftpd": {"vsftpd", snapshot.RoleCleartext}, "proftpd": {"ProFTPD", snapshot.RoleCleartext},
	"pure-ftpd": {"Pure-FTPd", snapshot.RoleCleartext},
	"kubectl":   {"kubectl", snapshot.RoleData}, "nomad": {"Nomad", snapshot.RoleData}, "consul": {"Consul", snapshot.RoleData},
	"vault": {"Vault", snapshot.RoleData}, "bao": {"OpenBao", snapshot.RoleData}, "salt-master": {"Salt", snapshot.RoleData}, "cupsd": {"CUPS", snapshot.RoleData},
	"aria2c": {"aria2", snapshot.RoleData}, "transmission-daemon": {"Transmission", snapshot.RoleData}, "syncthing": {"Syncthing", snapshot.RoleData},
	"docker-registry": {"Docker registry", snapshot.RoleData}, "registry": {"Docker registry", snapshot.RoleData},
	"haproxy": {"HAProxy", snapshot.RoleData}, "varnishd": {"Varnish", snapshot.RoleData}, "php-fpm": {"PHP-FPM", snapshot.RoleData},
	"pgbouncer": {"PgBouncer", snapshot.RoleData}, "supervisord": {"supervisord", snapshot.RoleData}, "beanstalkd": {"beanstalkd", snapshot.RoleData},
	"kubelet": {"kubelet", snapshot.RoleCluster}, "kube-apiserver": {"kube-apiserver", snapshot.RoleCluster}, "etcd": {"etcd", snapshot.RoleCluster},
}

// maxManaged bounds the servers of one party that are kept.
const maxManaged = 512

// collectManagement finds the programs by which the host or its cluster is managed, and reads what of their configuration is judged.
func collectManagement(ctx context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	procs, err := s.processes()
	if err != nil {
		out.fail("list processes", err)
		return out
	}
	s.tableGap(out)
	clock, kept, byPID := newClock(), newShares(maxManaged), map[int]*process{}
	for _, p := range procs {
		byPID[p.PID] = p
	}
	for _, p := range s.hostFirst(procs) {
		if p.Leader != 0 {
			continue
		}
		if slices.Contains(p.Unread, "exe") && slices.Contains(p.Unread, "cmdline") {
			out.partialIn("servers", "a process could be a server that is not seen (needs CAP_SYS_PTRACE)")
		}
		if clustersInOne[p.exeBase()] != nil {
			if party := s.party(p); p.setID || !clock.has(party) || kept.take(party, 2) < 2 {
				out.partialIn("servers", "the servers inside of %s were not looked at", p.exeBase())
			} else {
				start := time.Now()
				snap.Management.Servers = append(snap.Management.Servers, s.inOne(p)...)
				clock.charge(party, start)
			}
		}
		emulated, whole := qemuServers(p)
		snap.Management.Servers = append(snap.Management.Servers, emulated[:kept.take(s.party(p), len(emulated))]...)
		if !whole {
			out.partialIn("servers", "what %s serves besides its guest is in a file or in arguments that are not read", s.placeName(p))
		}
		v, ok := managed(p)
		if !ok {
			v, ok = s.debugs(p, out)
		}
		if !ok || v.Role != snapshot.RoleDebug && works(p, byPID[p.PPID]) {
			continue
		}
		if kept.take(s.party(p), 1) == 0 {
			out.partialIn("servers", "%s has more servers than are kept", s.placeName(p))
			continue
		}
		read := settingsOf[v.Name]
		if dataServers[v.Name] != nil {
			read = func(s *Scan, p *process) (m map[string]snapshot.Fact) {
				m, v.Ports = s.dataSettings(p, v.Name)
				return m
			}
		}
		if read != nil && p.setID {
			v.Settings = unreadSettings(errNotItsArgs, "read")
		} else if party, start := s.party(p), time.Now(); read != nil && ctx.Err() == nil && clock.has(party) {
			v.Settings = read(s, p)
			clock.charge(party, start)
		} else if read != nil {
			v.Settings = unreadSettings(errNoTime, "read")
		}
		snap.Management.Servers = append(snap.Management.Servers, displaysOf(v, p)...)
	}
	snap.Management.Servers = append(snap.Management.Servers, s.managedSockets(out)...)
	snap.Management.Servers = append(snap.Management.Servers, s.kernelsNFS(out)...)
	slices.SortStableFunc(snap.Management.Servers, func(a, b snapshot.ManagedServer) int { return a.PID - b.PID })
	return out
}

// managedSockets are the servers of the host that systemd starts when somebody connects: their socket units say where that is.
func (s *Scan) managedSockets(out *Outcome) (list []snapshot.ManagedServer) {
	for _, unit := range s.socketUnits(out) {
		lines, why := s.unitLines(unit)
		if why != "" {
			continue
		}
		listen := listOfKey(lines, "[Socket]", "ListenStream")
		argv, _ := s.startsWith(socketService(unit, lines))
		if len(argv) == 0 || len(listen) == 0 {
			continue
		}
		program := path.Base(strings.TrimLeft(argv[0], "-@:+!"))
		if m, ok := managers[program]; ok && len(list) < maxManaged {
			list = append(list, snapshot.ManagedServer{
				Name: m.name, Role: m.role, Unit: unit, Word: snapshot.Word{By: snapshot.ByRoot}, Listen: listen, Evidence: unit + " starts the program " + program,
			})
		}
	}
	return list
}

// works says of a process that it is a worker of its parent: the same program, or a script of the same server. Another script of the same
// interpreter is a server of its own.
func works(p, parent *process) bool {
	if parent == nil || parent.Exe != p.Exe {
		return false
	}
	if own, ok := managed(p); ok && slices.Contains([]string{"Salt", "Squid", "Syncthing", "HAProxy"}, own.Name) { // its workers have its sockets
		return false
	}
	if _, named := managers[p.exeBase()]; named {
		return true
	}
	own, _ := managed(p)
	above, ok := managed(parent)
	return ok && above.Name == own.Name
}

// errNotItsArgs is of a program that runs as somebody else than who started it: its arguments are the starter's.
var errNotItsArgs = errors.New("it runs as somebody else than who started it, and its arguments are not read")

// otherwise says of a program that it was started for another of its ends: a debugger on a terminal, a client, a check of a file.
func otherwise(exe string, argv []string) bool {
	switch exe {
	case "dlv":
		return !hasFlag(argv, "--headless") && !slices.Contains(argv, "dap")
	case "socat", "socat1", "ncat", "nc.traditional", "nc", "netcat":
		return !onlyShell(netcatStarts(exe, argv))
	case "kubectl":
		return !slices.Contains(argv, "proxy") && !slices.Contains(argv, "port-forward")
	case "nomad", "consul":
		return !slices.Contains(argv, "agent")
	case "vault", "bao":
		return len(argv) < 2 || !slices.Contains([]string{"server", "agent", "proxy"}, argv[1])
	case "docker-registry", "registry":
		return !slices.Contains(argv, "serve")
	case "rsync":
		return !slices.Contains(argv, "--daemon")
	case "beam.smp":
		return !slices.Contains(argv, "rabbit") && !slices.Contains(argv, "couch")
	case "redis-check-rdb", "valkey-check-rdb":
		name, _, _ := strings.Cut(strings.Join(argv, " "), " ")
		return !strings.HasSuffix(name, "-server")
	}
	return false
}

// managed says whether a process is a program that manages: by the file that runs, or the script of an interpreter.
func managed(p *process) (snapshot.ManagedServer, bool) {
	v := snapshot.ManagedServer{PID: p.PID, Unit: p.Unit, Container: p.Container, Word: p.ExeWord}
	exe := p.exeBase()
	for _, name := range []string{"kubectl.", "php-fpm"} { // a program of its own for each version
		if strings.HasPrefix(exe, name) {
			exe = strings.TrimSuffix(name, ".")
		}
	}
	if m, ok := managers[exe]; ok {
		v.Name, v.Role, v.Evidence = m.name, m.role, "it runs the program "+exe
		return v, !otherwise(exe, p.argv)
	}
	if exe == "java" {
		main := mainClass(p.argv)
		if name := mainClasses[main]; name != "" {
			v.Name, v.Role, v.Evidence = name, snapshot.RoleData, "java runs "+main
		}
		return v, v.Name != ""
	}
	perl := exe == "perl" || strings.HasPrefix(exe, "perl5")
	if !perl && !interpreters.MatchString(exe) {
		return v, false
	}
	script, _, _ := strings.Cut(p.command(), " ")
	if perl {
		script = ""
		if run := afterOptions(p.argv[min(1, len(p.argv)):], nil, "-e", "-E"); len(run) > 0 {
			script = run[0]
		}
	}
	if m, ok := managers[path.Base(script)]; ok && script != "" {
		v.Name, v.Role, v.Evidence = m.name, m.role, exe+" runs "+path.Base(script)
		return v, true
	}
	return v, false
}
