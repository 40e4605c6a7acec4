//go:build linux && !ringfence_portable

package checks

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

const domainStatus = `<!-- WARNING: THIS IS AN AUTO-GENERATED FILE. -->
<domstatus state='running' reason='booted' pid='4711'>
  <monitor path='/x' type='unix'/>
  <domain type='kvm' id='1'>
    <name>win11</name>
    <metadata><libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0"><libosinfo:os id="http://microsoft.com/win/11"/></libosinfo:libosinfo></metadata>
    <devices>
      <interface type='network'>
        <mac address='52:54:00:AA:bb:01'/>
        <source network='default' bridge='virbr0'/>
        <target dev='vnet0'/>
      </interface>
    </devices>
  </domain>
</domstatus>`

// TestMachines: machines of libvirt and Proxmox are known by what describes them, and their addresses by the leases.
func TestMachines(t *testing.T) {
	m, err := parseDomain([]byte(domainStatus))
	if err != nil || m.Name != "win11" || m.OS != "windows" || len(m.NICs) != 1 ||
		m.NICs[0].MAC != "52:54:00:aa:bb:01" || m.NICs[0].Bridge != "virbr0" || m.NICs[0].Tap != "vnet0" {
		t.Errorf("%+v, %v", m, err)
	}
	p, err := parseProxmox([]byte("boot: order=scsi0\nname: files\nostype: win11\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1\n[before]\nname: old\n"))
	if err != nil || p.Name != "files" || p.OS != "windows" || len(p.NICs) != 1 || p.NICs[0].Bridge != "vmbr0" || p.NICs[0].MAC != "bc:24:11:00:00:01" {
		t.Errorf("%+v, %v", p, err)
	}
	l, err := parseLeases([]byte(`[{"ip-address": "192.168.122.45", "mac-address": "52:54:00:AA:BB:01", "expiry-time": 1}]`))
	if err != nil || !slices.Equal(l["52:54:00:aa:bb:01"], []string{"192.168.122.45"}) {
		t.Errorf("%v, %v", l, err)
	}
	for _, bad := range []string{"", "<domain/>", "<domain><name>x", "<x>"} {
		if _, err := parseDomain([]byte(bad)); err == nil {
			t.Errorf("%q is a domain", bad)
		}
	}
}

// TestMachinesOfAHost: what runs counts before what is defined, leases give addresses, and what cannot be read is a gap.
func TestMachinesOfAHost(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("run/libvirt/qemu/win11.xml", domainStatus)
	write("etc/libvirt/qemu/win11.xml", "<domain><name>win11</name></domain>")
	write("etc/libvirt/qemu/spare.xml", "<domain><name>spare</name></domain>")
	write("etc/pve/qemu-server/100.conf", "ostype: l26\nnet0: e1000=BC:24:11:00:00:01,bridge=vmbr0\n")
	write("etc/pve/qemu-server/101.conf", "name: web\n")
	write("etc/pve/qemu-server/102.conf", "name: web\n")
	write("var/lib/libvirt/dnsmasq/virbr0.status", `[{"ip-address": "192.168.122.45", "mac-address": "52:54:00:aa:bb:01"}]`)
	var sec snapshot.Runtimes
	newScan(host.At(root)).machines(&sec)
	var got []string
	for _, m := range sec.Machines {
		got = append(got, fmt.Sprint(m.Runtime, " ", m.Name, " ", m.OS, " ", m.Running))
	}
	if !slices.Equal(got, []string{"libvirt win11 windows true", "libvirt spare  false", "proxmox 100 linux false", "proxmox web  false", "proxmox web (102)  false"}) {
		t.Errorf("%q", got)
	}
	if a := sec.Machines[0].NICs[0].Addrs; !slices.Equal(a, []string{"192.168.122.45"}) || sec.MachinesRead.State != snapshot.Present {
		t.Errorf("%v, %+v", a, sec.MachinesRead)
	}
	write("etc/libvirt/qemu/torn.xml", "<domain><name>")
	sec = snapshot.Runtimes{}
	newScan(host.At(root)).machines(&sec)
	if sec.MachinesRead.State != snapshot.Error || len(sec.Machines) != 5 {
		t.Errorf("%+v, %d machines", sec.MachinesRead, len(sec.Machines))
	}
}

// FuzzMachines: no description ends the program.
func FuzzMachines(f *testing.F) {
	f.Add([]byte(domainStatus))
	f.Add([]byte("name: x\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\n"))
	f.Add([]byte(`[{"ip-address": "192.168.122.45", "mac-address": "52:54:00:aa:bb:01"}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, _ := parseDomain(b)
		p, _ := parseProxmox(b)
		_, _ = parseLeases(b)
		if len(m.NICs) > maxNICs || len(p.NICs) > maxNICs {
			t.Error("too many cards")
		}
	})
}
