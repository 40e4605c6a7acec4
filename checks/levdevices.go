//go:build linux && !ringfence_portable

package checks

import (
	"io/fs"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// inputDevices are those by which somebody types for who is at the machine, sees it, or directs it from below.
var inputDevices = []struct{ pattern, by string }{
	{"/dev/uinput", "what is typed at the machine"},
	{"/dev/input/event*", "what is typed at the machine"},
	{"/dev/vcs*", "the consoles"},
	{"/dev/fb[0-9]*", "the consoles"},
	{"/dev/ipmi[0-9]*", "the management controller"},
	{"/dev/mapper/control", "the disks that are made of others"},
	{"/dev/vfio/[0-9]*", "a device of the bus"},
}

// devices adds the disks and the memory of the host.
func (l *levers) devices() {
	for _, n := range []string{"sd", "vd", "xvd", "nvme", "mmcblk", "dm-", "md", "loop"} {
		for _, p := range l.glob("/dev/" + n + "[0-9a-z]*") {
			if st, err := l.s.Host.Lstat(p); err == nil && isBlock(st) {
				l.add(snapshot.LeverFile{Path: p, Kind: snapshot.LeverDevice, By: "a disk", Trigger: snapshot.TriggerNone})
			}
		}
	}
	for _, pattern := range []string{"/dev/sg[0-9]*", "/dev/bsg/*"} {
		for _, p := range l.glob(pattern) {
			l.add(snapshot.LeverFile{Path: p, Kind: snapshot.LeverDevice, By: "a disk", Trigger: snapshot.TriggerNone, Unsure: "whether a disk of the host is behind it was not looked at"})
		}
	}
	for _, d := range inputDevices {
		for _, p := range l.glob(d.pattern) {
			l.add(snapshot.LeverFile{Path: p, Kind: snapshot.LeverDevice, By: d.by, Trigger: snapshot.TriggerOperator, Unsure: "what " + d.by + " gives was not followed"})
		}
	}
	for _, p := range []string{"/dev/mem", "/dev/kmem", "/dev/port"} {
		if _, err := l.s.Host.Lstat(p); err == nil {
			l.add(snapshot.LeverFile{Path: p, Kind: snapshot.LeverDevice, By: "the memory", Trigger: snapshot.TriggerNone})
		}
	}
}

// isBlock says of a file that it is a block device.
func isBlock(st host.Stat) bool {
	return st.Mode&fs.ModeDevice != 0 && st.Mode&fs.ModeCharDevice == 0
}
