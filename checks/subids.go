//go:build linux && !ringfence_portable

package checks

import (
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// maxSubIDs bounds the lines of subuid(5) and subgid(5) that are kept.
const maxSubIDs = 20_000

// subIDs are the ids that accounts may have in user namespaces of their own: a line has a name or a number, the first id, and how many.
func (s *Scan) subIDs(out *Outcome) (list []snapshot.SubIDs) {
	if otherSources(s.Host.ReadFile, "subid") {
		out.partialIn("accounts", "which ids somebody may have in a user namespace comes from elsewhere than /etc/subuid (nsswitch.conf), and is not read")
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		b, err := s.Host.ReadFile(file)
		if err != nil && !host.Absent(err) {
			out.partialIn("accounts", "%s: %v", file, err)
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Split(strings.TrimSpace(line), ":")
			if len(f) != 3 {
				continue
			}
			first, err := strconv.ParseUint(f[1], 10, 32)
			count, bad := strconv.ParseUint(f[2], 10, 32)
			uid := s.uidOf(f[0])
			if err != nil || bad != nil || uid < 0 {
				continue
			}
			if len(list) == maxSubIDs {
				out.partialIn("accounts", "there are more lines in /etc/subuid and /etc/subgid than are looked at")
				return list
			}
			list = append(list, snapshot.SubIDs{UID: uid, First: int(first), Count: int(count), Groups: file == "/etc/subgid"})
		}
	}
	return list
}
