//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/threatmodel"
)

// capBits are the capabilities by name, as getpcaps writes them without "cap_".
var capBits = func() map[string]uint {
	m := map[string]uint{}
	for i, n := range strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
		linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio
		sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease
		audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon
		bpf checkpoint_restore`) {
		m[n] = uint(i)
	}
	return m
}()

// libcapMask reads libcap's text for the effective set: "=ep cap_x-ep", "cap_a,cap_b=ep", "=".
func libcapMask(t *testing.T, text string) uint64 {
	t.Helper()
	var mask uint64
	for clause := range strings.FieldsSeq(text) {
		i := strings.LastIndexAny(clause, "=+-")
		if i < 0 {
			t.Fatalf("libcap text %q", text)
		}
		var bits uint64
		if names := clause[:i]; names == "" {
			bits = 1<<41 - 1
		} else {
			for n := range strings.SplitSeq(names, ",") {
				b, ok := capBits[strings.TrimPrefix(n, "cap_")]
				if !ok {
					t.Fatalf("capability %q", n)
				}
				bits |= 1 << b
			}
		}
		switch {
		case !strings.Contains(clause[i:], "e"):
			if clause[i] == '=' {
				mask &^= bits
			}
		case clause[i] == '-':
			mask &^= bits
		default:
			mask |= bits
		}
	}
	return mask
}

func readJSON(t *testing.T, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestRealContainers audits a host with containers of dockerd, podman and runc.
func TestRealContainers(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "dockerd", "podman", "runc", "busybox", "getpcaps", "pscap")
	ns := "rfct"
	bed.Shell(t, "ip netns add %s", ns)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", ns).Run() })
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "containers.sh", bed.Program(t), dir, ns)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "skip")); err == nil {
		log, _ := os.ReadFile(filepath.Join(dir, "dockerd.log"))
		t.Skipf("%s: %s", b, log)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "failed")); err == nil {
		t.Errorf("containers that did not start: %s", b)
	}
	var snap snapshot.Snapshot
	readJSON(t, filepath.Join(dir, "snapshot.json"), &snap)
	var report finding.Report
	readJSON(t, filepath.Join(dir, "report.json"), &report)
	compareCaps(t, dir, &snap)
	containerFindings(t, &report)
	reachedRoot(t, filepath.Join(dir, "paths.json"))
	modelled(t, &report)
	askedOfParts(t, dir)
	names := map[string]string{}
	for _, c := range snap.Runtimes.Containers {
		names[c.Name+"|"+c.ID[:min(8, len(c.ID))]] = c.Runtime
		if !c.Running {
			t.Errorf("container %s does not run", c.Name)
		}
	}
	if len(names) != 9 {
		t.Errorf("want 9 containers, got %v", names)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "took")); err != nil || strings.TrimSpace(string(b)) != "0" {
		log, _ := os.ReadFile(filepath.Join(dir, "run.log"))
		t.Errorf("what the daemon of root did for root of a container: %q, %v\n%s", b, err, log)
	}
}

// askedOfParts compares what reach answers of the host, of which it looks at what it needs, with what it answers of a whole snapshot.
func askedOfParts(t *testing.T, dir string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "asked.*.snapshot"))
	if err != nil || len(list) != 6 {
		t.Errorf("asked %v: %v", list, err)
	}
	answered := 0
	for _, file := range list {
		live, snap := map[string]any{}, map[string]any{}
		for file, v := range map[string]*map[string]any{strings.TrimSuffix(file, ".snapshot"): &live, file: &snap} {
			if b, err := os.ReadFile(file); err != nil {
				t.Error(err)
			} else if len(b) > 0 { // a zone can have nothing in it
				readJSON(t, file, v)
				answered++
			}
		}
		if !reflect.DeepEqual(live, snap) {
			t.Errorf("%s: %v, of a snapshot %v", filepath.Base(file), live, snap)
		}
	}
	if answered < 8 {
		t.Errorf("%d questions were answered", answered)
	}
}

// modelled wants the threat model to have the daemon's socket in the container that holds it, the daemon's port, and each critical finding on what
// it is about.
func modelled(t *testing.T, r *finding.Report) {
	t.Helper()
	m := threatmodel.New(r)
	for _, want := range []struct {
		from, to string
		kind     threatmodel.FlowKind
	}{
		{"container holder", "daemon docker", threatmodel.BySocket},
		{"container strong", "goal root", threatmodel.ByPower},
		{"actor external", "listener tcp [::]:2375 (dockerd)", threatmodel.ByNetwork},
	} {
		if !slices.ContainsFunc(m.Flows, func(f threatmodel.Flow) bool {
			return f.From == want.from && f.To == want.to && f.Kind == want.kind && f.Verdict == threatmodel.Possible
		}) {
			t.Errorf("no %s flow from %s to %s", want.kind, want.from, want.to)
		}
	}
	for _, key := range []string{"container strong", "container netadmin", "container holder", "container pod", "listener tcp [::]:2375 (dockerd)"} {
		if n := m.Node(key); n == nil || n.Worst() != "critical" {
			t.Errorf("%s: %+v", key, n)
		}
	}
}

// compareCaps compares the capability masks of the containers' processes with what libcap's
// getpcaps says of each pid, and the pids with those that libcap-ng's pscap lists.
func compareCaps(t *testing.T, dir string, snap *snapshot.Snapshot) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "getpcaps"))
	if err != nil {
		t.Fatal(err)
	}
	byPID := map[int]*snapshot.Process{}
	for i := range snap.Processes.List {
		byPID[snap.Processes.List[i].PID] = &snap.Processes.List[i]
	}
	compared := 0
	for line := range strings.Lines(string(b)) {
		pidText, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		_, caps, ok := strings.Cut(rest, ": ")
		pid, _ := strconv.Atoi(pidText)
		p := byPID[pid]
		if !ok || p == nil {
			t.Errorf("pid %s is not in the snapshot", pidText)
			continue
		}
		mask, err := strconv.ParseUint(p.CapEff, 16, 64)
		if want := libcapMask(t, caps); err != nil || mask != want {
			t.Errorf("pid %d: CapEff %s, getpcaps %q (%x)", pid, p.CapEff, caps, want)
		}
		compared++
	}
	if compared < 9 {
		t.Errorf("compared %d processes only", compared)
	}
	b, err = os.ReadFile(filepath.Join(dir, "pscap"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 5 || f[3] == "pscap" || f[3] == "ringfence" {
			continue
		}
		pid, _ := strconv.Atoi(f[1])
		if p := byPID[pid]; p == nil || strings.Trim(p.CapPrm, "0") == "" {
			t.Errorf("pscap lists %q, the snapshot does not", line)
		}
	}
}

func containerFindings(t *testing.T, r *finding.Report) {
	t.Helper()
	found := map[string][]string{}
	for _, res := range r.Results {
		for _, f := range res.Findings {
			found[res.ID] = append(found[res.ID], f.Resource.Key)
		}
	}
	for _, w := range []struct {
		check, key string
		want       bool
	}{
		{"capability/privileged-container", "container pod", true},
		{"capability/privileged-container", "container plain", false},
		{"capability/privileged-container", "container tight", false},
		{"capability/host-takeover-capability-in-workload", "container strong", true},
		{"capability/host-takeover-capability-in-workload", "container plain", false},
		{"capability/net-admin-over-host-network", "container netadmin", true},
		{"capability/net-admin-over-host-network", "container plain", false},
		{"capability/net-admin-over-host-network", "container strong", false},
		{"capability/net-admin-over-host-network", "process /usr/bin/sleep", false}, // its user namespace owns nothing
		{"capability/host-takeover-capability-in-workload", "process /usr/bin/sleep", false},
		{"capability/workload-shares-host-namespace", "container hostpid", true},
		{"capability/workload-shares-host-namespace", "container netadmin", true},
		{"capability/workload-without-seccomp", "container barerunc", true},
		{"capability/workload-without-seccomp", "container plain", false},
		{"capability/no-new-privs-off", "container plain", true},
		{"capability/no-new-privs-off", "container tight", false},
		{"capability/no-new-privs-off", "container barerunc", false},
		{"runtime/socket-mounted-in-workload", "/run/docker.sock in container holder", true},
		{"runtime/socket-mounted-in-workload", "/run/docker.sock in container plain", false},
		{"runtime/docker-api-on-tcp", "tcp [::]:2375 (dockerd)", true},
		{"kernel/sensitive-device-in-workload", "all devices in container pod", true},
	} {
		if got := slices.Contains(found[w.check], w.key); got != w.want {
			t.Errorf("%s: finding %q is %v, want %v (%v)", w.check, w.key, got, w.want, found[w.check])
		}
	}
}

// reachedRoot says of real containers who becomes root of the host, and by what: the checker of certificates accepts what is no.
func reachedRoot(t *testing.T, file string) {
	t.Helper()
	var doc struct{ Answers []power.Answer }
	readJSON(t, file, &doc)
	got := map[string]string{}
	for i := range doc.Answers {
		a := &doc.Answers[i]
		if name, ok := strings.CutPrefix(a.Principal.Key, "container "); ok && a.Goal == power.Root {
			text := string(a.Verdict)
			if len(a.Path) > 0 {
				text += " by " + string(a.Path[0].Kind)
			}
			got[name] = text
		}
	}
	for name, want := range map[string]string{
		"plain": "yes by network", "tight": "yes by network", "hostpid": "yes by network", "netadmin": "yes by network", "holder": "yes by socket",
		"pod": "yes by capability", "barerunc": "no", "ownrunc": "unknown by mount",
	} {
		if got[name] != want {
			t.Errorf("container %s becomes root: %s, want %s", name, got[name], want)
		}
	}
}
