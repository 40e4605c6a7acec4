//go:build linux && !ringfence_portable

package checks

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// runtimeSockets are the socket units of runtimes, as their packages have them.
var runtimeSockets = []string{"docker.socket", "podman.socket"}

// heldAPIs are the interfaces on TCP that systemd holds for a runtime which it starts when somebody connects: until then nobody else has them.
func (s *Scan) heldAPIs(out *Outcome) (list []snapshot.DaemonTLS) {
	units := slices.Clone(runtimeSockets)
	for _, u := range s.socketUnits(new(Outcome)) {
		if !slices.Contains(units, u) {
			units = append(units, u)
		}
	}
	for _, unit := range units {
		lines, why := s.unitLines(unit)
		if why != "" && why != unitAbsent && why != unitMasked && slices.Contains(runtimeSockets, unit) {
			out.partial("whether systemd holds a port for a runtime was not seen: %s: %s", unit, why)
		}
		if why != "" {
			continue
		}
		argv, _ := s.startsWith(socketService(unit, lines))
		if len(argv) == 0 {
			continue
		}
		program := path.Base(strings.TrimLeft(argv[0], "-@:+!"))
		if program != "dockerd" && program != "podman" {
			continue
		}
		t := snapshot.DaemonTLS{PID: 1, Source: unit, Word: snapshot.Word{By: snapshot.ByRoot}, APIRead: new(present("true"))}
		for _, v := range listOfKey(lines, "[Socket]", "ListenStream") {
			if at, ok := heldAddress(v); ok {
				t.API = append(t.API, at)
			}
		}
		if len(t.API) == 0 {
			continue
		}
		t.Verify = present("%t", hasFlag(argv, "--tls-client-ca"))
		if program == "dockerd" {
			t.Verify = s.heldDocker(argv)
		}
		list = append(list, t)
	}
	return list
}

// heldAddress is an address of a socket unit, if it is one of TCP.
func heldAddress(v string) (string, bool) {
	if _, err := strconv.ParseUint(v, 10, 16); err == nil {
		return ":" + v, true
	}
	if strings.HasPrefix(v, "/") || strings.HasPrefix(v, "@") || strings.HasPrefix(v, "vsock:") {
		return "", false
	}
	at, ok := tcpAddress("tcp://"+v, 0)
	return at, ok && !strings.HasSuffix(at, ":0")
}

// heldDocker says whether a dockerd that is started so would ask for client certificates.
func (s *Scan) heldDocker(argv []string) snapshot.Fact {
	file := "/etc/docker/daemon.json"
	if v := argument(argv, "--config-file"); v != "" {
		file = v
	}
	b, err := s.Host.ReadFile(file)
	var cfg dockerFile
	if err == nil && json.Unmarshal(b, &cfg) != nil {
		err = errMalformed
	}
	verify, why := cfg.verify(argv)
	switch {
	case verify == "true":
	case err != nil && !gone(err):
		return toFact("", err)
	case verify == "":
		return snapshot.Fact{State: snapshot.Error, Reason: why}
	}
	return present("%s", verify)
}
