//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// guestPort is ports of the host, from one to another, from which a user-mode network passes connections on to those of a guest, from a first one on.
type guestPort struct {
	proto              string
	addr               netip.Addr // not valid: any
	first, last, leads int
}

// maxGuestPorts bounds the ranges of one program that are kept.
const maxGuestPorts = 1024

// forwarder says of a program that it has a network of user mode for a guest, and passes connections on to it by what its options say.
func forwarder(name string) bool {
	return emulators.MatchString(name) || slices.Contains([]string{"passt", "passt.avx2", "pasta", "pasta.avx2", "gvproxy"}, name)
}

// guestPorts are the ports that the user-mode network of a process passes on. Whole says that all were read.
func guestPorts(p *process) (list []guestPort, whole bool) {
	name := p.exeBase()
	switch {
	case !forwarder(name):
		return nil, true
	case p.setID || p.cut:
		return nil, false
	case emulators.MatchString(name):
		list, whole = qemuForwards(p.argv)
	case name == "gvproxy": // the machine of Podman: its SSH server (gvproxy, -ssh-port)
		port := flagValue(p.argv, "ssh-port")
		if port == "" {
			port = "2222"
		}
		list, whole = appendForward(nil, "tcp", "", port, "22"), true
	default:
		list, whole = passtForwards(p.argv), true
	}
	if len(list) > maxGuestPorts {
		return list[:maxGuestPorts], false
	}
	return list, whole
}

// qemuForwards are the hostfwd of QEMU: those of -netdev, -nic and -net, in options or in JSON, as libvirt writes it. A file of options is not read.
func qemuForwards(argv []string) (list []guestPort, whole bool) {
	whole = true
	for _, o := range qemuOptions(argv) {
		switch o[0] {
		case "readconfig":
			whole = false
			continue
		case "netdev", "nic", "net":
		default:
			continue
		}
		for _, f := range hostForwards(o[1]) {
			list = append(list, qemuForward(f)...)
		}
	}
	return list, whole
}

// hostForwards are the values of hostfwd of one option. A comma within a value is written twice.
func hostForwards(option string) (list []string) {
	if strings.HasPrefix(option, "{") {
		var v struct {
			Type    string `json:"type"`
			HostFwd []struct {
				Str string `json:"str"`
			} `json:"hostfwd"`
		}
		if json.Unmarshal([]byte(option), &v) == nil && v.Type == "user" {
			for _, f := range v.HostFwd {
				list = append(list, f.Str)
			}
		}
		return list
	}
	fields := strings.Split(strings.ReplaceAll(option, ",,", "\x00"), ",")
	if fields[0] != "user" && !slices.Contains(fields, "type=user") {
		return nil
	}
	for _, f := range fields {
		if v, ok := strings.CutPrefix(f, "hostfwd="); ok {
			list = append(list, strings.ReplaceAll(v, "\x00", ","))
		}
	}
	return list
}

// qemuForward reads [tcp|udp|unix]:[HOST:]PORT-[GUEST]:PORT (qemu(1), hostfwd). One of a socket file is no port of the host.
func qemuForward(s string) []guestPort {
	proto, rest, ok := strings.Cut(s, ":")
	if proto == "" {
		proto = "tcp"
	}
	end := strings.LastIndex(rest, "-")
	if !ok || end < 0 || proto != "tcp" && proto != "udp" {
		return nil
	}
	at, guest := rest[:end], rest[end+1:]
	colon, leads := strings.LastIndex(at, ":"), strings.LastIndex(guest, ":")
	if colon < 0 || leads < 0 {
		return nil
	}
	return appendForward(nil, proto, strings.Trim(at[:colon], "[]"), at[colon+1:], guest[leads+1:])
}

// passtForwards are the ports of -t and -u of passt and pasta: "[ADDR[%IFACE]/]PORTS[:PORTS],…" (passt(1)). What is passed on by itself, as
// with "all" and "auto", has the same port behind it.
func passtForwards(argv []string) (list []guestPort) {
	for i := 1; i < len(argv) && argv[i] != "--"; i++ { // then comes what pasta runs
		proto, spec := passtOption(argv, i)
		if proto == "" {
			continue
		}
		addr, ports := "", spec
		if a, rest, ok := strings.Cut(spec, "/"); ok {
			addr, ports = a, rest
		}
		addr, _, _ = strings.Cut(addr, "%")
		parts := strings.Split(ports, ",")
		for _, part := range parts {
			host, guest, other := strings.Cut(part, ":")
			switch {
			case strings.HasPrefix(part, "%"), strings.HasPrefix(part, "~"), part == "", part == "none":
			case part == "all", part == "auto":
				list = appendForward(list, proto, addr, "1-65535", "1")
			case other:
				list = appendForward(list, proto, addr, host, guest)
			default:
				list = appendForward(list, proto, addr, host, host)
			}
		}
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.HasPrefix(part, "~") }) { // all but these
			list = appendForward(list, proto, addr, "1-65535", "1")
		}
	}
	return list
}

// passtOption is the protocol and the value of an option at a place of the arguments, if it is one of ports.
func passtOption(argv []string, i int) (proto, spec string) {
	for _, o := range []struct{ proto, short, long string }{{"tcp", "-t", "--tcp-ports"}, {"udp", "-u", "--udp-ports"}} {
		arg := argv[i]
		if v, ok := strings.CutPrefix(arg, o.long+"="); ok {
			return o.proto, v
		}
		if (arg == o.long || arg == o.short) && i+1 < len(argv) {
			return o.proto, argv[i+1]
		}
		if v, ok := strings.CutPrefix(arg, o.short); ok && v != "" && !strings.HasPrefix(arg, "--") {
			return o.proto, v
		}
	}
	return "", ""
}

// appendForward adds ports or a range of them, as text; what is none is left out.
func appendForward(list []guestPort, proto, addr, host, guest string) []guestPort {
	first, last, ranged := strings.Cut(host, "-")
	begin, _, _ := strings.Cut(guest, "-")
	f := guestPort{proto: proto, first: portNumber(first), leads: portNumber(begin)}
	f.last = f.first
	if ranged {
		f.last = portNumber(last)
	}
	if addr != "" {
		a, err := netip.ParseAddr(addr)
		if err == nil && !a.IsUnspecified() {
			f.addr = a.Unmap()
		}
	}
	if f.first == 0 || f.leads == 0 || f.last < f.first {
		return list
	}
	return append(list, f)
}

// portNumber is a number from 1 to 65535, 0 of another text.
func portNumber(s string) int {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// guestPortOf is the port of a guest that a socket leads to, 0 for none. An entry for its address counts before one for every address.
func guestPortOf(list []guestPort, sk *snapshot.Socket) int {
	found := 0
	at, _ := netip.ParseAddr(sk.Addr)
	for _, f := range list {
		if f.proto != sk.Proto || sk.Port < f.first || sk.Port > f.last || f.addr.IsValid() && f.addr != at.Unmap() {
			continue
		}
		n := f.leads + sk.Port - f.first
		if n > 0xffff {
			continue
		}
		if f.addr.IsValid() {
			return n
		}
		if found == 0 {
			found = n
		}
	}
	return found
}

// leadToGuests notes of sockets to which port of a guest their owners pass connections on. What a user's own program does not tell leaves nothing open
// about the host.
func leadToGuests(sec *snapshot.Listeners, procs []*process, out *Outcome) {
	by, emulated := map[int][]guestPort{}, map[int]*process{}
	for _, p := range procs {
		list, whole := guestPorts(p)
		if len(list) > 0 {
			by[p.PID] = list
		}
		if emulators.MatchString(p.exeBase()) && p.ExeWord.Trusted() && p.UID == 0 && userNetwork(p.argv) {
			emulated[p.PID] = p
		}
		if !whole && p.ExeWord.Trusted() && p.UID == 0 {
			out.partialIn("ip", "to which ports of its guest %s passes connections on is in a file or in arguments that are not read", p.exeBase())
		}
	}
	for i := range sec.Sockets {
		for _, o := range sec.Sockets[i].Owners {
			sk := &sec.Sockets[i]
			if n := guestPortOf(by[o.PID], sk); n != 0 {
				sk.GuestPort = n
			} else if p := emulated[o.PID]; p != nil && sk.Proto == "tcp" && !tellsPort(p, sk.Port) { // those of UDP may be what the guest itself sends from
				out.partialIn("ip", "no option of %s names its port %d: its monitor may have had it pass connections on to a guest (hostfwd_add), to which port is not seen", p.exeBase(), sk.Port)
			}
		}
	}
}

// userNetwork says of the options of QEMU that its guest has a network of user mode, which it has without any (qemu(1), -nic).
func userNetwork(argv []string) bool {
	named := false
	for _, o := range qemuOptions(argv) {
		switch o[0] {
		case "nodefaults":
			named = true
		case "netdev", "nic", "net":
			named = true
			var v struct {
				Type string `json:"type"`
			}
			if o[1] == "user" || strings.HasPrefix(o[1], "user,") || qemuValue(o[1], "type") == "user" || json.Unmarshal([]byte(o[1]), &v) == nil && v.Type == "user" {
				return true
			}
		}
	}
	return !named
}

// tellsPort says whether an option of QEMU has a port for something.
func tellsPort(p *process, port int) bool {
	servers, _ := qemuServers(p)
	if slices.ContainsFunc(servers, func(s snapshot.ManagedServer) bool { return slices.Contains(s.Ports, port) }) {
		return true
	}
	text := strconv.Itoa(port)
	return slices.ContainsFunc(p.argv, func(arg string) bool {
		return slices.Contains(strings.FieldsFunc(arg, func(r rune) bool { return r < '0' || r > '9' }), text)
	})
}
