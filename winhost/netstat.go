package winhost

import (
	"encoding/json"
	"net/netip"
	"strings"

	"github.com/ringfence/ringfence/registry"
)

// netstatLine is a socket in a text of netstat: its words but the state are the same in every language of Windows.
type netstatLine struct {
	proto, addr, port string
	listens           bool
	pid               string
}

// netstatOf reads a line of netstat -ano, or tells that it is none.
func netstatOf(line string) (l netstatLine, ok bool) {
	f := strings.Fields(line)
	if len(f) < 3 || f[0] != "TCP" && f[0] != "UDP" {
		return l, false
	}
	l.proto = f[0]
	if l.addr, l.port, ok = endpoint(f[1]); !ok {
		return l, false
	}
	rest := f[3:]
	if l.proto == "UDP" {
		l.listens = true
	} else {
		l.listens = f[2] == "0.0.0.0:0" || f[2] == "[::]:0" // who listens has nobody at the other end
		if len(rest) > 0 && !digits(rest[0]) {
			l.listens = l.listens && rest[0] != "BOUND" // of netstat -q
			rest = rest[1:]
		}
	}
	if len(rest) > 0 && digits(rest[0]) {
		l.pid = rest[0]
	}
	return l, true
}

// endpoint is an address and a port, both in digits.
func endpoint(s string) (addr, port string, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || !digits(s[i+1:]) {
		return "", "", false
	}
	addr = strings.TrimSuffix(strings.TrimPrefix(s[:i], "["), "]")
	_, err := netip.ParseAddr(addr)
	return addr, s[i+1:], err == nil
}

func digits(s string) bool { return s != "" && len(s) < 10 && strings.Trim(s, "0123456789") == "" }

// netstat keeps the sockets of a text of netstat -ano, with -b also the programs. A text without listening sockets was made without -a, and tells of none.
func (s *Source) netstat(b []byte) error {
	if len(b) > maxShellText {
		return registry.ErrTooMuch
	}
	text, err := registry.Decode(b)
	if err != nil {
		return err
	}
	var tcp, udp []object
	six := false
	var last object // that a line with a program is about
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok && strings.HasSuffix(name, "]") && last != nil {
			last["processname"] = strings.TrimSuffix(name, "]")
			last = nil
			continue
		}
		l, ok := netstatOf(line)
		if !ok {
			continue
		}
		six = six || l.proto == "TCP" && strings.Contains(l.addr, ":")
		if last = nil; !l.listens {
			continue
		}
		o := object{"localaddress": l.addr, "localport": json.Number(l.port)}
		if l.pid != "" {
			o["owningprocess"] = json.Number(l.pid)
		}
		if last = o; l.proto == "TCP" {
			o["state"] = json.Number("2")
			tcp = append(tcp, o)
		} else {
			udp = append(udp, o)
		}
	}
	if len(tcp)+len(udp) > maxShellObjects {
		return registry.ErrTooMuch
	}
	if len(tcp) == 0 {
		return errNotKnown
	}
	if _, told := s.Shell.of(shellNetstatTCP); told {
		return errTwice
	}
	if !six {
		s.note("listeners", "a text of netstat has no sockets of IPv6: it may have been asked for some sockets alone")
	}
	if len(udp) == 0 {
		s.note("listeners", "a text of netstat has no sockets of UDP: it may have been asked for some sockets alone")
	}
	if s.Shell.objects == nil {
		s.Shell.objects = map[shellKind][]object{}
	}
	s.Shell.objects[shellNetstatTCP], s.Shell.objects[shellNetstatUDP] = tcp, udp
	return nil
}
