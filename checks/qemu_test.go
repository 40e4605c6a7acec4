//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestWhatQEMUServes: the sockets that QEMU 7.2 had with these options, and what it did for who connected: its monitor ran a program as root.
func TestWhatQEMUServes(t *testing.T) {
	for argv, want := range map[string][]string{
		"-display none -monitor tcp:0.0.0.0:4444,server=on,wait=off":                                                      {qemuMonitor + " [4444]"},
		"--qmp tcp:0.0.0.0:4445,server=on":                                                                                {qemuMonitor + " [4445]"},
		"-chardev socket,id=m,host=0.0.0.0,port=4446,server=on,wait=off -mon chardev=m,mode=control":                      {qemuMonitor + " [4446]"},
		"-chardev socket,id=charmonitor,path=/var/lib/libvirt/m.sock,server=on -mon chardev=charmonitor -vnc 127.0.0.1:0": {qemuDisplay + " [5900]"},
		"-gdb tcp::1235": {qemuStub + " [1235]"},
		"-S -s":          {qemuStub + " [1234]"},
		"-S":             nil,
		"-vnc :5":        {qemuDisplay + " [5905]"},
		"-vnc 127.0.0.1:5,websocket=on,password=on": {qemuDisplay + " [5905 5705]"},
		"-vnc :1,to=3":     {qemuDisplay + " [5901 5902 5903]"},
		"-vnc unix:/run/v": nil,
		"-vnc none":        nil,
		"-spice port=5930,tls-port=5931,disable-ticketing=on":                 {qemuDisplay + " [5930 5931]"},
		"-serial mon:telnet:0.0.0.0:4447,server=on":                           {qemuConsole + " [4447]"},
		"-serial stdio -monitor unix:/run/m,server=on":                        nil,
		"-monitor tcp::4444,server=on -serial tcp::4445,server=on -vnc :0 -s": {qemuConsole + " [4445]", qemuDisplay + " [5900]", qemuStub + " [1234]", qemuMonitor + " [4444]"},
	} {
		p := &process{argv: append([]string{"qemu"}, strings.Fields(argv)...)}
		p.Exe = "/usr/bin/qemu-system-x86_64"
		list, whole := qemuServers(p)
		var got []string
		for _, v := range list {
			got = append(got, fmt.Sprintf("%s %v", v.Name, v.Ports))
		}
		if !slices.Equal(got, want) || !whole {
			t.Errorf("%s: %q %v, want %q", argv, got, whole, want)
		}
	}
	p := &process{argv: []string{"kvm", "-readconfig", "/m.cfg"}}
	p.Exe = "/usr/bin/kvm"
	if _, whole := qemuServers(p); whole {
		t.Error("a file of options is taken for read")
	}
	if list, whole := qemuServers(&process{argv: []string{"qemu-img", "-s"}}); len(list) > 0 || !whole {
		t.Errorf("another program: %v", list)
	}
}
