//go:build linux && !ringfence_portable

package checks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// emulators are the programs of QEMU that run a machine.
var emulators = lazily(`^(qemu-system-[a-z0-9_]+|qemu-kvm|kvm)$`)

// What QEMU serves besides its guest. Its monitor starts programs of the host (migrate "exec:…").
const (
	qemuMonitor = "monitor of QEMU"
	qemuStub    = "gdb stub of QEMU"
	qemuDisplay = "display of QEMU"
	qemuConsole = "console of a guest of QEMU"
)

// Ports of QEMU: those of VNC begin here, and -s is this one of gdb.
const (
	vncBase = 5900
	gdbPort = 1234
)

// qemuServers are what a process of QEMU serves by TCP, from its options (qemu(1)): each with its ports. Whole says that there is no more.
func qemuServers(p *process) (list []snapshot.ManagedServer, whole bool) {
	if !emulators.MatchString(p.exeBase()) {
		return nil, true
	}
	if p.setID {
		return nil, false
	}
	ports, chardevs, unread := map[string][]int{}, map[string]string{}, false
	options := qemuOptions(p.argv)
	for _, o := range options {
		if o[0] == "chardev" {
			if id := qemuValue(o[1], "id"); id != "" {
				chardevs[id] = o[1]
			}
		}
	}
	serve := func(what, device string) {
		if n := qemuPort(device, chardevs); n > 0 && len(ports[what]) < maxServices {
			ports[what] = append(ports[what], n)
		}
	}
	for _, o := range options {
		switch o[0] {
		case "monitor", "qmp", "qmp-pretty":
			serve(qemuMonitor, o[1])
		case "mon":
			first, _, _ := strings.Cut(o[1], ",")
			id := qemuValue(o[1], "chardev")
			if id == "" {
				id = first
			}
			serve(qemuMonitor, "chardev:"+id)
		case "gdb":
			serve(qemuStub, o[1])
		case "s":
			serve(qemuStub, "tcp::"+strconv.Itoa(gdbPort))
		case "serial", "virtioconsole":
			serve(qemuConsole, o[1])
		case "vnc":
			ports[qemuDisplay] = append(ports[qemuDisplay], vncPorts(o[1])...)
		case "spice":
			for _, key := range []string{"port", "tls-port"} {
				if n, err := strconv.ParseUint(qemuValue(o[1], key), 10, 16); err == nil && n > 0 {
					ports[qemuDisplay] = append(ports[qemuDisplay], int(n))
				}
			}
		case "readconfig":
			unread = true
		}
	}
	for _, what := range sortedKeys(ports) {
		if len(ports[what]) == 0 {
			continue
		}
		role := map[string]snapshot.Role{qemuMonitor: snapshot.RoleDebug, qemuStub: snapshot.RoleDebug}[what]
		if role == "" {
			role = snapshot.RoleDesktop
		}
		list = append(list, snapshot.ManagedServer{
			Name: what, Role: role, PID: p.PID, Unit: p.Unit, Container: p.Container, Word: p.ExeWord, Ports: ports[what],
			Evidence: "its options have " + p.exeBase() + " listen for it",
		})
	}
	return list, !unread && !p.cut
}

// qemuOptions are the options of QEMU, each with what follows it; one dash or two are the same.
func qemuOptions(argv []string) (list [][2]string) {
	for i, a := range argv {
		name, ok := strings.CutPrefix(a, "-")
		if !ok || i == 0 {
			continue
		}
		value := ""
		if i+1 < len(argv) && !strings.HasPrefix(argv[i+1], "-") {
			value = argv[i+1]
		}
		list = append(list, [2]string{strings.TrimPrefix(name, "-"), value})
	}
	return list
}

// qemuValue is a value of "a,key=value,…".
func qemuValue(text, key string) string {
	for f := range strings.SplitSeq(text, ",") {
		if v, ok := strings.CutPrefix(f, key+"="); ok {
			return v
		}
	}
	return ""
}

// qemuPort is the port of a character device that listens or connects by TCP, 0 of another: "tcp:HOST:PORT,…", "chardev:ID", "socket,port=N,…".
func qemuPort(device string, chardevs map[string]string) int {
	if id, ok := strings.CutPrefix(device, "chardev:"); ok {
		device = chardevs[id]
	}
	kind, rest, _ := strings.Cut(device, ":")
	at, _, _ := strings.Cut(rest, ",")
	switch {
	case strings.HasPrefix(device, "socket,"):
		n, _ := strconv.ParseUint(qemuValue(device, "port"), 10, 16)
		return int(n)
	case slices.Contains([]string{"tcp", "telnet", "tn3270", "websocket", "mon"}, kind):
		if kind == "mon" { // mon:tcp:…
			return qemuPort(rest, chardevs)
		}
		return portAtEnd(at)
	}
	return 0
}

// vncPorts are the ports of "HOST:DISPLAY,websocket=…,to=…": the display itself, those it may take instead, and that for browsers.
func vncPorts(value string) (list []int) {
	at, _, _ := strings.Cut(value, ",")
	if strings.HasPrefix(at, "unix:") || at == "none" || !strings.Contains(at, ":") || qemuValue(value, "reverse") == "on" {
		return nil
	}
	n := portAtEnd(at)
	to, _ := strconv.ParseUint(qemuValue(value, "to"), 10, 8)
	for i := n; i <= max(n, int(to)) && vncBase+i < 1<<16; i++ {
		list = append(list, vncBase+i)
	}
	switch v := qemuValue(value, "websocket"); {
	case v == "on":
		list = append(list, 5700+n)
	case v != "":
		list = append(list, portAtEnd(v))
	}
	return list
}
