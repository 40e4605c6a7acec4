//go:build linux && !ringfence_portable

package power_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/power"
	"github.com/ringfence/ringfence/snapshot"
	"github.com/ringfence/ringfence/zones"
)

// large is a host with many processes, units and users: services of users, containers, programs of users, and now and then something open.
func large(processes, units, users int) *snapshot.Snapshot {
	s := quiet()
	s.Powers.Accounts = s.Powers.Accounts[:1]
	for i := range users {
		uid := 1000 + i
		s.Powers.Accounts = append(s.Powers.Accounts, snapshot.Account{Name: fmt.Sprintf("user%d", i), UID: uid, GID: uid, Groups: []int{staff, 2000 + i%20}, Login: true})
		s.Powers.Files = append(s.Powers.Files, file(fmt.Sprintf("/home/user%d/.bashrc", i), snapshot.LeverLogin, uid, snapshot.TriggerLogin, ofUser(uid, fmt.Sprintf("/home/user%d/.bashrc", i))))
		if i%10 == 0 {
			s.Powers.Sudo = append(s.Powers.Sudo, snapshot.SudoRule{Users: []string{fmt.Sprintf("user%d", i)}, Password: true, Commands: []snapshot.SudoCommand{{Text: "/usr/bin/systemctl restart web"}}})
		}
	}
	for i := range units {
		uid, path := root, fmt.Sprintf("/srv/app%d/run.sh", i)
		if i%3 == 0 {
			uid = 1000 + i%users
		}
		f := file(path, snapshot.LeverProgram, uid, snapshot.TriggerRestart, ofUser(1000+(i*7)%users, path), ofGroup(2000+i%20, path))
		if i%50 != 0 { // most give nobody more than they have
			f.UID, f.Permits = 1000+i%users, []snapshot.Permit{ofUser(1000+i%users, path)}
		}
		f.Gates = []snapshot.Gate{{At: fmt.Sprintf("/srv/app%d", i), Permits: []snapshot.Permit{ofGroup(2000+i%20, "/srv")}}}
		s.Powers.Files = append(s.Powers.Files, f)
	}
	containers := processes / 20
	for i := range containers {
		id := fmt.Sprintf("%064x", i)
		s.Runtimes.Containers = append(s.Runtimes.Containers, snapshot.Container{ID: id, Name: fmt.Sprintf("c%d", i), Running: true, Mounts: []snapshot.ContainerMount{
			{Source: fmt.Sprintf("/srv/app%d", i), Dest: "/data", RW: true}, {Source: "/etc/hosts", Dest: "/etc/hosts"},
		}})
	}
	for i := range processes {
		p := snapshot.Process{
			PID: 10 + i, PPID: 1, UID: 1000 + i%users, GID: 1000 + i%users, Groups: []int{staff, 2000 + i%users%20}, Comm: "app", CapEff: "0", CapPrm: "0", CapAmb: "0", CapBnd: "000001ffffffffff",
			NS: s.Processes.Init, ContainerWord: snapshot.Word{By: snapshot.ByKernel},
		}
		switch {
		case i%4 == 0:
			p.UID, p.GID, p.Groups = root, root, nil
		case i%4 == 1:
			p.Unit = fmt.Sprintf("app%d.service", i%units)
		case i%4 == 2:
			p.Container = s.Runtimes.Containers[i%containers].ID
			p.NS.Mnt, p.NS.Net, p.NS.PID = uint64(1000+i), uint64(1000+i%containers), uint64(100_000+i%containers)
		}
		s.Processes.List = append(s.Processes.List, p)
	}
	s.Index()
	return s
}

func cpu(t testing.TB) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// ask asks for everybody of a host, and counts the answers.
func ask(s *snapshot.Snapshot) (principals int, count map[power.Verdict]int) {
	count = map[power.Verdict]int{}
	g := power.New(s, nil)
	list := power.Principals(s, zones.Classify(s, nil))
	for _, p := range list {
		for _, a := range g.Ask(p) {
			count[a.Verdict]++
		}
	}
	return len(list), count
}

// TestLargeHost asks for everybody of a host with 10,000 processes, 2,000 units and 300 users, and of one of half that size.
func TestLargeHost(t *testing.T) {
	cost := func(n int) time.Duration {
		s := large(5000*n, 1000*n, 150*n)
		begun := cpu(t)
		principals, count := ask(s)
		d := cpu(t) - begun
		t.Logf("%d processes: %d principals, %v in %s", 5000*n, principals, count, d)
		if count[power.Yes] == 0 || count[power.No] == 0 {
			t.Errorf("%v", count)
		}
		return d
	}
	if half, whole := cost(1), cost(2); whole > 30*time.Second {
		t.Errorf("%s, and half of it costs %s", whole, half)
	}
}

// BenchmarkLargeHost is the time for all questions about such a host: it may be a second.
func BenchmarkLargeHost(b *testing.B) {
	s := large(10_000, 2_000, 300)
	for b.Loop() {
		ask(s)
	}
}
