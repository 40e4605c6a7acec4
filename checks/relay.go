//go:build linux && !ringfence_portable

package checks

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// relayPrograms are programs that pass connections from ports of the host on into network namespaces of containers: Docker's proxy, the
// port drivers of RootlessKit and of Podman, the user-mode networks slirp4netns and passt, and the proxy of systemd, which often joins the
// namespace of a service without a network (their man pages).
var relayPrograms = map[string]bool{
	"docker-proxy": true, "rootlesskit-docker-proxy": true, "rootlesskit": true, "rootlessport": true,
	"systemd-socket-proxyd": true, "slirp4netns": true, "pasta": true, "pasta.avx2": true, "passt": true, "passt.avx2": true, "gvproxy": true, "vpnkit": true,
}

// relayOf says where a process passes connections on, if it is such a program. Docker's proxy has that in its arguments
// (cmd/docker-proxy of moby) and so has systemd's, the others are told it in other ways.
func (s *Scan) relayOf(p *process) *snapshot.Relay {
	name := p.exeBase()
	if leads := proxyPrograms[name]; leads != nil && p.Leader == 0 {
		return leads(s, p)
	}
	if !relayPrograms[name] {
		return nil
	}
	r := &snapshot.Relay{Program: name}
	if p.setID || p.cut {
		return r
	}
	switch name {
	case "docker-proxy":
		setEnds(r, net.JoinHostPort(flagValue(p.argv, "container-ip"), flagValue(p.argv, "container-port")))
	case "systemd-socket-proxyd":
		setEnds(r, proxied(p.argv))
	}
	return r
}

// setEnds notes places as HOST:PORT that a relay leads to: those of other hosts, and names that are not localhost, are left out.
func setEnds(r *snapshot.Relay, places ...string) {
	for _, place := range places {
		host, service, err := net.SplitHostPort(place)
		n, perr := net.LookupPort("tcp", service)
		if err != nil || perr != nil || n == 0 {
			continue
		}
		hosts := []string{host}
		if host == "localhost" {
			hosts = []string{"127.0.0.1", "::1"}
		}
		for _, h := range hosts {
			at, err := netip.ParseAddr(h)
			if err != nil {
				continue
			}
			end := snapshot.RelayEnd{Addr: at.Unmap().WithZone("").String(), Port: n}
			switch {
			case r.Addr == "":
				r.Addr, r.Port = end.Addr, end.Port
			case !slices.Contains(r.Ends(), end) && len(r.Also) < maxRelayEnds:
				r.Also = append(r.Also, end)
			}
		}
	}
}

// maxRelayEnds bounds the places that are noted of one program.
const maxRelayEnds = 64

// from is a relay as one of the sockets of its program has it, by the network namespaces of both.
func from(r *snapshot.Relay, program, socket uint64) *snapshot.Relay {
	if program == 0 || program == socket {
		return r
	}
	of := *r
	of.Netns = program
	return &of
}

// proxied is where systemd-socket-proxyd leads: HOST, HOST:PORT or the path of a socket, after its options (socket-proxyd.c).
func proxied(argv []string) string {
	for i := 1; i < len(argv); i++ {
		switch arg := argv[i]; {
		case arg == "-c" || arg == "--connections-max" || arg == "--exit-idle-time":
			i++
		case arg == "--" || !strings.HasPrefix(arg, "-"):
			if arg == "--" && i+1 < len(argv) {
				arg = argv[i+1]
			}
			if n := strings.LastIndexByte(arg, ':'); n >= 0 {
				return net.JoinHostPort(strings.Trim(arg[:n], "[]"), arg[n+1:])
			}
			return net.JoinHostPort(arg, "80")
		}
	}
	return ""
}

// flagValue is the value of a flag as package flag of Go reads it: -name value, --name value, -name=value. The last one counts.
func flagValue(argv []string, name string) string {
	value := ""
	for i := 1; i < len(argv); i++ {
		flag := strings.TrimPrefix(strings.TrimPrefix(argv[i], "-"), "-")
		if flag == argv[i] {
			continue
		}
		if n, v, ok := strings.Cut(flag, "="); ok && n == name {
			value = v
		} else if flag == name && i+1 < len(argv) {
			i++
			value = argv[i]
		}
	}
	return value
}
