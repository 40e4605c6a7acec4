//go:build linux && !ringfence_portable

package checks

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// relayPrograms are programs that pass connections from ports of the host on into network namespaces of containers: Docker's proxy, the
// port drivers of RootlessKit and of Podman, and the user-mode networks slirp4netns and passt (their man pages).
var relayPrograms = map[string]bool{
	"docker-proxy": true, "rootlesskit-docker-proxy": true, "rootlesskit": true, "rootlessport": true,
	"slirp4netns": true, "pasta": true, "pasta.avx2": true, "passt": true, "passt.avx2": true, "gvproxy": true, "vpnkit": true,
}

// relayOf says where a process passes connections on, if it is such a program. Docker's proxy has that in its arguments
// (cmd/docker-proxy of moby), the others are told it in other ways.
func relayOf(p *process) *snapshot.Relay {
	name := p.exeBase()
	if !relayPrograms[name] {
		return nil
	}
	r := &snapshot.Relay{Program: name}
	if name != "docker-proxy" || p.setID || p.cut {
		return r
	}
	addr, err := netip.ParseAddr(flagValue(p.argv, "container-ip"))
	port, perr := strconv.ParseUint(flagValue(p.argv, "container-port"), 10, 16)
	if err == nil && perr == nil && port > 0 {
		r.Addr, r.Port = addr.Unmap().WithZone("").String(), int(port)
	}
	return r
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
