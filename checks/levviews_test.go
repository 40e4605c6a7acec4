//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ringfence/ringfence/snapshot"
)

// TestMountsOfAService: mounts of a service are told by what of the host they show, those that another covers are not, and those of its own are said.
func TestMountsOfAService(t *testing.T) {
	host := "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /home rw - ext4 /dev/sda2 rw\n3 1 0:5 / /run rw,nosuid - tmpfs tmpfs rw\n4 1 8:1 /srv/a /mnt rw - ext4 /dev/sda1 rw\n"
	service := "10 0 8:1 / / ro - ext4 /dev/sda1 rw\n" + // ProtectSystem=strict
		"11 10 8:2 / /home rw - ext4 /dev/sda2 rw\n13 11 0:9 / /home rw,nosuid - tmpfs tmpfs rw\n" + // TemporaryFileSystem=/home
		"12 10 0:5 / /run ro,nosuid - tmpfs tmpfs rw\n14 12 0:5 /inaccessible /run/a.sock ro - tmpfs tmpfs rw\n" +
		"15 10 8:1 /var/lib/a /var/lib/a rw - ext4 /dev/sda1 rw\n16 10 7:1 / /opt ro - squashfs /dev/loop1 ro\n17 11 8:2 /b /home/b rw - ext4 /dev/sda2 rw\n" +
		"18 10 0:4 / /proc rw - proc proc rw\n19 18 0:4 /sys /proc/sys ro - proc proc rw\n20 10 8:1 /tmp/x /tmp rw,noexec - ext4 /dev/sda1 rw\n"
	want := snapshot.View{Mounts: []snapshot.ViewMount{
		{At: "/", Of: "/", Under: "/", RO: true},
		{At: "/home", NoSUID: true},
		{At: "/run", Of: "/run", Under: "/run", RO: true, NoSUID: true},
		{At: "/run/a.sock", Of: "/run/inaccessible", Under: "/run", RO: true},
		{At: "/var/lib/a", Of: "/var/lib/a", Under: "/"},
		{At: "/opt", RO: true, Own: true},
		{At: "/proc"},
		{At: "/tmp", Of: "/tmp/x", Under: "/", NoExec: true},
	}}
	hosts := newHostMounts(uncovered(parseMountinfo([]byte(host))))
	if d := gocmp.Diff(want, viewOf(uncovered(parseMountinfo([]byte(service))), hosts)); d != "" {
		t.Error(d)
	}
	if v := rooted("/home/jail", hosts); v.Unread != "" || len(v.Mounts) != 1 || v.Mounts[0] != (snapshot.ViewMount{At: "/", Of: "/home/jail", Under: "/home"}) {
		t.Errorf("a root directory: %+v", v)
	}
	if v := rooted("/", newHostMounts(nil)); v.Unread == "" {
		t.Errorf("without mounts: %+v", v)
	}
	var many strings.Builder
	many.WriteString(host)
	for i := range 5_000 {
		fmt.Fprintf(&many, "%d 1 8:1 /srv/%d /var/lib/c/%d rw - ext4 a rw\n", 100+i, i, i)
	}
	began := time.Now()
	mounts := uncovered(parseMountinfo([]byte(many.String())))
	if v := viewOf(mounts, newHostMounts(mounts)); len(mounts) != 5_004 || v.Unread == "" || time.Since(began) > 30*time.Second {
		t.Errorf("%d mounts, %q, after %s", len(mounts), v.Unread, time.Since(began))
	}
	loop := "1 2 8:1 / / rw - ext4 a rw\n2 1 8:1 / / rw - ext4 a rw\n3 3 8:1 / /a rw - ext4 a rw\n"
	if got := uncovered(parseMountinfo([]byte(loop))); len(got) > 3 {
		t.Errorf("mounts that are on each other: %v", got)
	}
}
