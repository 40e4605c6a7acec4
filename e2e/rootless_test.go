//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/e2e/bed"
	"github.com/ringfence/ringfence/finding"
)

// rootlessScript has an ordinary user start a privileged container, in namespaces of the user's own.
const rootlessScript = `
home=%[1]s
cp /etc/passwd $home/passwd; cp /etc/group $home/group
echo "beduser:x:1999:1999::$home/user:/bin/sh" >>$home/passwd; echo "beduser:x:1999:" >>$home/group; echo "beduser:300000:65536" >$home/subid
for f in passwd group; do mount --bind $home/$f /etc/$f; done
for f in subuid subgid; do touch /etc/$f; mount --bind $home/subid /etc/$f; done
mkdir -p $home/user/root/bin /run/user/1999; cp /bin/busybox $home/user/root/bin/sleep; chown -R 1999:1999 $home/user /run/user/1999
cd $home/user
setpriv --reuid 1999 --regid 1999 --clear-groups env -i HOME=$home/user XDG_RUNTIME_DIR=/run/user/1999 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	podman --runtime runc --storage-driver vfs --cgroup-manager cgroupfs run -d --privileged --network none --rootfs $home/user/root /bin/sleep 1000
`

// TestPrivilegedWithoutRoot: a privileged container of rootless Podman has the power of its user, which is none over the host.
func TestPrivilegedWithoutRoot(t *testing.T) {
	if !bed.Alone(t) {
		return
	}
	bed.Need(t, "podman", "runc", "newuidmap", "setpriv", "/bin/busybox")
	program, dir := bed.Program(t), t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = d[:strings.LastIndexByte(d, '/')] {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bed.Shell(t, rootlessScript, dir)
	for id, want := range map[string]string{
		"capability/privileged-container": finding.Pass, "capability/host-takeover-capability-in-workload": finding.Pass,
		"capability/net-admin-over-host-network": finding.Pass, "capability/workload-without-seccomp": finding.Fail, // it is seen, and has none
	} {
		if res := auditOf(t, program, id); res.Status != want {
			t.Errorf("%s: %s %q %+v, want %s", id, res.Status, res.Reason, res.Findings, want)
		}
	}
}
