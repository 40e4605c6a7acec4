//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/watch"
)

// watched is a watch that runs, and the lines that it told.
type watched struct {
	t     *testing.T
	cmd   *exec.Cmd
	mu    sync.Mutex
	lines []watch.Line
	ended chan struct{}
}

func beginWatch(t *testing.T, args ...string) *watched {
	t.Helper()
	w := &watched{t: t, cmd: exec.Command(bed.Program(t), append([]string{"watch", "-f", "jsonl"}, args...)...), ended: make(chan struct{})}
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.ended)
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var l watch.Line
			if err := json.Unmarshal(in.Bytes(), &l); err != nil || l.Schema != watch.Schema {
				t.Errorf("%s: %v", in.Text(), err)
			}
			w.mu.Lock()
			w.lines = append(w.lines, l)
			w.mu.Unlock()
		}
	}()
	return w
}

// told are the lines until now.
func (w *watched) told() []watch.Line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines)
}

// wait waits for a line.
func (w *watched) wait(what string, is func(*watch.Line) bool) *watch.Line {
	w.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		lines := w.told()
		if i := slices.IndexFunc(lines, func(l watch.Line) bool { return is(&l) }); i >= 0 {
			return &lines[i]
		}
	}
	w.t.Fatalf("no line: %s\n%+v", what, w.told())
	return nil
}

// end ends it and returns how much processor time it took, with the process that judges.
func (w *watched) end() time.Duration {
	w.t.Helper()
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	<-w.ended
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("it ends with %v", err)
	}
	return w.cmd.ProcessState.UserTime() + w.cmd.ProcessState.SystemTime()
}

// isAbout says whether a line is a change of a class about an object.
func isAbout(l *watch.Line, class, object string) bool {
	return l.Change != nil && l.Change.Class == class && strings.Contains(l.Change.Object, object)
}

func script(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", line).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", line, err, out)
	}
}

// TestWatchNamesWhoOpensAPort: a port is opened by a rule, and closed; then the host is as before. Each transition names the process with
// the generation of the ruleset, and a thousand transactions by two processes leave the watch where a fresh audit is.
func TestWatchNamesWhoOpensAPort(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "nft", "python3")
	script(t, "ip link set lo up; ip netns add w; ip link add docker0 type veth peer name eth0 netns w; ip addr add 172.17.0.1/24 dev docker0; ip link set docker0 up; "+
		"ip -n w link set eth0 up; ip -n w addr add 172.17.0.2/24 dev eth0; ip -n w route add default via 172.17.0.1")
	script(t, "nft 'add table inet f; add chain inet f in { type filter hook input priority 0; policy drop; }'")
	server := exec.Command("python3", "-m", "http.server", "8080")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	if !bed.Until(func() bool {
		sockets, err := os.ReadFile("/proc/net/tcp")
		return err == nil && bytes.Contains(sockets, []byte(":1F90 00000000:0000 0A"))
	}) {
		t.Fatal("the server does not listen")
	}
	w := beginWatch(t, "--interval", "10m")
	w.wait("the first read", func(l *watch.Line) bool { return l.Row == watch.RowBegin && len(l.Deaf) == 0 })
	script(t, "nft add rule inet f in tcp dport 8080 accept")
	wider := w.wait("wider", func(l *watch.Line) bool { return isAbout(l, finding.Wider, ":8080") && l.Change.Zone == "workload" })
	if wider.Change.Witness == "" || !slices.ContainsFunc(wider.Causes, func(e watch.Event) bool {
		return e.Kind == watch.Ruleset && e.Program == "nft" && e.PID > 0 && strings.HasPrefix(e.What, "ruleset generation ")
	}) {
		t.Errorf("%+v", wider)
	}
	flood := "for i in $(seq 250); do nft add table inet t%d$i; nft delete table inet t%d$i; done"
	begun, before := time.Now(), len(w.told())
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() { script(t, fmt.Sprintf(flood, i, i)) })
	}
	both.Wait()
	script(t, "nft flush chain inet f in")
	closed := w.wait("closed", func(l *watch.Line) bool { return isAbout(l, finding.Fixed, "python3") && l.Change.Zone == "workload" })
	if !slices.ContainsFunc(closed.Causes, func(e watch.Event) bool { return e.Program == "nft" && e.PID > 0 }) {
		t.Errorf("%+v", closed)
	}
	took := time.Since(begun)
	reads := map[string]bool{}
	for _, l := range w.told()[before:] {
		reads[l.Time] = true
	}
	if most := int(took/watch.Pause) + 2; len(reads) > most {
		t.Errorf("%d full reads in %s", len(reads), took)
	}
	used := w.end()
	if used > 5*time.Second+took/10 {
		t.Errorf("%s of processor time", used)
	}
	last := w.told()[len(w.told())-1]
	out, err := exec.Command(bed.Program(t), "audit", "-f", "json", "-q", "--fail-on", "none").Output()
	report := new(finding.Report)
	if err == nil {
		err = json.Unmarshal(out, report)
	}
	if err != nil {
		t.Fatal(err)
	}
	fresh := 0
	for _, n := range report.Count().Findings {
		fresh += n
	}
	if last.Findings != fresh || last.Unknown != report.Undecided() {
		t.Errorf("at last %d findings and %d unknown, a fresh audit has %d and %d", last.Findings, last.Unknown, fresh, report.Undecided())
	}
	t.Logf("1000 transactions and %d reads in %s, %s of processor time in all", len(reads), took, used)
}
