//go:build linux && !ringfence_portable

package checks

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/snapshot"
)

// collectKernel reads the evidence for or against a hardened and immutable host.
func collectKernel(_ context.Context, s *Scan, snap *snapshot.Snapshot) *Outcome {
	out := new(Outcome)
	sec := &snap.Kernel
	sec.Sysctls, sec.Facts = map[string]snapshot.Fact{}, map[string]snapshot.Fact{}
	for _, k := range snapshot.KernelSysctls {
		sec.Sysctls[k] = s.fact("/proc/sys/" + k)
	}
	security := s.securityFS()
	for name, file := range snapshot.SecurityFacts {
		f := security
		if security.State == snapshot.Present {
			f = s.fact("/sys/kernel/security/" + file)
		}
		sec.Facts[name] = f
	}
	for name, file := range snapshot.FactFiles {
		f := s.fact(file)
		if name == "modules" && f.State == snapshot.Present {
			f.Value = fmt.Sprintf("%d loaded", strings.Count(f.Value, "\n"))
		}
		if name == "cmdline" {
			f.Value = kernelParameters(f.Value)
		}
		sec.Facts[name] = f
	}
	sec.Facts["secureBoot"] = s.secureBoot()
	sec.Facts["ostree"] = s.exists("/run/ostree-booted")
	sec.Facts["audit"] = s.auditStatus()
	s.readMounts(sec, out)
	for part, set := range map[string]map[string]snapshot.Fact{"sysctls": sec.Sysctls, "facts": sec.Facts} {
		for _, k := range sortedKeys(set) {
			if f := set[k]; f.State == snapshot.Denied || f.State == snapshot.Error {
				of := part
				if k == "cmdline" { // apart from what needs securityfs
					of = "boot"
				}
				out.partialIn(of, "%s: %s", k, f.Reason)
			}
		}
	}
	if names, err := s.Host.ReadDir("/sys/devices/system/cpu/vulnerabilities"); err == nil {
		sec.Vulns = map[string]snapshot.Fact{}
		for _, n := range names {
			sec.Vulns[n] = s.fact("/sys/devices/system/cpu/vulnerabilities/" + n)
		}
	}
	return out
}

// kernelParameters are the names of the kernel's parameters, and the values of those that harden it: other values are for
// programs, and can hold secrets.
func kernelParameters(line string) string {
	var out []string
	for w := range strings.FieldsSeq(line) {
		name, _, _ := strings.Cut(w, "=")
		if !slices.Contains([]string{
			"lockdown", "module.sig_enforce", "mitigations", "init_on_alloc", "init_on_free", "slab_nomerge", "page_alloc.shuffle",
			"pti", "vsyscall", "debugfs", "randomize_kstack_offset", "iommu", "intel_iommu", "amd_iommu", "audit", "lsm",
			"security", "selinux", "apparmor", "ipe.enforce", "fips", "slub_debug", "enforcing", "ima_appraise", "spectre_v2", "mds", "l1tf",
			"init", "rdinit", "systemd.unit", "systemd.debug-shell", "systemd.debug_shell",
		}, name) {
			w = name
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// securityFS says whether securityfs is mounted: an empty directory means that nobody can tell.
func (s *Scan) securityFS() snapshot.Fact {
	names, err := s.Host.ReadDir("/sys/kernel/security")
	if err != nil {
		return toFact("", err)
	}
	if len(names) == 0 {
		return snapshot.Fact{State: snapshot.Error, Reason: "securityfs is not mounted"}
	}
	return present("mounted")
}

func (s *Scan) exists(p string) snapshot.Fact {
	_, err := s.Host.Stat(p)
	return toFact("yes", err)
}

// secureBoot reads the UEFI variable: four bytes of attributes, then the value. A machine without
// UEFI has no Secure Boot to turn on.
func (s *Scan) secureBoot() snapshot.Fact {
	if _, err := s.Host.Stat("/sys/firmware/efi"); err != nil {
		return toFact("", err)
	}
	const guid = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	b, err := s.Host.ReadFile("/sys/firmware/efi/efivars/SecureBoot" + guid)
	if err != nil || len(b) < 5 {
		return toFact("", err)
	}
	setup, err := s.Host.ReadFile("/sys/firmware/efi/efivars/SetupMode" + guid)
	if b[4] == 1 && err == nil && len(setup) >= 5 && setup[4] == 1 {
		return present("setup mode")
	}
	return present("%s", map[bool]string{true: "on", false: "off"}[b[4] == 1])
}

// readMounts reads how the host's own tree is mounted: in our mount namespace, which is the host's
// unless the coverage says that we are confined.
func (s *Scan) readMounts(sec *snapshot.Kernel, out *Outcome) {
	b, err := s.ownMounts()
	if err != nil {
		out.partial("mounts: %v", err)
		return
	}
	for _, m := range parseMountinfo(b) {
		if !slices.Contains([]string{"/", "/usr", "/etc", "/boot", "/var", "/sysroot", "/dev/shm"}, m.point) && !belowPrograms(m.point) {
			continue
		}
		if len(sec.Mounts) == maxHostMounts {
			out.partialIn("facts", "mounts: more than %d", maxHostMounts)
			out.parts["mounts"] = true // apart from what needs securityfs, too
			break
		}
		hm := snapshot.HostMount{
			Path: m.point, FSType: m.fs, Source: m.src,
			ReadOnly:      hasOption(m.options, "ro") || hasOption(m.super, "ro"),
			SuperReadOnly: hasOption(m.super, "ro"),
		}
		major, minor := unix.Major(m.dev), unix.Minor(m.dev)
		uuid := s.fact(path.Join("/sys/dev/block", fmt.Sprintf("%d:%d", major, minor), "dm/uuid"))
		hm.Verity = strings.HasPrefix(uuid.Value, "CRYPT-VERITY-")
		sec.Mounts = append(sec.Mounts, hm)
	}
}

// maxHostMounts bounds the mounts of the host's own tree.
const maxHostMounts = 500

// belowPrograms says whether a mount is at or below a directory of programs and libraries: what is mounted there is in place of them.
func belowPrograms(point string) bool {
	return slices.ContainsFunc([]string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}, func(dir string) bool {
		_, in := within(dir, point)
		return in
	})
}

func hasOption(list, opt string) bool { return slices.Contains(strings.Split(list, ","), opt) }

// auditStatus asks the audit subsystem (AUDIT_GET, audit.h): 0 off, 1 on, 2 on and immutable.
func (s *Scan) auditStatus() snapshot.Fact {
	if !s.Host.Live() {
		return snapshot.Fact{State: snapshot.Absent}
	}
	c, err := s.Host.Netlink(unix.NETLINK_AUDIT, nil)
	if err != nil {
		if errors.Is(err, unix.EPROTONOSUPPORT) {
			return snapshot.Fact{State: snapshot.Absent, Reason: "the kernel has no audit"}
		}
		return toFact("", err)
	}
	defer c.Close()
	return toFact(auditEnabled(c))
}
