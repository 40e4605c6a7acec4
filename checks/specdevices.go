//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"path"
)

// specDevice is a device file of a specification (config-linux.md of the OCI runtime specification, devices).
type specDevice struct {
	Path  string `json:"path"`
	Type  string `json:"type"`
	Major int64  `json:"major"`
	Minor int64  `json:"minor"`
}

// memoryDevices are the files of the first major number by which the memory and the ports of the host are read (mem(4)).
var memoryDevices = map[int64]string{1: "/dev/mem", 2: "/dev/kmem", 4: "/dev/port"}

// hostDevice is how the host calls a device of a container, which may have any name there: the numbers decide what it is. It is its path in the container where
// that says more, or where the host has no name for it.
func (s *Scan) hostDevice(d specDevice) string {
	if sensitiveDevice(d.Path) {
		return d.Path
	}
	switch d.Type {
	case "b":
		if to, err := s.Host.Readlink(fmt.Sprintf("/sys/dev/block/%d:%d", d.Major, d.Minor)); err == nil {
			return "/dev/" + path.Base(to)
		}
	case "c", "u":
		if file := memoryDevices[d.Minor]; d.Major == 1 && file != "" {
			return file
		}
	}
	return d.Path
}
