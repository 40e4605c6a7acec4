//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
)

// superServers listen for other programs and start them when somebody connects, by their files.
var superServers = map[string]string{"inetd": "/etc/inetd.conf", "inetutils-inetd": "/etc/inetd.conf", "xinetd": "/etc/xinetd.conf"}

// Bounds of the files that a configuration includes, and of services.
const (
	maxIncluded = 256
	maxServices = 1024
)

// service is one that a super server starts.
type service struct {
	name   string   // of services(5), or a port
	addrs  []string // that it listens at; none is all of them
	argv   []string // of the program that it starts, which is the first
	stream bool
}

// superServer is the kind of a process that is one, and its file; "" of another.
func superServer(p *process) (kind, file string) {
	kind = p.exeBase()
	if kind == "busybox" && len(p.argv) > 0 && path.Base(p.argv[0]) == "inetd" {
		kind = "inetd"
	}
	if superServers[kind] == "" || p.setID {
		return "", ""
	}
	file = superServers[kind]
	if kind == "xinetd" {
		if v := argument(p.argv, "-f"); v != "" {
			file = v
		}
		return kind, file
	}
	for _, a := range p.argv[min(1, len(p.argv)):] {
		if path.IsAbs(a) {
			file = a
		}
	}
	return "inetd", file
}

// sshOfSuperServers are the SSH servers that inetd, xinetd and their like start. They read their files again when they are told to: a file that was
// changed since is not known to be in force.
func (s *Scan) sshOfSuperServers(procs []*process, out *Outcome) []sshSocket {
	var list []sshSocket
	byPID := map[int]*process{}
	for _, p := range procs {
		byPID[p.PID] = p
	}
	for _, p := range procs {
		kind, services, err := s.servedBy(p, byPID[p.PPID])
		if err != nil && s.serverWord(p).Trusted() {
			out.partialIn("servers", "what %s starts: %v", kind, err)
		}
		for _, v := range services {
			sock := sshSocket{unit: p.Unit, kind: serverPrograms[path.Base(v.argv[0])], argv: v.argv, holder: p}
			if sock.kind == "" || !v.stream {
				continue
			}
			sock.command = sshdCommand{config: sock.kind + commandLine}
			if sock.kind == "openssh" {
				sock.command = sshdArguments(v.argv, p.cut).by(v.argv[0])
			}
			var why string
			if sock.listen, why = s.serviceAddresses(p, &v); why != "" {
				out.partialIn("servers", "where %s listens for %s: %s", kind, v.name, why)
			}
			if err != nil {
				sock.command.why = err.Error()
			}
			list = append(list, sock)
		}
	}
	return list
}

// servedBy are the services that a process listens for, by a file or by its arguments; with an error it can be that some are not among them.
func (s *Scan) servedBy(p, parent *process) (kind string, services []service, err error) {
	if kind, v, ok := tcpService(p, parent); ok {
		return kind, []service{v}, nil
	}
	kind, file := superServer(p)
	if kind == "" || p.Leader != 0 {
		return "", nil, nil
	}
	services, err = s.servicesOf(p, kind, file)
	return kind, services, err
}

// servicesOf reads the file of a super server. With an error it can be that some services are not among them.
func (s *Scan) servicesOf(p *process, kind, file string) ([]service, error) {
	b, err := s.readAtStart(p, file)
	if len(b) == 0 {
		if err == nil || gone(err) {
			return nil, nil
		}
		return nil, err
	}
	if kind == "inetd" {
		list := inetdServices(string(b))
		names, _ := s.globIn(p, "/etc/inetd.d/*") // of inetutils
		for _, name := range names {
			if more, merr := s.readAtStart(p, name); len(more) > 0 {
				list = append(list, inetdServices(string(more))...)
				err = orError(err, merr)
			}
		}
		return list[:min(len(list), maxServices)], err
	}
	x := &xinetdFile{read: func(name string) (string, error) {
		b, rerr := s.readAtStart(p, name)
		err = orError(err, rerr)
		return string(b), rerr
	}, list: func(dir string) []string {
		names, _ := s.globIn(p, dir+"/*")
		return names
	}}
	x.parse(string(b), 0)
	if x.cut {
		err = orError(err, fmt.Errorf("%s includes more than is read", file))
	}
	return x.services, err
}

func orError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// serviceAddresses are the addresses of a service, as a socket unit would have them.
func (s *Scan) serviceAddresses(p *process, v *service) (list []string, why string) {
	port := v.name
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		b, _, err := s.readNamed(p, "/etc/services")
		if err != nil && port == "ssh" {
			b = []byte("ssh 22/tcp") // as IANA has it
		}
		if port = portOf(string(b), v.name); port == "" {
			return nil, "it is no service that is known"
		}
	}
	for _, a := range v.addrs {
		addr, err := netip.ParseAddr(strings.Trim(a, "[]"))
		if err != nil {
			return []string{port}, "its address is a name"
		}
		list = append(list, netip.AddrPortFrom(addr, uint16(atoi(port))).String())
	}
	if len(list) == 0 {
		list = []string{port}
	}
	return list, ""
}

// portOf is the port of TCP that services(5) gives a name, or an alias.
func portOf(services, name string) string {
	for line := range strings.Lines(services) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 || !slices.Contains(append(f[2:], f[0]), name) {
			continue
		}
		if port, ok := strings.CutSuffix(f[1], "/tcp"); ok {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
				return port
			}
		}
	}
	return ""
}

// inetdServices reads inetd.conf(5): address:service, type, protocol, wait, user, program and its arguments, the name of the program first. An
// address alone with its colon is for the lines after it.
func inetdServices(text string) (list []service) {
	var all []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0][0] == '#' || len(list) >= maxServices {
			continue
		}
		addrs, name := all, f[0]
		if i := strings.LastIndexByte(name, ':'); i >= 0 {
			addrs, name = addressesOf(name[:i]), name[i+1:]
			if name == "" {
				all = addrs
			}
		}
		if len(f) < 7 || !strings.HasPrefix(f[2], "tcp") {
			continue
		}
		argv := append([]string{f[5]}, f[7:]...)
		if path.Base(f[5]) == "tcpd" { // it runs what the next word names
			argv = f[6:]
			argv[0] = pathOfProgram(argv[0])
		}
		list = append(list, service{name, addrs, argv, f[1] == "stream"})
	}
	return list
}

// pathOfProgram is where tcpd looks for a program that is named without its directory (tcpd(8)).
func pathOfProgram(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return "/usr/sbin/" + name
}

func addressesOf(text string) (list []string) {
	for a := range strings.SplitSeq(text, ",") {
		if a != "*" && a != "" {
			list = append(list, a)
		}
	}
	return list
}

// xinetdFile reads xinetd.conf(5).
type xinetdFile struct {
	read     func(string) (string, error)
	list     func(string) []string
	bind     []string // of defaults
	off, on  []string // services that defaults disables, or has alone
	services []service
	files    int
	cut      bool
}

func (x *xinetdFile) parse(text string, depth int) {
	block, attrs := "", map[string][]string(nil)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0][0] == '#':
		case attrs == nil && len(f) == 2 && (f[0] == "include" || f[0] == "includedir"):
			x.include(f[0], f[1], depth)
		case attrs == nil && (f[0] == "service" && len(f) > 1 || f[0] == "defaults"):
			block, attrs = f[len(f)-1], map[string][]string{}
			if f[0] == "service" {
				block = f[1]
			}
		case f[0] == "{":
		case f[0] == "}":
			x.end(block, attrs)
			block, attrs = "", nil
		case attrs != nil && len(f) >= 2:
			name, value := f[0], f[2:]
			if f[1] == "+=" {
				value = append(attrs[name], value...)
			}
			attrs[name] = value
		}
	}
}

func (x *xinetdFile) include(how, name string, depth int) {
	names := []string{name}
	if how == "includedir" {
		names = x.list(name)
	}
	for _, n := range names {
		base := path.Base(n)
		if how == "includedir" && (strings.Contains(base, ".") || strings.HasSuffix(base, "~")) {
			continue
		}
		if x.files++; x.files > maxIncluded || depth > 8 {
			x.cut = true
			return
		}
		if text, err := x.read(n); err == nil || text != "" {
			x.parse(text, depth+1)
		}
	}
}

// end takes a block of attributes.
func (x *xinetdFile) end(block string, attrs map[string][]string) {
	one := func(name string) string { return strings.Join(attrs[name], " ") }
	bind := append(slices.Clone(attrs["bind"]), attrs["interface"]...)
	if block == "defaults" {
		x.bind, x.off, x.on = bind, attrs["disabled"], attrs["enabled"]
		return
	}
	id := block
	if v := one("id"); v != "" {
		id = v
	}
	server := one("server")
	if server == "" || one("disable") == "yes" || slices.Contains(x.off, id) || x.on != nil && !slices.Contains(x.on, id) || len(x.services) >= maxServices {
		return
	}
	argv := append([]string{server}, attrs["server_args"]...)
	if slices.Contains(attrs["flags"], "NAMEINARGS") && len(argv) > 1 {
		argv = slices.Delete(argv, 1, 2)
	}
	name := block
	if v := one("port"); v != "" {
		name = v
	}
	if len(bind) == 0 {
		bind = x.bind
	}
	x.services = append(x.services, service{name, bind, argv, one("socket_type") != "dgram"})
}
