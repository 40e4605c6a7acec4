//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// playWorld makes the world around itself, as its first process, and ends it with its input.
func playWorld() error {
	for _, step := range []func() error{worldMounts, worldUsers, worldNetwork} {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Println("ready", os.Getpid())
	// The children of those who end are the first process's to wait for.
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			for {
				if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil && err != unix.EINTR || pid == 0 {
					break
				}
			}
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// step is one call, with the words for when it fails.
type step struct {
	what string
	err  error
}

func first(steps ...step) error {
	for _, s := range steps {
		if s.err != nil {
			return fmt.Errorf("%s: %w", s.what, s.err)
		}
	}
	return nil
}

func worldMounts() error {
	dir := os.Getenv("HOSTILE_DIR")
	if err := first(
		step{"keep mounts to itself", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")},
		step{"mount /proc", unix.Mount("proc", "/proc", "proc", 0, "")},
		step{"mount state", unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755")},
		step{"make null", unix.Mknod(dir+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))},
		step{"open null", os.Chmod(dir+"/null", 0o666)},
		step{"mount null", unix.Mount(dir+"/null", "/dev/null", "", unix.MS_BIND, "")},
	); err != nil {
		return err
	}
	for _, at := range []string{"/etc", "/home", "/var/lib"} {
		name := filepath.Join(dir, strings.ReplaceAll(at, "/", "-"))
		if err := first(
			step{"make", os.Mkdir(name+"-upper", 0o755)}, step{"make", os.Mkdir(name+"-work", 0o755)},
		); err != nil {
			return err
		}
		err := unix.Mount("overlay", at, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s-upper,workdir=%s-work", at, name, name))
		if errors.Is(err, unix.ENODEV) {
			fmt.Println("lacking: overlay file systems (CONFIG_OVERLAY_FS)")
		}
		if err != nil {
			return fmt.Errorf("mount over %s: %w", at, err)
		}
	}
	if err := first(
		step{"mount /run", unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755")},
		step{"mount /dev/shm", unix.Mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")},
		step{"name the host", unix.Sethostname([]byte("testhost"))},
	); err != nil {
		return err
	}
	for _, d := range []string{"/run/sshd", "/run/netns", "/run/lock", "/run/user/1001"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	return os.Chown("/run/user/1001", mal, mal)
}

func worldUsers() error {
	for file, lines := range map[string]string{
		"/etc/passwd": "mal:x:1001:1001::/home/mal:/bin/sh\nvic:x:1002:1002::/home/vic:/bin/sh\n",
		"/etc/group":  "mal:x:1001:\nvic:x:1002:\n",
	} {
		old, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(old, lines...), 0o644); err != nil {
			return err
		}
	}
	for uid, home := range map[int]string{mal: homes[mal], vic: homes[vic]} {
		if err := first(step{"home", os.MkdirAll(home, 0o755)}, step{"home", os.Chown(home, uid, uid)}); err != nil {
			return err
		}
	}
	return nil
}

// worldNetwork makes ext0 (external, with the default route), mgmt0 and docker0.
func worldNetwork() error {
	for _, which := range []string{"all", "default"} { // addresses are there at once
		if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/accept_dad", []byte("0"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, l := range []struct{ name, addr string }{{"ext", "203.0.113.1/24"}, {"mgmt", "10.10.0.1/24"}} {
		if err := veth(l.name+"0", l.name+"1", l.addr); err != nil {
			return err
		}
	}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "docker0"}}
	if err := netlink.LinkAdd(bridge); err != nil {
		if errors.Is(err, unix.EOPNOTSUPP) {
			fmt.Println("lacking: bridges (CONFIG_BRIDGE)")
		}
		return fmt.Errorf("bridge: %w", err)
	}
	if err := up("lo", ""); err != nil {
		return err
	}
	if err := up("docker0", "172.17.0.1/16"); err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{Gw: net.IPv4(203, 0, 113, 254)})
}

func veth(name, peer, addr string) error {
	err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: peer})
	if errors.Is(err, unix.EOPNOTSUPP) {
		fmt.Println("lacking: pairs of interfaces (CONFIG_VETH)")
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	return errors.Join(up(peer, ""), up(name, addr))
}

// up brings an interface up, with an address if there is one.
func up(name, addr string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	if addr != "" {
		a, err := netlink.ParseAddr(addr)
		if err == nil {
			err = netlink.AddrAdd(l, a)
		}
		if err != nil {
			return fmt.Errorf("address of %s: %w", name, err)
		}
	}
	return netlink.LinkSetUp(l)
}
