//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// fleetDir is where make test-fleet puts packages and systems.
func fleetDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("RINGFENCE_FLEET")
	if dir == "" {
		t.Skip("the machine lacks: the packages and hosts that make test-fleet makes")
	}
	bed.NeedRoot(t)
	return dir
}

// made is the one file of that pattern.
func made(t *testing.T, dir, pattern string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: %v, %v", pattern, list, err)
	}
	return list[0]
}

// maxExposed is the exposure that systemd-analyze may give the unit.
const maxExposed = 3.5

// TestFleetPackage installs, runs and removes the package in a booted system of each suite: the unit sees what root sees.
func TestFleetPackage(t *testing.T) {
	dir := fleetDir(t)
	systems, err := filepath.Glob(filepath.Join(dir, "root-*.tar"))
	if err != nil || len(systems) == 0 {
		t.Fatal("no system is there")
	}
	for _, tar := range systems {
		t.Run(strings.TrimSuffix(filepath.Base(tar), ".tar"), func(t *testing.T) {
			m := newMachine(t, tar)
			if err := os.Remove(filepath.Join(m.root, "usr/local/bin/ringfence")); err != nil {
				t.Fatal(err)
			}
			m.must("cp", made(t, dir, "ringfence_*_amd64.deb"), filepath.Join(m.root, "root/ringfence.deb"))
			// It loads modules, which a guest that has the host's kernel may not.
			m.must("ln", "-sf", "/dev/null", filepath.Join(m.root, "etc/systemd/system/systemd-modules-load.service"))
			m.boot()
			m.run("mkdir -p /var/lib/prometheus/node-exporter")
			m.run("dpkg -i /root/ringfence.deb")
			m.unitSees(t)
			m.timer(t)
			m.run("dpkg -r ringfence")
			if out, err := m.try("command -v ringfence; systemctl cat ringfence-audit.timer"); err == nil {
				t.Errorf("left behind: %s", out)
			}
			m.run("dpkg -P ringfence")
			if out := m.run("ls -d /var/lib/private/ringfence /usr/share/doc/ringfence 2>/dev/null || true"); out != "" {
				t.Errorf("purge leaves %s", out)
			}
		})
	}
}

// unitSees runs the unit, and compares its report with that of root in a unit without restrictions.
func (m *machine) unitSees(t *testing.T) {
	if out := m.run("systemd-analyze verify --man=no ringfence-audit.service ringfence-audit.timer"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	said := m.run("systemd-analyze security --no-pager ringfence-audit.service | tail -1")
	score := regexp.MustCompile(`: ([0-9.]+) `).FindStringSubmatch(said)
	if score == nil {
		t.Fatalf("no exposure: %s", said)
	}
	if n, err := strconv.ParseFloat(score[1], 64); err != nil || n > maxExposed {
		t.Errorf("exposure %s, want at most %v", score[1], maxExposed)
	}
	m.run("systemctl start ringfence-audit")
	m.run("systemd-run --quiet --wait --collect /usr/bin/ringfence audit -q --fail-on none -f json -o json=/root/root.json")
	unit, root := m.report(t, "/var/lib/private/ringfence/report.json"), m.report(t, "/root/root.json")
	if unit.Host.SeenBy == "root" || root.Host.SeenBy != "root" {
		t.Errorf("seen by %s and %s", unit.Host.SeenBy, root.Host.SeenBy)
	}
	for i := range root.Results {
		if a, b := &root.Results[i], &unit.Results[i]; a.Status != b.Status {
			t.Errorf("%s: %s for root, %s (%s) for the unit", a.ID, a.Status, b.Status, b.Reason)
		}
	}
	if c := unit.Confinement; c.Capabilities != "dropped" || c.Files != "refused" || c.Network != "refused" || c.Programs != "refused" {
		t.Errorf("judged by a process that can do something: %+v", c)
	}
	rows := 0
	for line := range strings.Lines(m.run("journalctl -u ringfence-audit -t ringfence -o cat --no-pager")) {
		var row struct{ Schema, Host string }
		if err := json.Unmarshal([]byte(line), &row); err != nil || row.Schema != "ringfence.row/v1" || row.Host == "" {
			t.Fatalf("in the journal: %.200s: %v", line, err)
		}
		rows++
	}
	if rows < 100 {
		t.Errorf("%d rows are in the journal", rows)
	}
	prom := m.run("cat /var/lib/prometheus/node-exporter/ringfence.prom")
	if !strings.Contains(prom, "# TYPE ringfence_") || m.run("stat -c %a /var/lib/prometheus/node-exporter/ringfence.prom") != "644\n" {
		t.Errorf("metrics: %.200s", prom)
	}
	t.Logf("exposure %s, %d rows in the journal", score[1], rows)
}

func (m *machine) report(t *testing.T, file string) *finding.Report {
	b, err := os.ReadFile(filepath.Join(m.root, file))
	if err != nil {
		t.Fatal(err)
	}
	r, err := finding.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// timer switches the timer on and has it run once.
func (m *machine) timer(t *testing.T) {
	m.run("systemctl enable -q --now ringfence-audit.timer")
	if out := m.run("systemctl list-timers --no-pager ringfence-audit.timer"); !strings.Contains(out, "ringfence-audit.service") {
		t.Error(out)
	}
	m.run("mkdir -p /etc/systemd/system/ringfence-audit.timer.d && printf '[Timer]\\nOnCalendar=\\nRandomizedDelaySec=0\\nOnActiveSec=1s\\n' >/etc/systemd/system/ringfence-audit.timer.d/now.conf")
	m.run("rm /var/lib/prometheus/node-exporter/ringfence.prom; systemctl daemon-reload; systemctl restart ringfence-audit.timer")
	m.within(60*time.Second, "the timer ran the audit", func() bool {
		_, err := m.try("test -s /var/lib/prometheus/node-exporter/ringfence.prom")
		return err == nil
	})
	m.run("rm -r /etc/systemd/system/ringfence-audit.timer.d")
}

// TestFleetRPM: the package of Fedora and SUSE is installed, run and removed in a tree of its own.
func TestFleetRPM(t *testing.T) {
	dir, root := fleetDir(t), t.TempDir()
	do := func(name string, args ...string) string {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	do("rpm", "--root", root, "--initdb")
	do("rpm", "--root", root, "-i", "--nodeps", "--noscripts", made(t, dir, "ringfence-*.x86_64.rpm"))
	do("rpm", "--root", root, "-V", "--nodeps", "ringfence")
	if out := do("chroot", root, "/usr/bin/ringfence", "version"); !strings.HasPrefix(out, "ringfence ") {
		t.Error(out)
	}
	do("rpm", "--root", root, "-e", "--noscripts", "ringfence")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/ringfence")); err == nil {
		t.Error("the program is left behind")
	}
}

// TestFleetImage: the image is loaded by an engine, and nothing but its files is needed to judge a snapshot.
func TestFleetImage(t *testing.T) {
	dir := fleetDir(t)
	file := made(t, dir, "ringfence-*-linux-amd64.oci.tar")
	out, err := exec.Command("podman", "load", "-q", "-i", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	name := strings.TrimSpace(string(out[strings.LastIndex(string(out), ": ")+2:]))
	t.Cleanup(func() { _ = exec.Command("podman", "rmi", "-f", name).Run() })
	out, err = exec.Command("podman", "image", "mount", name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("podman", "image", "unmount", name).Run() })
	snap, err := os.Open("../fixtures/base/host.json")
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	cmd := exec.Command("chroot", strings.TrimSpace(string(out)), "/usr/bin/ringfence", "audit", "--snapshot", "-")
	cmd.Stdin = snap
	out, err = cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "nothing found") || !strings.HasPrefix(name, "localhost/ringfence:") {
		t.Errorf("%s: %v: %s", name, err, out)
	}
}
