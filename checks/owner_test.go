//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

func owned(inode, user uint64, uid int) foundNetns {
	n := foundNetns{Netns: snapshot.Netns{Inode: inode, OwnerUser: user}}
	if uid >= 0 {
		n.OwnerUID = &uid
	}
	return n
}

// crowd is a list where one uid has many namespaces, each in a user namespace of its own, before all others.
func crowd(n int) []foundNetns {
	list := []foundNetns{owned(1, 100, -1)}
	for i := range n {
		list = append(list, owned(uint64(1000+i), uint64(2000+i), 1001))
	}
	return append(list, owned(2, 100, -1), owned(3, 50, 1002), owned(4, 60, -1), owned(5, 51, 1002), owned(6, 100, -1))
}

// TestOneOwnerDoesNotComeFirst: those of the host are looked at before all others, and then one of each owner in turn.
func TestOneOwnerDoesNotComeFirst(t *testing.T) {
	var got []uint64
	for _, n := range inTurn(crowd(800)) {
		got = append(got, n.Inode)
	}
	if fmt.Sprint(got[:9]) != "[1 2 6 1000 3 4 1001 5 1002]" || len(got) != 806 {
		t.Errorf("%v ...", got[:12])
	}
}

// TestDataIsSharedByOwner: eight hundred namespaces of one uid have no more data to begin with than the two of another.
func TestDataIsSharedByOwner(t *testing.T) {
	list := inTurn(crowd(800))
	of := map[uint64]int{}
	total := 0
	for i, n := range dataShares(list, 32_000_000) {
		of[list[i+1].Inode] = n
		total += n
	}
	if of[2] != 4_000_000 || of[3] != 4_000_000 || of[4] != 8_000_000 || of[1000] != 10_000 || total > 32_000_000 {
		t.Errorf("host %d, uid 1002 %d, unknown %d, uid 1001 %d", of[2], of[3], of[4], of[1000])
	}
	if got := dataShares([]foundNetns{owned(1, 1, -1), owned(2, 1, -1)}, 1<<30)[0]; got != maxNamespaceData {
		t.Errorf("one namespace may have %d", got)
	}
}

// inside runs a command in new user and network namespaces as a uid, and waits for its word.
func inside(t *testing.T, uid int, script string) int {
	bed.NeedUserNamespaces(t)
	cmd := exec.Command("setpriv", "--reuid", fmt.Sprint(uid), "--regid", fmt.Sprint(uid), "--clear-groups", "unshare", "-Urn", "sh", "-c", script+"; echo ready; exec sleep 60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	b := make([]byte, len("ready"))
	if _, err := io.ReadFull(out, b); err != nil || string(b) != "ready" {
		t.Fatalf("the namespace is not ready: %q %v", b, err)
	}
	return cmd.Process.Pid
}

// TestOwnerOfUsersNamespace: the owner is the uid outside, also of a namespace in a user namespace within another, whose
// maker has another uid there. What packets cannot come into is read no further than that.
func TestOwnerOfUsersNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("needs root")
	}
	one := 200_000 + 2*os.Getpid() // nobody else's
	empty := inside(t, one, "true")
	nested := inside(t, one+1, "ip link add va type veth peer name vb && ip link set va up && ip link set vb up; unshare -Urn sleep 60 & sleep 0.5")
	scan := newScan(host.Local())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	uids := map[int]int{}
	inodes := map[uint64]int{}
	for _, n := range scan.netns() {
		if n.OwnerUID != nil {
			uids[*n.OwnerUID]++
		} else if n.Host && n.OwnerUser == 0 {
			t.Error("the owner of our own was not found out")
		}
		for _, pid := range []int{empty, nested} {
			if n.Inode == scan.namespaces(fmt.Sprint(pid)).Net {
				inodes[n.Inode] = pid
			}
		}
	}
	if uids[one] != 1 || uids[one+1] != 2 {
		t.Errorf("namespaces of %d and the next: %v", one, uids)
	}
	snap := new(snapshot.Snapshot)
	out := collectElsewhere(ctx, scan, snap)
	seen := 0
	for _, e := range snap.Namespaces {
		switch inodes[e.Netns] {
		case empty:
			seen++
			if e.Status != snapshot.OK || len(e.Network.Links) != 1 || len(e.Network.Sysctls) > 0 {
				t.Errorf("empty: %+v", e)
			}
		case nested:
			seen++
			if e.Status != snapshot.OK || len(e.Network.Links) != 3 || e.Network.Sysctls["net/ipv4/conf/va/rp_filter"].State != snapshot.Present {
				t.Errorf("with interfaces: %+v", e)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d of two were read: %+v", seen, out)
	}
}
