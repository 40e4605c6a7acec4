//go:build linux && !ringfence_portable

package checks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	gohost "github.com/shirou/gopsutil/v3/host"

	"github.com/ringfence/ringfence/snapshot"
)

func toFact(value string, err error) snapshot.Fact {
	switch {
	case err == nil:
		return snapshot.Fact{State: snapshot.Present, Value: strings.TrimSpace(value)}
	case gone(err):
		return snapshot.Fact{State: snapshot.Absent}
	case denied(err):
		return snapshot.Fact{State: snapshot.Denied, Reason: err.Error()}
	}
	return snapshot.Fact{State: snapshot.Error, Reason: err.Error()}
}

func present(format string, args ...any) snapshot.Fact {
	return snapshot.Fact{State: snapshot.Present, Value: fmt.Sprintf(format, args...)}
}

// initUser is the inode of the initial user namespace (PROC_USER_INIT_INO, include/linux/proc_ns.h);
// the initial pid namespace is initPID.
const (
	initUser = 4026531837
	initPID  = 4026531836
)

// bootID is what random(4) says of it: a UUID.
var bootID = lazily(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func collectHost(ctx context.Context, s *Scan) snapshot.Host {
	h := snapshot.Host{OS: "unknown", Arch: runtime.GOARCH}
	if s.Host.Live() {
		h.Name, _ = os.Hostname()
		// uname(2) alone: what else gopsutil tells of a host it asks lsb_release for, which runs programs by PATH.
		h.Kernel, _ = gohost.KernelVersionWithContext(ctx)
	}
	if b, err := s.Host.ReadFile("/etc/os-release"); err == nil {
		v := osRelease(b)
		h.OS, h.OSVersion = v["ID"], v["VERSION_ID"]
	}
	if b, err := s.Host.ReadFile("/etc/machine-id"); err == nil && len(bytes.TrimSpace(b)) > 0 {
		// machine-id(5): never give the id itself away, hash it for the application.
		sum := sha256.Sum256(append([]byte("ringfence "), bytes.TrimSpace(b)...))
		h.MachineID = hex.EncodeToString(sum[:16])
	}
	if b, err := s.Host.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil && bootID.Match(bytes.TrimSpace(b)) {
		h.BootID = string(bytes.TrimSpace(b))
	}
	h.Self = s.self()
	return h
}

func osRelease(b []byte) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		k, v, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		if u, err := strconv.Unquote(v); err == nil {
			v = u
		}
		m[k] = strings.Trim(v, "'")
	}
	return m
}

// self reports where the collector stands. The signs of a container are those a container runtime
// or the kernel leaves; any of them means that "the host" here is not the host.
func (s *Scan) self() snapshot.Self {
	self := snapshot.Self{UID: os.Getuid(), Root: s.root}
	if !s.Host.Live() {
		return self
	}
	b, err := s.Host.ReadFile("/proc/thread-self/status")
	if err == nil {
		self.CapEff = statusField(b, "CapEff")
		if n := len(strings.Fields(statusField(b, "NSpid"))); n > 1 {
			self.Confined = append(self.Confined, fmt.Sprintf("pid namespace of depth %d", n))
		}
	}
	self.NS = s.namespaces("thread-self")
	if self.NS.User != 0 && self.NS.User != initUser {
		self.Confined = append(self.Confined, "not in the initial user namespace")
	}
	if self.NS.PID != 0 && self.NS.PID != initPID {
		self.Confined = append(self.Confined, "not in the initial pid namespace")
	}
	for _, f := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := s.Host.Stat(f); err == nil {
			self.Confined = append(self.Confined, f+" exists")
		}
	}
	if b, err := s.Host.ReadFile("/proc/self/cgroup"); err == nil && s.root == "" { // else it has left the container
		if id := identify(cgroupPath(b), nil); id.container != "" {
			self.Confined = append(self.Confined, "in the cgroup of a "+id.runtime+" container")
		}
	}
	if one := s.namespaces("1"); one.Net != 0 && one.Net != self.NS.Net {
		self.Confined = append(self.Confined, "not in the network namespace of process 1")
	}
	return self
}

func (s *Scan) namespaces(pid string) snapshot.NS {
	return readNamespaces(func(name string) (string, error) {
		return s.Host.Readlink("/proc/" + pid + "/" + name)
	})
}

// readNamespaces reads the links of a process's namespaces, which need no access to the namespaces.
func readNamespaces(readlink func(string) (string, error)) snapshot.NS {
	read := func(kind string) uint64 {
		link, err := readlink("ns/" + kind)
		if err != nil {
			return 0
		}
		_, rest, _ := strings.Cut(link, "[")
		n, _ := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
		return n
	}
	return snapshot.NS{
		User: read("user"), Net: read("net"), PID: read("pid"),
		Mnt: read("mnt"), IPC: read("ipc"), UTS: read("uts"),
	}
}

// statusField returns the value of one line of /proc/PID/status.
func statusField(b []byte, key string) string {
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		b = rest
		if len(line) > len(key) && line[len(key)] == ':' && string(line[:len(key)]) == key {
			return string(bytes.TrimSpace(line[len(key)+1:]))
		}
	}
	return ""
}
