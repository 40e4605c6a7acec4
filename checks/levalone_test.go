//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/snapshot"
)

// TestFilesOfWhichRootDecidesAlone: what root and people run elsewhere than packages have their files is known, with what units give it; under the paths to which
// links lead too, and once.
func TestFilesOfWhichRootDecidesAlone(t *testing.T) {
	s := powerHost(t,
		"644 0:0 /etc/systemd/system/a.service = [Service]\nUser=ann\nAmbientCapabilities=CAP_NET_ADMIN CAP_KILL\nSupplementaryGroups=staff shadow\nExecStartPre=+/opt/first\nExecStart=/opt/ann\n",
		"644 0:0 /etc/systemd/system/b.service = [Service]\nUser=ann\nGroup=shadow\nAmbientCapabilities=~CAP_NET_ADMIN\nPrivateNetwork=yes\nExecStart=/opt/kept\n",
		"644 0:0 /etc/group = staff:x:50:ann\nshadow:x:42:\n", "644 0:0 /etc/cron.d/x = * * * * * root /opt/link; /opt/open; /usr/bin/x\n", "644 0:0 /etc/cron.d/y = * * * * * root test -e /x && /opt/link\n",
		"755 0:0 /opt/", "755 0:0 /opt/first", "755 1000:0 /opt/ann", "755 0:0 /opt/kept", "777 0:0 /opt/link -> /opt/real", "755 0:0 /opt/real", "777 0:0 /opt/open", "755 0:0 /usr/bin/x",
		"600 0:0 /etc/krb5.keytab",
	)
	snap := new(snapshot.Snapshot)
	collectPowers(t.Context(), s, snap)
	got := map[string]bool{}
	for _, f := range snap.Powers.Alone {
		gives := ""
		if f.Gives != nil {
			gives = fmt.Sprint(f.Gives.Caps, f.Gives.Groups, f.Gives.Unsure != "")
		}
		text := fmt.Sprintf("%s %d %d %s %v", f.Path, f.UID, len(f.Permits), gives, f.Unsure != "")
		if got[text] {
			t.Errorf("twice: %s", text)
		}
		got[text] = true
	}
	for _, want := range []string{
		"/opt/first 0 0  false", "/opt/ann 1000 1 0000000000001000[42] false false", "/opt/kept 1000 0 000001ffffffefff[42] true false", "/opt/link 0 0  false", "/opt/real 0 0  false",
		"/etc/krb5.keytab 0 0  false",
	} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if slices.ContainsFunc(snap.Powers.Alone, func(f snapshot.LeverFile) bool {
		return f.Path == "/opt/open" || f.Path == "/usr/bin/x" || f.Path == "/"
	}) {
		t.Errorf("others decide of it, or its place tells: %v", got)
	}
}
