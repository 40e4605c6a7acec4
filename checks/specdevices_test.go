//go:build linux && !ringfence_portable

package checks

import "testing"

// TestDevicesByTheirNumbers: a disk of the host is one under whatever name a container has it.
func TestDevicesByTheirNumbers(t *testing.T) {
	s := powerHost(t, "777 0:0 /sys/dev/block/254:0 -> ../../devices/virtual/block/vda", "777 0:0 /sys/dev/block/7:0 -> ../../devices/virtual/block/loop0")
	for d, want := range map[specDevice]string{
		{"/dev/data", "b", 254, 0}:   "/dev/vda",
		{"/dev/sda", "b", 254, 0}:    "/dev/sda",
		{"/dev/data", "b", 99, 0}:    "/dev/data",
		{"/dev/data", "c", 254, 0}:   "/dev/data",
		{"/dev/random", "c", 1, 8}:   "/dev/random",
		{"/dev/innocent", "c", 1, 1}: "/dev/mem",
	} {
		if got := s.hostDevice(d); got != want {
			t.Errorf("%+v is %s, want %s", d, got, want)
		}
	}
	for _, file := range []string{"/dev/mmcblk0", "/dev/md0", "/dev/rbd0", "/dev/nbd3", "/dev/zd0"} {
		if !sensitiveDevice(file) {
			t.Errorf("%s is no disk", file)
		}
	}
}
