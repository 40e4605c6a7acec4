//go:build linux

package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// wineProgram is wine as Debian installs it.
const wineProgram = "/usr/lib/wine/wine64"

// wine runs the program of Windows in a prefix, which RINGFENCE_WINE names: it takes 700 MB, and is made the first time.
type wine struct {
	t         *testing.T
	prefix    string
	exe       string
	overrides string
}

// newWine makes the prefix, and the program.
func newWine(t *testing.T) *wine {
	t.Helper()
	w := &wine{t: t, prefix: os.Getenv("RINGFENCE_WINE"), exe: filepath.Join(t.TempDir(), "ringfence.exe")}
	build := exec.Command("go", "build", "-trimpath", "-o", w.exe, "../cmd/ringfence")
	build.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	system := filepath.Join(w.prefix, "drive_c/windows/system32")
	if _, err := os.Stat(system); err != nil {
		if err := os.MkdirAll(w.prefix, 0o700); err != nil {
			t.Fatal(err)
		}
		w.run(nil, "wineboot", "-i")
	}
	// Go needs a function that Wine 8 does not have, in a library of its own.
	if err := os.WriteFile(filepath.Join(system, "bcryptprimitives.dll"), forwarder("bcryptprimitives.dll", "ProcessPrng", "advapi32.SystemFunction036"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	return w
}

// stop ends all that runs in the prefix.
func (w *wine) stop() {
	stop := exec.Command("/usr/lib/wine/wineserver64", "-k")
	stop.Env = w.env()
	_ = stop.Run() // where none runs any more it says so
}

func (w *wine) env() []string {
	return append(os.Environ(), "WINEPREFIX="+w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=;bcryptprimitives=n"+w.overrides)
}

// run runs a program of Windows, and gives what it wrote. Exit codes that are not among good end the test.
func (w *wine) run(good []int, args ...string) []byte {
	w.t.Helper()
	cmd := exec.Command(wineProgram, args...)
	cmd.Env = w.env()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && (cmd.ProcessState == nil || !slices.Contains(good, cmd.ProcessState.ExitCode())) {
		w.t.Fatalf("%q: %v: %s", args, err, errs.String())
	}
	return out.Bytes()
}

// windowsPath is a path of this machine as programs of Windows have it.
func windowsPath(p string) string { return `Z:` + strings.ReplaceAll(p, "/", `\`) }

// forwarder is a library of Windows with one function, which is one of another library.
func forwarder(library, name, to string) []byte {
	le := binary.LittleEndian
	const rva, align = 0x1000, 0x200
	section := make([]byte, 40) // IMAGE_EXPORT_DIRECTORY, then what it names
	put := func(b []byte) uint32 {
		section = append(section, b...)
		return rva + uint32(len(section)-len(b))
	}
	text := func(s string) uint32 { return put(append([]byte(s), 0)) }
	functions, names, ordinals := put(make([]byte, 4)), put(make([]byte, 4)), put(make([]byte, 4))
	called, leads, named := text(library), text(to), text(name)
	for at, v := range map[uint32]uint32{12: called, functions - rva: leads, names - rva: named, 16: 1, 20: 1, 24: 1, 28: functions, 32: names, 36: ordinals} {
		le.PutUint32(section[at:], v)
	}
	size := uint32(len(section))
	section = append(section, make([]byte, align-len(section)%align)...)
	head := make([]byte, align)
	copy(head, "MZ")
	le.PutUint32(head[0x3c:], 0x40)
	coff := head[0x40:]
	copy(coff, "PE\x00\x00")
	for at, v := range map[int]uint16{4: 0x8664, 6: 1, 20: 240, 22: 0x2022} { // amd64, one section, a library
		le.PutUint16(coff[at:], v)
	}
	optional := coff[24:]
	for at, v := range map[int]uint16{0: 0x20b, 40: 6, 48: 6, 68: 3} {
		le.PutUint16(optional[at:], v)
	}
	for at, v := range map[int]uint64{24: 0x180000000, 72: 1 << 20, 80: 1 << 12, 88: 1 << 20, 96: 1 << 12} {
		le.PutUint64(optional[at:], v)
	}
	for at, v := range map[int]uint32{32: rva, 36: align, 56: 2 * rva, 60: align, 108: 16, 112: rva, 116: size} {
		le.PutUint32(optional[at:], v)
	}
	table := optional[240:]
	copy(table, ".edata")
	for at, v := range map[int]uint32{8: size, 12: rva, 16: uint32(len(section)), 20: align, 36: 0x40000040} {
		le.PutUint32(table[at:], v)
	}
	return append(head, section...)
}

// TestWine: the program for Windows reads a live registry and real sockets, says of the registry what files of the same keys say, and judges itself
// as its snapshot is judged here.
func TestWine(t *testing.T) {
	if os.Getenv("RINGFENCE_WINE") == "" {
		t.Skip("the machine lacks: the Wine of make test-wine")
	}
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, wineProgram)
	bed.Shell(t, `
		ip link set lo up
		ip link add eth0 type veth peer name eth0p; ip addr add 192.168.1.20/24 dev eth0; ip link set eth0 up; ip link set eth0p up
		ip link add wsl0 type veth peer name wsl0p; ip addr add 172.17.112.1/20 dev wsl0; ip link set wsl0 up; ip link set wsl0p up`)
	for _, port := range []string{":445", ":5985"} {
		l, err := net.Listen("tcp", port)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	w := newWine(t)
	dir, err := filepath.Abs("../winhost/testdata/wsl")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"system.reg", "software.reg"} {
		w.run(nil, "regedit", "/S", windowsPath(filepath.Join(dir, name)))
	}
	w.run(nil, "reg", "add", `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\NetworkList\Profiles\{b3c0a1d2-0000-4000-8000-000000000002}`, "/v", "Category", "/t", "REG_DWORD", "/d", "0", "/f")
	tmp := t.TempDir()
	file, config := filepath.Join(tmp, "wine.json"), filepath.Join(tmp, "config.yaml")
	if err := os.WriteFile(config, []byte("zones:\n  workload:\n    interfaces: [wsl0]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	live, files := w.collect(file), filepath.Join(tmp, "files.json")
	program(t, 0, "collect", "--from", "windows:"+dir, "-o", files)
	other := loadSnapshot(t, files)
	for part, pair := range map[string][2]any{
		"firewall": {live.Windows.Firewall, other.Windows.Firewall}, "winrm": {live.Windows.WinRM, other.Windows.WinRM}, "rdp": {live.Windows.RDP, other.Windows.RDP},
		"smb": {live.Windows.SMB, other.Windows.SMB}, "portproxy": {live.Windows.PortProxy, other.Windows.PortProxy}, "system": {live.Windows.System, other.Windows.System},
	} {
		if d := cmp.Diff(pair[0], pair[1]); d != "" {
			t.Errorf("%s, live -, files +\n%s", part, d)
		}
	}
	runs := slices.ContainsFunc(live.Windows.Services.List, func(s snapshot.WindowsService) bool { return s.State == "running" && s.PID != 0 })
	if !runs || live.Windows.Processes.Read.State != snapshot.Present {
		t.Errorf("services and processes were not read: %v", live.Coverage)
	}
	there := reportOf(t, w.run([]int{1}, w.exe, "audit", "-f", "json", "--config", windowsPath(config)))
	here := reportOf(t, program(t, 1, "audit", "-f", "json", "--config", config, "--snapshot", file))
	if d := cmp.Diff(statuses(there), statuses(here)); d != "" {
		t.Errorf("in Wine -, here +\n%s", d)
	}
	found := slices.ContainsFunc(here.Exposures, func(e finding.Exposure) bool {
		return e.Service.Port == 5985 && e.Zone == "workload" && e.Verdict == "reachable" && strings.Contains(e.Witness, "172.17.112.")
	})
	if !found {
		t.Errorf("WinRM is not seen to be reachable from the network of WSL: %+v, %+v", here.Exposures, live.Coverage)
	}
	// Without the driver that has them neither interfaces nor sockets are told.
	w.stop()
	w.overrides = ";nsiproxy.sys=d"
	blind := statuses(reportOf(t, w.run([]int{0, 1}, w.exe, "audit", "-f", "json", "--config", windowsPath(config))))
	for _, id := range []string{"winrm-reachable", "smb-reachable", "rdp-reachable", "rpc-reachable", "firewall-off", "inbound-allowed-by-default", "localsubnet-wide"} {
		if blind["windows/"+id] != "unknown" && blind["windows/"+id] != "fail" {
			t.Errorf("%s is %s where nothing of the network was read", id, blind["windows/"+id])
		}
	}
}

// collect makes a snapshot. The driver that has the sockets starts beside the program, and where the machine is slow too late.
func (w *wine) collect(file string) *snapshot.Snapshot {
	w.t.Helper()
	for range 5 {
		w.run(nil, w.exe, "collect", "-o", windowsPath(file))
		s := loadSnapshot(w.t, file)
		if s.Windows.Listeners.Read.State == snapshot.Present && s.Windows.Adapters.Read.State == snapshot.Present {
			return s
		}
		w.t.Logf("the network was not read: %v", s.Coverage)
		w.stop()
	}
	w.t.Fatal("the network was never read")
	return nil
}

// program runs the program of this system.
func program(t *testing.T, code int, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(bed.Program(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%q: %v: %s", args, err, errs.String())
	}
	return out.Bytes()
}

func loadSnapshot(t *testing.T, file string) *snapshot.Snapshot {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := snapshot.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reportOf(t *testing.T, b []byte) *finding.Report {
	t.Helper()
	r := new(finding.Report)
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatalf("%v: %.500s", err, b)
	}
	return r
}

func statuses(r *finding.Report) map[string]string {
	out := map[string]string{}
	for i := range r.Results {
		out[r.Results[i].ID] = r.Results[i].Status
	}
	return out
}
