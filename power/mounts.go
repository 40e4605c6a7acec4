package power

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ringfence/ringfence/snapshot"
)

// rootPlaces are the places of a host whose files decide what root does.
var rootPlaces = []string{
	"/etc/systemd", "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/crontab", "/etc/passwd", "/etc/shadow", "/etc/sudoers.d", "/etc/sudoers", "/etc/pam.d",
	"/etc/ld.so.preload", "/etc/profile.d", "/etc/ssh", "/etc/udev", "/root/.ssh", "/root/.bashrc", "/root/.profile", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local/bin",
	"/usr/local/sbin", "/bin", "/sbin", "/lib", "/boot", "/var/spool/cron", "/run/systemd/system", "/proc/sys/kernel", "/etc/kubernetes",
	"/etc/cron.weekly", "/etc/cron.monthly", "/etc/logrotate.d", "/etc/group", "/etc/profile", "/etc/polkit-1", "/proc/sys/fs/binfmt_misc",
}

// statePlaces are those of runtimes: who writes one as a whole decides what containers are. What is below them is some container's own.
var statePlaces = []string{"/var/lib/docker", "/var/lib/containerd", "/var/lib/containers/storage", "/var/lib/kubelet"}

// secretPlaces are where the passwords and private keys of a host are.
var secretPlaces = []string{"/etc/shadow", "/etc/gshadow", "/etc/ssh", "/root/.ssh"}

// holdsSecrets says of a directory of the host that such are in it, or of one that it is among them.
func holdsSecrets(source string) bool {
	return slices.ContainsFunc(secretPlaces, func(p string) bool {
		return source == "/" || p == source || strings.HasPrefix(p, source+"/") || strings.HasPrefix(source, p+"/")
	})
}

// mountsUnread is why what is mounted in a container is not known, "" if the kernel told it, or a specification of root's.
func mountsUnread(c *snapshot.Container) string {
	switch {
	case c == nil:
		return "the container was not found among those of runtimes"
	case c.KernelFiles != nil && c.KernelFiles.Read.State == snapshot.Present:
		return ""
	case c.KernelFiles != nil:
		return cmp.Or(c.KernelFiles.Read.Reason, "it was not read")
	case c.Unread != "":
		return c.Unread
	case !c.Word.Trusted():
		return "its specification is not root's"
	}
	return ""
}

// decides says of a directory of the host that what is in it decides what root does.
func decides(source string) bool {
	above := func(p string) bool { return source == "/" || p == source || strings.HasPrefix(p, source+"/") }
	return slices.ContainsFunc(rootPlaces, func(p string) bool { return above(p) || strings.HasPrefix(source, p+"/") }) || slices.ContainsFunc(statePlaces, above)
}

// byMounts are the directories of the host that a container writes.
func (g *Graph) byMounts(s *State) (list []Edge) {
	if s.Place != InContainer {
		return nil
	}
	c := containerOf(g.snap, s.Container)
	if why := mountsUnread(c); why != "" {
		list = append(list, Edge{
			Kind: ByMount, Object: s.Container, Trigger: snapshot.TriggerNone, Goal: Root, Unknown: "what of the host is mounted in it is not known: " + why,
		})
	}
	if c == nil {
		return list
	}
	for _, m := range c.Mounts {
		source := path.Clean(m.Source)
		e := Edge{Kind: ByMount, Object: m.Source, Trigger: snapshot.TriggerRestart, Change: "the mount of " + m.Source}
		switch {
		case m.RW && decides(source) && s.UID == 0:
			e.Goal, e.Text = Root, fmt.Sprintf("it writes %s of the host at %s as root", m.Source, m.Dest)
			list = append(list, e)
		case holdsSecrets(source) && s.UID == 0:
			x := e
			x.Goal, x.Trigger, x.Text = Secret, snapshot.TriggerNone, fmt.Sprintf("it reads %s of the host at %s as root", m.Source, m.Dest)
			list = append(append(list, x), g.mounted(s, m, e)...)
		default:
			list = append(list, g.mounted(s, m, e)...)
		}
		list = append(list, g.asRoot(s, source, e)...)
		list = append(list, g.byAlone(s, m, e)...)
		list = append(list, g.byHomes(s, m, e)...)
		list = append(list, bySettings(s, m, e)...)
	}
	list = append(list, g.byKernelFiles(s, c)...)
	if !s.OwnUser || s.UID == 0 {
		list = append(list, g.byDevices(s, c)...)
	}
	return list
}

// mounted are the files of the host that a container changes in a mount by its ids.
func (g *Graph) mounted(s *State, m snapshot.ContainerMount, e Edge) (list []Edge) {
	source := strings.TrimSuffix(path.Clean(m.Source), "/")
	for i := range g.snap.Powers.Files {
		f := &g.snap.Powers.Files[i]
		p := opened(s, f, cmp.Or(source, "/"))
		verb := verbOf(f)
		if p == nil || !m.RW && f.Kind != snapshot.LeverSecret && f.Kind != snapshot.LeverSocket || f.Kind == snapshot.LeverSocket && (unfiled(f) || g.answers(f)) {
			continue
		}
		x := e
		x.Unknown, x.Trigger, x.Text = f.Unsure, f.Trigger, fmt.Sprintf("%s %s %s of the host at %s%s", who(p), verb, p.At, m.Dest, uses(f))
		list = append(append(list, g.become(x, f)), byCluster(x, f)...)
	}
	return list
}

// byDevices are the devices of the host in a container.
func (g *Graph) byDevices(s *State, c *snapshot.Container) (list []Edge) {
	devices := c.Devices
	if c.AllDevices && s.has(capMknod) {
		list = append(list, Edge{
			Kind: ByDevice, Object: "every device", Trigger: snapshot.TriggerNone, Goal: Root, Change: "the devices of the container",
			Text: "it makes files for the disks of the host, and may use every device",
		})
	}
	for _, d := range devices {
		if !disk(d) {
			continue
		}
		e := Edge{Kind: ByDevice, Object: d, Trigger: snapshot.TriggerNone, Goal: Root, Change: "the device " + d, Text: fmt.Sprintf("it has %s, which holds the host", d)}
		if perhapsDisk(d) {
			e.Unknown = "whether the host is on " + d + " was not looked at"
		}
		if s.UID != 0 || s.OwnUser {
			e.Unknown = "whether uid " + strconv.Itoa(s.UID) + " can open " + d + " was not looked at"
		}
		list = append(list, e)
	}
	return list
}

const capMknod = 27

// otherDisks are devices of which most hold what somebody keeps there, and not the host.
var otherDisks = strings.Fields("bcache drbd loop nbd ng pmem rbd sg zd")

// disk says of a device file that it is a disk or the memory of the host, or may be one.
func disk(d string) bool { return holdsHost(d) || perhapsDisk(d) }

func perhapsDisk(d string) bool {
	name := strings.TrimPrefix(d, "/dev/")
	return slices.ContainsFunc(otherDisks, func(p string) bool {
		rest, ok := strings.CutPrefix(name, p)
		return ok && rest != "" && rest[0] >= '0' && rest[0] <= '9'
	})
}

// holdsHost says of a device file that it is a disk or the memory of the host.
func holdsHost(d string) bool {
	name := strings.TrimPrefix(d, "/dev/")
	return slices.ContainsFunc([]string{"sd", "vd", "xvd", "nvme", "mmcblk", "dm-", "mapper/", "md", "hd", "dasd", "mem", "kmem", "port"}, func(p string) bool { return strings.HasPrefix(name, p) })
}
