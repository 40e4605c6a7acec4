//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/snapshot"
)

// zooSockets opens one socket of each kind that is easily overlooked, and two that share a port.
const zooSockets = `
import socket, time
keep = []
a = socket.socket(socket.AF_UNIX); a.bind("\0rf-zoo"); a.listen(1); keep.append(a)
p = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); keep.append(p)
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); keep.append(r)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); u.setsockopt(41, 26, 1); u.bind(("::", 7007)); keep.append(u)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.bind(("127.0.0.1", 7008)); c.connect(("127.0.0.1", 9)); keep.append(c)
for i in range(3):
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); s.bind(("0.0.0.0", 7009)); s.listen(1); keep.append(s)
print("ready", flush=True)
time.sleep(1000)
`

// ready starts a program on the host of the bed, and returns when it has written something.
func (b *testbed) ready(args ...string) (pid int) {
	b.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + b.name + "host", "--"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 8)); err != nil {
		b.t.Fatalf("%q: %v", args, err)
	}
	return cmd.Process.Pid
}

// TestProcessZoo looks for processes with particular powers and for sockets of every kind.
func TestProcessZoo(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	b := newBed(t)
	bed.Need(t, "setpriv", "python3", "ipcmk")
	user := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	start := func(args ...string) int {
		cmd := b.start("/", append(args, "sleep", "1000")...)
		b.executes(cmd, func(exe string) bool { return exe == "sleep" })
		return cmd.Process.Pid
	}
	pids := map[string]int{
		"ambient":  start(append(user, "--inh-caps=+net_admin", "--ambient-caps=+net_admin")...),
		"nnp":      start(append(user, "--no-new-privs")...),
		"bounding": start(append(user, "--bounding-set=-all")...),
		"userns":   start("unshare", "-Ur"),
		"sockets":  b.ready("python3", "-c", zooSockets),
	}
	shm := strings.Fields(bed.Shell(t, "ipcmk -M 4096 -p 0666"))
	id := shm[len(shm)-1]
	t.Cleanup(func() { _ = exec.Command("ipcrm", "-m", id).Run() })
	var out bytes.Buffer
	cmd := exec.Command("nsenter", "--net=/run/netns/"+b.name+"host", bed.Program(t), "collect")
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	var s snapshot.Snapshot
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	byPID := map[int]snapshot.Process{}
	for _, p := range s.Processes.List {
		byPID[p.PID] = p
	}
	if p := byPID[pids["ambient"]]; p.CapAmb != "0000000000001000" || p.CapEff != p.CapAmb || p.UID != 65534 {
		t.Errorf("ambient set: %+v", p)
	}
	if p := byPID[pids["nnp"]]; !p.NoNewPrivs || strings.Trim(p.CapEff, "0") != "" {
		t.Errorf("no_new_privs: %+v", p)
	}
	if p := byPID[pids["bounding"]]; strings.Trim(p.CapBnd, "0") != "" {
		t.Errorf("empty bounding set: %+v", p)
	}
	if p := byPID[pids["userns"]]; p.NS.User == s.Host.Self.NS.User || p.CapEff != "000001ffffffffff" || p.NetOwner == p.NS.User {
		t.Errorf("user namespace: %+v", p)
	}
	var kinds []string
	for _, sk := range s.Listeners.Sockets {
		if slices.ContainsFunc(sk.Owners, func(o snapshot.Owner) bool { return o.PID == pids["sockets"] }) {
			kinds = append(kinds, fmt.Sprintf("%s %s %d %s v6only=%v", sk.Proto, sk.Addr, sk.Port, sk.Path, sk.V6Only))
		}
	}
	for want, n := range map[string]int{
		"unix  0 @rf-zoo v6only=false": 1, "packet  3  v6only=false": 1, "raw 0.0.0.0 1  v6only=false": 1,
		"udp :: 7007  v6only=true": 1, "tcp 0.0.0.0 7009  v6only=false": 3,
	} {
		got := 0
		for _, k := range kinds {
			if k == want {
				got++
			}
		}
		if got != n {
			t.Errorf("%d sockets %q, want %d (%q)", got, want, n, kinds)
		}
	}
	if slices.ContainsFunc(kinds, func(k string) bool { return strings.Contains(k, "7008") }) {
		t.Error("a connected UDP socket waits for nobody else")
	}
	if !slices.ContainsFunc(s.Processes.Shared, func(g snapshot.SharedSegment) bool {
		return g.Kind == "sysv" && g.Name == id && g.Mode == 0o666
	}) {
		t.Errorf("the segment %s is not listed: %+v", id, s.Processes.Shared)
	}
}
