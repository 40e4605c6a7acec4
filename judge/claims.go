package judge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/finding"
	"github.com/ringfence/ringfence/snapshot"
)

// fact is a claim about the host by name, what it is decided from, and who decides.
type fact struct {
	name  string
	reads []string
	says  func(k *snapshot.Kernel) (validity string, text []string)
}

// facts are the claims that a hardened and immutable host is made of, each with an answer of its own.
var facts = []fact{
	{"host.boot.verified", []string{"kernel.facts"}, bootVerified},
	{"host.etc.readonly", []string{"kernel.mounts"}, func(k *snapshot.Kernel) (string, []string) { return readOnly(k, "/etc") }},
	{"host.image.unchanged", []string{"kernel.facts"}, imageUnchanged},
	{"host.kernel.bpf-restricted", []string{"kernel.sysctls"}, bpfRestricted},
	{"host.kernel.kexec-off", []string{"kernel.sysctls", "kernel.facts"}, kexecOff},
	{"host.kernel.lockdown", []string{"kernel.facts"}, lockdown},
	{"host.kernel.modules-signed", []string{"kernel.sysctls", "kernel.facts"}, modulesSigned},
	{"host.system.readonly", []string{"kernel.mounts"}, systemReadOnly},
}

func factNames() (list []string) {
	for _, f := range facts {
		list = append(list, f.name)
	}
	return list
}

// fact is what is known of a named fact.
func (a *asking) fact(name string) finding.Ground {
	p := finding.Ground{Kind: "fact", What: name, Validity: finding.Unconfirmed, Because: "there is no such fact"}
	i := slices.IndexFunc(facts, func(f fact) bool { return f.name == name })
	if i < 0 {
		return p
	}
	var text []string
	p.Validity, text = facts[i].says(&a.b.snap.Kernel)
	p.Because = ""
	if p.Validity == finding.Unconfirmed {
		p.Because = strings.Join(text, "; ")
	} else {
		p.Evidence = text
	}
	return a.whole(p, facts[i].reads)
}

// told is a fact of the snapshot in words, and whether it is known.
func told(name string, f snapshot.Fact) (text string, known bool) {
	switch f.State {
	case snapshot.Present:
		return name + " is " + f.Value, true
	case snapshot.Absent:
		return name + " is absent", true
	default:
		return name + " was not read: " + f.Reason, false
	}
}

// bootVerified: the firmware checks what it starts (Secure Boot), and what that starts is checked too (dm-verity). A host cannot see whether somebody else
// measured what it booted, so that nothing refutes it.
func bootVerified(k *snapshot.Kernel) (string, []string) {
	text, _ := told("Secure Boot", k.Facts["secureBoot"])
	verity := slices.ContainsFunc(k.Mounts, func(m snapshot.HostMount) bool { return m.Verity && (m.Path == "/" || m.Path == "/usr") })
	if k.Facts["secureBoot"].Value == "on" && verity {
		return finding.Confirmed, []string{text, "the system is on a dm-verity device"}
	}
	why := []string{text, "the system is on no dm-verity device"}
	if verity {
		why[1] = "the system is on a dm-verity device"
	}
	return finding.Unconfirmed, append(why, "whether the boot was measured and attested is not seen from the host")
}

// top are the mounts at a path and below it in the order of the table: the last one at a path is the one that is seen.
func top(k *snapshot.Kernel, dir string) (at *snapshot.HostMount, below []*snapshot.HostMount) {
	seen := map[string]int{}
	for i := range k.Mounts {
		m := &k.Mounts[i]
		if m.Path == dir {
			at = m
			continue
		}
		if !strings.HasPrefix(m.Path, strings.TrimSuffix(dir, "/")+"/") {
			continue
		}
		if j, ok := seen[m.Path]; ok {
			below[j] = m
			continue
		}
		seen[m.Path] = len(below)
		below = append(below, m)
	}
	return at, below
}

// mounted says how a mount can be written.
func mounted(m *snapshot.HostMount) (validity, text string) {
	text = fmt.Sprintf("%s is %s", m.Path, m.FSType)
	switch {
	case !m.ReadOnly:
		return finding.Rejected, text + ", writable"
	case m.SuperReadOnly || m.Verity:
		return finding.Confirmed, text + ", read-only"
	default:
		return finding.Unconfirmed, text + ", mounted read-only; the file system itself can be written by another mount of it"
	}
}

// readOnly says whether a directory of the root file system, or the mount of its own, can be written.
func readOnly(k *snapshot.Kernel, dir string) (string, []string) {
	at, _ := top(k, dir)
	if at == nil {
		at, _ = top(k, "/")
	}
	if at == nil {
		return finding.Unconfirmed, []string{"no mount of " + dir + " was seen"}
	}
	v, text := mounted(at)
	return uncut(k, v, []string{text})
}

// manyMounts is from how many mounts on there may be more: older snapshots do not say so of the mounts apart.
const manyMounts = 500

// uncut is an answer about mounts if all of them were seen.
func uncut(k *snapshot.Kernel, validity string, text []string) (string, []string) {
	if validity == finding.Confirmed && len(k.Mounts) >= manyMounts {
		return finding.Unconfirmed, []string{"there are more mounts than were looked at"}
	}
	return validity, text
}

// programDirs are the directories of programs and libraries: of most systems links into /usr.
var programDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// systemReadOnly: the root file system and /usr are read-only, and so is everything that is mounted in place of programs.
func systemReadOnly(k *snapshot.Kernel) (string, []string) {
	root, _ := top(k, "/")
	if root == nil {
		return finding.Unconfirmed, []string{"no mount of the system was seen"}
	}
	list := []*snapshot.HostMount{root}
	for _, dir := range programDirs {
		at, below := top(k, dir)
		if at != nil {
			list = append(list, at)
		}
		list = append(list, below...)
	}
	by := map[string][]string{}
	for _, m := range list {
		v, text := mounted(m)
		if m.Path == "/" && v == finding.Rejected && slices.ContainsFunc(list, func(o *snapshot.HostMount) bool { return o.Path == "/usr" && o.ReadOnly }) {
			v, text = finding.Unconfirmed, text+": what runs is on /usr, and who writes to the root decides what else is run"
		}
		if m.FSType == "overlay" && m.Path != "/" && v != finding.Rejected {
			v, text = finding.Unconfirmed, text+": what is merged into it was not looked at"
		}
		by[v] = append(by[v], text)
	}
	for _, v := range []string{finding.Rejected, finding.Unconfirmed} {
		if len(by[v]) > 0 {
			return v, by[v]
		}
	}
	return uncut(k, finding.Confirmed, by[finding.Confirmed])
}

// imageUnchanged: the content is that of an image, by dm-verity or by a booted image whose /usr nobody unlocked.
func imageUnchanged(k *snapshot.Kernel) (string, []string) {
	ostree := k.Facts["ostree"]
	usr, _ := top(k, "/usr")
	root, _ := top(k, "/")
	if usr == nil {
		usr = root
	}
	switch {
	case usr == nil:
		return finding.Unconfirmed, []string{"no mount of the system was seen"}
	case usr.Verity:
		return finding.Confirmed, []string{usr.Path + " is on a dm-verity device: each block is the one of the image"}
	case ostree.State == snapshot.Present && !usr.ReadOnly:
		return finding.Rejected, []string{"an image was booted, and " + usr.Path + " is writable"}
	case ostree.State == snapshot.Present:
		return finding.Unconfirmed, []string{"an image was booted; packages that were layered on it, and overrides, were not looked at"}
	case usr.SuperReadOnly:
		return finding.Unconfirmed, []string{usr.Path + " is read-only; from which image it is was not seen"}
	default:
		return finding.Unconfirmed, []string{"no image was booted: what was changed since the installation is not recorded anywhere that was read"}
	}
}

var lockedDown = regexp.MustCompile(`\[(integrity|confidentiality)\]`)

// lockdown: the kernel keeps root from changing it (kernel_lockdown(7)).
func lockdown(k *snapshot.Kernel) (string, []string) {
	f := k.Facts["lockdown"]
	text, known := told("lockdown", f)
	switch {
	case !known:
		return finding.Unconfirmed, []string{text}
	case lockedDown.MatchString(f.Value):
		return finding.Confirmed, []string{text}
	default:
		return finding.Rejected, []string{text}
	}
}

// modulesSigned: only signed modules are loaded, or none.
func modulesSigned(k *snapshot.Kernel) (string, []string) {
	off, sig := k.Sysctls["kernel/modules_disabled"], k.Facts["moduleSignatures"]
	offText, offKnown := told("kernel.modules_disabled", off)
	sigText, sigKnown := told("module.sig_enforce", sig)
	locked, lockText := lockdown(k)
	switch {
	case off.State == snapshot.Absent:
		return finding.Confirmed, []string{"the kernel has no modules"}
	case off.Value == "1":
		return finding.Confirmed, []string{offText}
	case sig.Value == "Y" || sig.Value == "1":
		return finding.Confirmed, []string{sigText}
	case locked == finding.Confirmed:
		return finding.Confirmed, lockText
	case !offKnown || !sigKnown || locked == finding.Unconfirmed:
		return finding.Unconfirmed, append([]string{offText, sigText}, lockText...)
	default:
		return finding.Rejected, append([]string{offText, sigText}, lockText...)
	}
}

// kexecOff: no other kernel is started from this one, or a signed one alone.
func kexecOff(k *snapshot.Kernel) (string, []string) {
	f := k.Sysctls["kernel/kexec_load_disabled"]
	text, known := told("kernel.kexec_load_disabled", f)
	locked, lockText := lockdown(k)
	switch {
	case f.State == snapshot.Absent:
		return finding.Confirmed, []string{"the kernel has no kexec"}
	case f.Value == "1":
		return finding.Confirmed, []string{text}
	case locked == finding.Confirmed:
		return finding.Confirmed, append(lockText, "kexec takes signed kernels alone")
	case !known || locked == finding.Unconfirmed:
		return finding.Unconfirmed, append([]string{text}, lockText...)
	default:
		return finding.Rejected, append([]string{text}, lockText...)
	}
}

// bpfRestricted: only root loads BPF programs.
func bpfRestricted(k *snapshot.Kernel) (string, []string) {
	f := k.Sysctls["kernel/unprivileged_bpf_disabled"]
	text, known := told("kernel.unprivileged_bpf_disabled", f)
	switch {
	case !known:
		return finding.Unconfirmed, []string{text}
	case f.State == snapshot.Absent:
		return finding.Confirmed, []string{"the kernel has no bpf(2)"}
	case f.Value == "1" || f.Value == "2":
		return finding.Confirmed, []string{text}
	default:
		return finding.Rejected, []string{text}
	}
}
