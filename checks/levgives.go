//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// givenCaps are the capabilities by which somebody becomes more than they are, by their names in units (systemd.exec(5)).
var givenCaps = map[string]uint{
	"CAP_CHOWN": unix.CAP_CHOWN, "CAP_DAC_OVERRIDE": unix.CAP_DAC_OVERRIDE, "CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH, "CAP_FOWNER": unix.CAP_FOWNER,
	"CAP_SETGID": unix.CAP_SETGID, "CAP_SETUID": unix.CAP_SETUID, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_SYS_MODULE": unix.CAP_SYS_MODULE,
	"CAP_SYS_RAWIO": unix.CAP_SYS_RAWIO, "CAP_SYS_CHROOT": unix.CAP_SYS_CHROOT, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN,
	"CAP_SYS_BOOT": unix.CAP_SYS_BOOT, "CAP_MKNOD": unix.CAP_MKNOD, "CAP_SETFCAP": unix.CAP_SETFCAP, "CAP_MAC_ADMIN": unix.CAP_MAC_ADMIN, "CAP_BPF": unix.CAP_BPF,
}

// keptByUnits are settings by which a unit keeps what it runs from something (systemd.exec(5)): what is left of capabilities and groups is not followed.
var keptByUnits = strings.Fields("PrivateNetwork NetworkNamespacePath PrivateUsers RootDirectory RootImage ProtectSystem InaccessiblePaths TemporaryFileSystem " +
	"SystemCallFilter CapabilityBoundingSet PrivateDevices ProtectKernelModules ReadOnlyPaths AppArmorProfile SELinuxContext")

// gives are capabilities and groups with which a unit runs something as a user, nil if it gives none.
func (l *levers) gives(lines []unitLine, section string, uid int) *snapshot.LeverGives {
	if uid <= 0 {
		return nil
	}
	g := &snapshot.LeverGives{}
	var mask uint64
	for _, value := range listOfKey(lines, section, "AmbientCapabilities") {
		all, not := strings.CutPrefix(strings.TrimSpace(value), "~")
		if not {
			mask = 1<<(unix.CAP_LAST_CAP+1) - 1
		}
		for name := range strings.FieldsSeq(all) {
			if c, ok := givenCaps[strings.ToUpper(name)]; ok && not {
				mask &^= 1 << c
			} else if ok {
				mask |= 1 << c
			}
		}
	}
	if mask != 0 {
		g.Caps = fmt.Sprintf("%016x", mask)
	}
	names := strings.Fields(lastOfKey(lines, section, "Group"))
	for _, value := range listOfKey(lines, section, "SupplementaryGroups") {
		names = append(names, strings.Fields(value)...)
	}
	for _, name := range names {
		if gid := l.s.gidOf(name); gid >= 0 && !l.s.inGroup(gid, uid) && !slices.ContainsFunc(l.s.users(), func(u user) bool { return u.uid == uid && u.gid == gid }) && !slices.Contains(g.Groups, gid) {
			g.Groups = append(g.Groups, gid)
		}
	}
	if g.Caps == "" && len(g.Groups) == 0 {
		return nil
	}
	for _, key := range keptByUnits {
		if value := lastOfKey(lines, section, key); value != "" && value != "no" && value != "false" {
			g.Unsure = "what a unit with " + key + "= lets it do with its capabilities and groups was not followed"
			break
		}
	}
	return g
}
